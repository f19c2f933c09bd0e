"""Figures of exact robustness, hull projection, trade-offs and vector indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns

from gaputils.plots.theme import COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE_COLOR: dict[str, str] = {
    "original": COLOR["original"],
    "mean shift": COLOR["shift"],
    "hull projection": COLOR["projection"],
    "scaled": COLOR["scaled"],
    "hull coordinates": COLOR["centered"],
}
PART_COLOR: dict[str, str] = {
    "within the hull": COLOR["image"],
    "mean offset (the gap)": COLOR["gap"],
    "own offset": COLOR["baseline"],
}


def errors_by_dimension(frame: pd.DataFrame, bound: float, ax: Axes) -> Axes:
    """Each query's absolute "error" (log axis) over "dim", and the promised `bound` as a line."""
    drawn = frame.assign(error=frame["error"].clip(lower=1e-9))
    sns.stripplot(
        drawn,
        x="dim",
        y="error",
        color=COLOR["projection"],
        size=3.5,
        alpha=0.6,
        ax=ax,
        jitter=0.25,
    )
    ax.axhline(bound, color=COLOR["text"], linewidth=1, linestyle="--", label="promised bound")
    ax.set(yscale="log", xlabel="dimension", ylabel="absolute error")
    ax.legend(fontsize="small", loc="lower right")
    return ax


def shrinking_error(frame: pd.DataFrame, ax: Axes) -> Axes:
    """The sampling "error" and its "standard_error" over "draws", on log axes."""
    ax.plot(frame["draws"], frame["error"].clip(lower=1e-7), "o", color=COLOR["projection"])
    ax.plot(
        frame["draws"], frame["standard_error"], color=COLOR["original"], label="standard error"
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="Monte-Carlo draws",
        ylabel="|Monte Carlo − exact|",
    )
    ax.legend(fontsize="small")
    return ax


def method_lines_over(
    frame: pd.DataFrame, x: str, y: str, ax: Axes, *, log: bool = False, label: str = ""
) -> Axes:
    """`y` over `x`, a line a "method" in its colour; with `log` a logarithmic horizontal axis."""
    for name, part in frame.groupby("method", sort=False):
        color = LINE_COLOR.get(str(name))
        ax.plot(part[x], part[y], "o-", markersize=3.5, color=color, label=name)
    ax.set(xlabel=label or x, ylabel=y, xscale="log" if log else "linear")
    ax.legend(fontsize="small")
    return ax


def robustness_over_radius(frame: pd.DataFrame, levels: dict[str, float], ax: Axes) -> Axes:
    """ "robustness" over "radius", and each of the named `levels` as a horizontal line."""
    ax.plot(frame["radius"], frame["robustness"], color=COLOR["scaled"], label="at this radius")
    styles = ("-", "--", ":", "-.")
    for (name, value), style in zip(levels.items(), styles, strict=False):
        color = LINE_COLOR.get(name, COLOR["gap"])
        ax.axhline(value, color=color, linestyle=style, linewidth=1.3, label=name)
    ax.set(xscale="log", xlabel="radius (circumradii)", ylabel="robustness")
    return ax


def stacked_parts(frame: pd.DataFrame, ax: Axes) -> Axes:
    """A bar a row of `frame`, its columns' values stacked."""
    bottom = np.zeros(len(frame))
    for name in frame.columns:
        values = frame[name].to_numpy()
        color = PART_COLOR.get(str(name))
        ax.bar(frame.index.astype(str), values, bottom=bottom, color=color, label=name, width=0.6)
        bottom += values
    ax.set(xlabel=frame.index.name or "", ylabel="mean squared distance")
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def index_recall(frame: pd.DataFrame, value: str, axes: Sequence[Axes]) -> Sequence[Axes]:
    """`value` of each "index", a line for each kind of "vectors", an axis for each "metric"."""
    for ax, (metric, part) in zip(axes, frame.groupby("metric", sort=False), strict=True):
        for name, line in part.groupby("vectors", sort=False):
            color = LINE_COLOR.get(str(name))
            ax.plot(line["index"], line[value], "o-", color=color, markersize=4, label=name)
        ax.set(title=str(metric), xlabel="index", ylabel=value)
        ax.label_outer()
    axes[-1].legend(fontsize="small", loc="lower left")
    return axes
