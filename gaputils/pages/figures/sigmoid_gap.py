"""Figures of the page on the sigmoid's gap."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gaputils.pages.figures.theory import bands, points_over
from gaputils.pages.sigmoid_gap import FIXED, SOFTMAX, TRAINED
from gaputils.plots.theme import COLOR

LOSS_COLOR: dict[str, str] = {
    SOFTMAX: COLOR["original"],
    FIXED: COLOR["projection"],
    TRAINED: COLOR["scaled"],
    "sigmoid": COLOR["projection"],
}
RATE_COLOR = ("#56B4E9", "#0072B2", "#000000")


def where_it_ends(table: pd.DataFrame, ax: Axes) -> Axes:
    """The gap after training over the gap at the start, one curve a loss; dotted, no change."""
    for loss, part in table.groupby("loss", sort=False):
        bands(part, "start", "gap", ax, color=LOSS_COLOR[str(loss)], marker="o", label=loss)
    ax.axline((0, 0), slope=1, color=COLOR["baseline"], linestyle=":", zorder=0)
    ax.set(xlabel="gap at the start", ylabel="gap after training", ylim=(0, None))
    return ax


def paths(table: pd.DataFrame, ax: Axes) -> Axes:
    """The first run's gap over its bias at each rate, on a log axis; dashed, as predicted."""
    first = table[table["run"] == 0]
    for (rate, part), color in zip(first.groupby("rate"), RATE_COLOR, strict=True):
        ax.plot(part["bias"], part["predicted"], "--", color=color, linewidth=1)
        ax.plot(part["bias"], part["gap"], "o", color=color, markersize=3.5, label=f"r = {rate:g}")
    ax.set(xlabel="bias", ylabel="gap", yscale="log")
    ax.legend(title="rate of the bias")
    return ax


def growth(table: pd.DataFrame, ax: Axes) -> Axes:
    """Growth of the sums along the gap over the squared gap, a line a loss; dashed, predicted."""
    for loss, part in table.groupby("loss", sort=False):
        color = LOSS_COLOR[str(loss)]
        line = part.groupby("ratio")["predicted"].first()
        ax.plot(line.index, line, "--", color="black", linewidth=1, zorder=0)
        points_over(part, "ratio", "growth", ax, fmt="o", color=color, label=str(loss))
    ax.axhline(0, color=COLOR["baseline"], linewidth=0.8)
    ax.set(xlabel="squared gap over temperature", ylabel="growth of the sums (no gap: 1)")
    ax.legend()
    return ax
