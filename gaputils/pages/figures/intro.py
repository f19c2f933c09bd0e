"""The book's opening figure: two clouds, one answer that flips, and what closing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from gaputils.plots.report import broken
from gaputils.plots.theme import COLOR, closing_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def two_clouds(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Images and texts on the first two of `principal_coordinates`, labelled where they lie."""
    for side, name, color in (
        ("queries", "images", COLOR["image"]),
        ("gallery", "texts", COLOR["text"]),
    ):
        part = frame[frame["side"] == side]
        ax.scatter(part["pc1"], part["pc2"], s=4, alpha=0.5, linewidths=0, color=color)
        place = part["pc1"].mean(), part["pc2"].max()
        ax.annotate(name, place, (0, 5), textcoords="offset points", ha="center", color=color)
    ax.set(xlabel="PC 1", ylabel="PC 2", xticks=[], yticks=[])
    ax.margins(0.12, 0.16)
    return ax


def survival_bars(survival: pd.Series[float], ax: Axes) -> Axes:
    """A bar a closing, coloured as everywhere in the book, with its value."""
    names = [str(name) for name in survival.index]
    colors = [closing_color(name) for name in names]
    bars = ax.barh(
        [broken(name, 12) for name in names], survival.to_numpy(), color=colors, height=0.7
    )
    ax.bar_label(bars, fmt="%.2f", padding=2, fontsize="small")
    ax.invert_yaxis()
    ax.set_xlim(0, 1.18)
    ax.set_xticks([0, 0.5, 1])
    ax.grid(visible=False)
    ax.tick_params(axis="y", length=0)
    return ax
