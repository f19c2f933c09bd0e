"""The exact engine in figures: its errors, its time beside sampling, and its bounds from pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import seaborn as sns
from matplotlib.patheffects import withStroke

from gaputils.pages import SCORING_WORDS
from gaputils.pages.figures.methods import SCORING_COLOR
from gaputils.plots.theme import COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def error_over_time(sampled: pd.DataFrame, seconds: float, error: float, ax: Axes) -> Axes:
    """The sampling "error" and "standard_error" over "seconds", on log axes; the exact engine's
    `error` at its `seconds` as a star.
    """
    shown = sampled["error"].clip(lower=1e-7)
    ax.plot(sampled["seconds"], sampled["standard_error"], color=COLOR["original"], linewidth=1)
    ax.plot(sampled["seconds"], shown, "o", color=COLOR["text"], label="Monte Carlo")
    ax.plot(seconds, error, "*", color=COLOR["projection"], markersize=13, label="exact")
    for draws, x, y in zip(sampled["draws"], sampled["seconds"], shown, strict=True):
        ax.annotate(
            f"{draws:,}",
            (x, y),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize="small",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    ax.set(xscale="log", yscale="log", xlabel="seconds", ylabel="error of the robustness")
    ax.margins(x=0.12, y=0.1)
    ax.legend(fontsize="small", loc="lower right")
    return ax


def errors_by_dimension(frame: pd.DataFrame, bound: float, ax: Axes) -> Axes:
    """Each case's absolute "error" (log axis) over "dim", by "scoring"; the `bound` as a line."""
    drawn = frame.assign(error=frame["error"].clip(lower=1e-9))
    sns.stripplot(
        drawn,
        x="dim",
        y="error",
        hue="scoring",
        hue_order=list(SCORING_COLOR),
        palette=SCORING_COLOR,
        dodge=True,
        size=3,
        alpha=0.6,
        ax=ax,
    )
    ax.axhline(bound, color=COLOR["text"], linewidth=1, linestyle="--", label="promised bound")
    ax.set(yscale="log", xlabel="dimension", ylabel="absolute error")
    for text in ax.legend(
        fontsize="x-small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4
    ).get_texts():
        text.set_text(SCORING_WORDS.get(text.get_text(), text.get_text()))
    return ax


def between_bounds(frame: pd.DataFrame, ax: Axes) -> Axes:
    """The mean "exact" robustness over "variance" (log axis) in the band of its bounds."""
    color = COLOR["image"]
    x = frame["variance"]
    ax.fill_between(x, frame["lower"], frame["upper"], color=color, alpha=0.2, linewidth=0)
    ax.plot(x, frame["upper"], color=color, linewidth=0.8, label="least of the pairs")
    ax.plot(x, frame["exact"], "o-", color=COLOR["gap"], markersize=3, label="exact")
    ax.plot(x, frame["lower"], "--", color=color, linewidth=0.8, label="product of the pairs")
    ax.set(xscale="log", xlabel="total noise variance", ylabel="robustness", ylim=(0, 1.02))
    ax.legend(fontsize="small", loc="lower left")
    return ax
