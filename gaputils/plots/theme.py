"""One visual language for every figure: a colour for each thing, kept over all pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colour-blind safe palette, a colour for each closing that is drawn.
CLOSING_COLOR: dict[str, str] = {
    "original": "#666666",
    "naive shift": "#000000",
    "naive shift, renormalised": "#D55E00",
    "mean shift": "#56B4E9",
    "mean shift, renormalised": "#0072B2",
    "hull projection": "#009E73",
    "hull projection, scaled": "#CC79A7",
    "hull projection, centred": "#E69F00",
    "hull projection, oblique": "#661100",
    "hull coordinates": "#8A6D00",
    "standardising (I0T)": "#6A3D9A",
    "GR-CLIP": "#999933",
    "mixed gallery": "#882255",
}
COLOR: dict[str, str] = {
    "image": "#0072B2",
    "text": "#D55E00",
    "gap": "#000000",
    "original": CLOSING_COLOR["original"],
    "shift": CLOSING_COLOR["mean shift"],
    "projection": CLOSING_COLOR["hull projection"],
    "scaled": CLOSING_COLOR["hull projection, scaled"],
    "centered": CLOSING_COLOR["hull projection, centred"],
    "baseline": "#999999",
}
TASK_COLORS = ("#332288", "#AA4499", "#999999")
"""Of tasks and of sets of data drawn beside each other: of no modality and of no closing."""
SEQUENTIAL = "viridis"
DIVERGING = "vlag"
WIDTH = 5.2


def closing_color(name: str) -> str:
    """The colour of the closing `name`, the baseline's for those without one of their own."""
    return CLOSING_COLOR.get(name, COLOR["baseline"])


def ink(color: str) -> str:
    """`color` darkened until text in it has a contrast of 4.5 with white (WCAG 2.1, 1.4.3)."""
    red, green, blue = mpl.colors.to_rgb(color)
    for darker in np.linspace(1, 0, 101):
        shade = red * darker, green * darker, blue * darker
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        if 1.05 / (luminance + 0.05) >= 4.5:
            break
    return mpl.colors.to_hex(shade)


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


def require_columns(name: str, value: Any, columns: Sequence[str], source: str) -> None:
    """Raise `TypeError` unless `value` is a table with these `columns`, which `source` returns."""
    there = list(value) if isinstance(value, pd.DataFrame) else type(value).__name__
    if not isinstance(value, pd.DataFrame) or not set(columns) <= set(there):
        raise TypeError(
            f"{name}: expected the table that {source} returns, with {', '.join(columns)}; "
            f"got {there}"
        )


def stacked(count: int, height: float = 2.5, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels one above the other, each `height` inches high.

    Panels side by side would be too small to read on a phone. `options` go to `plt.subplots`.
    """
    figure, axes = plt.subplots(count, 1, figsize=(WIDTH, height * count), **options)
    figure.align_ylabels()
    return figure, list(np.atleast_1d(axes))


def legend_above(ax: Axes, columns: int = 2) -> None:
    """Move the legend of `ax` above the whole figure, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    ax.figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize="small")
