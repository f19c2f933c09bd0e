"""Robustness and accuracy as the gap is closed, and the gain as the gallery grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from gaputils import plots
from gaputils.pages import SCORING_WORDS
from gaputils.pages.intro import CLOSINGS, ORIGINAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def robustness_by_alpha(results: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> Figure:
    """A panel a template: exact curves and Monte-Carlo points."""
    figure, axes = plots.stacked(len(results), sharex=True, sharey=True)
    for ax, (title, (exact, points)) in zip(axes, results.items(), strict=True):
        alone = exact.drop(columns="accuracy", errors="ignore")
        plots.robustness_curves(alone, ax, points, legend=ax is axes[0])
        ax.set_title(title)
        ax.label_outer()
    plots.legend_above(axes[0], 3)
    return figure


def accuracy_by_alpha(exact: pd.DataFrame) -> Figure:
    """Accuracy under noise, and without it as the dashed line."""
    figure, (ax,) = plots.stacked(1, 3.0)
    noisy = exact.drop(columns="robustness").rename(columns={"right": "robustness"})
    plots.robustness_curves(noisy, ax)
    ax.set_ylabel("accuracy")
    return figure


def gain_by_size(frame: pd.DataFrame) -> Figure:
    """A panel a scoring: the gain of each closing against the gallery's size."""
    figure, axes = plots.stacked(len(SCORING_WORDS), 1.9, sharex=True, sharey=True)
    for ax, (scoring, label) in zip(axes, SCORING_WORDS.items(), strict=True):
        for name in CLOSINGS:
            if name == ORIGINAL:
                continue
            chosen = (frame["scoring"] == scoring) & (frame["closing"] == name)
            part = frame[chosen].sort_values("captions")
            ax.errorbar(
                part["captions"],
                part["gain"],
                2 * part["gain_error"],
                fmt="o-",
                markersize=3.5,
                linewidth=1.2,
                color=plots.closing_color(name),
                label=name,
            )
        ax.axhline(0, color=plots.COLOR["baseline"], linewidth=0.8, zorder=0)
        ax.set(title=label, ylabel="gain", xscale="log")
    sizes = sorted(frame["captions"].unique())
    axes[-1].set_xticks(sizes, [str(size) for size in sizes])
    axes[-1].minorticks_off()
    axes[-1].set_xlabel("captions in the gallery")
    plots.legend_above(axes[0])
    return figure
