"""One visual language for every figure: a colour for each thing, kept over all pages."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

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
WIDTH = 6.4


def set_theme() -> None:
    """Seaborn's ticks style with the book's fonts, sizes and colours; sharp on dense screens."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"],
        rc={
            "figure.figsize": (WIDTH, 3.6),
            "figure.dpi": 130,
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
