"""Figures of the page on mixed galleries: scores by kind, ways with errors, lines over sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gaputils.plots.theme import CLOSING_COLOR, COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAY_COLOR: dict[str, str] = {
    "cosine": COLOR["original"],
    "naive shift": COLOR["gap"],
    "GR-CLIP": CLOSING_COLOR["GR-CLIP"],
    "mixed gallery": CLOSING_COLOR["mixed gallery"],
    "pictures searched alone": COLOR["image"],
}


def score_histogram(samples: pd.DataFrame, ax: Axes, legend: bool = True) -> Axes:
    """Densities of the column "score", one outline for each value of "pair"."""
    bins = np.histogram_bin_edges(samples["score"], bins=80)
    for pair, part in samples.groupby("pair", sort=True):
        kind = str(pair)
        color = COLOR["text"] if "text" in kind else COLOR["image"]
        own = kind.startswith("its own")
        ax.hist(
            part["score"],
            bins=list(bins),
            density=True,
            histtype="step" if own else "stepfilled",
            linewidth=1.6 if own else 0,
            alpha=1 if own else 0.45,
            color="black" if own else color,
            label=kind,
        )
    ax.set(ylabel="density", yticks=[])
    if legend:
        ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def way_dots(table: pd.DataFrame, value: str, ax: Axes, label: str = "") -> Axes:
    """A row a way: `value` with its standard error, as `summary` has them."""
    for row, (way, line) in enumerate(table.iterrows()):
        color = WAY_COLOR.get(str(way), COLOR["baseline"])
        ax.errorbar(line[value], row, xerr=line[f"{value} error"], fmt="o", color=color, capsize=2)
    ax.set(yticks=range(len(table)), ylim=(len(table) - 0.5, -0.5), xlabel=label or value)
    ax.set_yticklabels(table.index, fontsize="small")
    return ax


def size_lines(table: pd.DataFrame, size: str, value: str, ax: Axes) -> Axes:
    """`value` with its standard error against `size`, a line for each value of "way"."""
    for way, part in table.groupby("way", sort=False):
        color = WAY_COLOR.get(str(way), COLOR["baseline"])
        error = part[f"{value} error"]
        ax.errorbar(part[size], part[value], yerr=error, fmt="o-", color=color, label=str(way))
    ticks = sorted(table[size].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(ylim=(-0.03, 1.03))
    return ax
