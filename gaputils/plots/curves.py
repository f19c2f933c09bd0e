"""Robustness and clean accuracy along a closing method's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import seaborn as sns

from gaputils.plots.theme import COLOR, require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def robustness_curves(
    frame: pd.DataFrame, ax: Axes, points: pd.DataFrame | None = None, legend: bool = True
) -> Axes:
    """Robustness against alpha, a line per noise variance; accuracy, where given, in grey.

    `frame` and `points` as from `gaputils.robustness_curve`; `points` (Monte Carlo) are drawn on
    top with twice their standard error.
    """
    columns, source = ("alpha", "variance", "robustness"), "gaputils.robustness_curve"
    require_columns("frame", frame, columns, source)
    if points is not None:
        require_columns("points", points, (*columns, "standard_error"), source)
    shades = sns.color_palette("crest", frame["variance"].nunique()).as_hex()
    colors = dict(zip(sorted(frame["variance"].unique()), shades, strict=True))
    for variance, part in frame.groupby("variance"):
        label = f"σ² = {variance:g}" if legend else None
        ax.plot(part["alpha"], part["robustness"], color=colors[variance], label=label)
        if points is not None:
            drawn = points[points["variance"] == variance]
            ax.errorbar(
                drawn["alpha"],
                drawn["robustness"],
                2 * drawn["standard_error"],
                fmt="o",
                markersize=3.5,
                color=colors[variance],
                label=None,
            )
    if "accuracy" in frame:
        clean = frame.drop_duplicates("alpha")
        label = "clean accuracy" if legend else None
        ax.plot(clean["alpha"], clean["accuracy"], "--", color=COLOR["original"], label=label)
    ax.axvline(1, color=COLOR["baseline"], linewidth=0.8, zorder=0)
    ax.set(xlabel="α  (0: original, 1: closed)", ylabel="robustness")
    if legend:
        ax.legend(fontsize="small")
    return ax
