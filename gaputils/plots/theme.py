"""One visual language for every figure: a colour for each thing, kept over all pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colour-blind safe palette.
COLOR: dict[str, str] = {
    "image": "#0072B2",
    "text": "#D55E00",
    "gap": "#000000",
    "original": "#666666",
    "shift": "#56B4E9",
    "projection": "#009E73",
    "scaled": "#CC79A7",
    "centered": "#E69F00",
    "baseline": "#999999",
}
SEQUENTIAL = "viridis"
DIVERGING = "vlag"
WIDTH = 5.2


def set_theme() -> None:
    """Seaborn's ticks style with the book's fonts, sizes and colours; sharp on dense screens."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"],
        rc={
            "figure.figsize": (WIDTH, 3.4),
            "figure.dpi": 200,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.grid": True,
            "grid.alpha": 0.35,
            "legend.frameon": False,
            "font.size": 11,
            "animation.html": "jshtml",
        },
    )
    mpl.rcParams["image.cmap"] = SEQUENTIAL


def stacked(count: int, height: float = 2.5, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels one above the other, each `height` inches high.

    Panels side by side would be too small to read on a phone. `options` go to `plt.subplots`.
    """
    figure, axes = plt.subplots(count, 1, figsize=(WIDTH, height * count), **options)
    return figure, list(np.atleast_1d(axes))


def legend_above(ax: Axes, columns: int = 2) -> None:
    """Move the legend of `ax` above the whole figure, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    ax.figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize="small")
