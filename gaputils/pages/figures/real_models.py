"""Figures of the gap of real models."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gaputils.plots.clouds import SIDE_COLOR
from gaputils.plots.theme import WIDTH, legend_above


def clouds_grid(frame: pd.DataFrame, columns: int = 3) -> Figure:
    """Small multiples of the first two principal components, one panel for each `model`.

    `frame` stacks what `principal_coordinates` returns, with a column `model`.
    """
    models = list(dict.fromkeys(frame["model"]))
    height = -(-len(models) // columns)
    figure, axes = plt.subplots(
        height, columns, figsize=(WIDTH, 0.86 * WIDTH / columns * height), squeeze=False
    )
    for ax, model in zip(axes.flat, models, strict=False):
        part = frame[frame["model"] == model]
        for side, points in part.groupby("side"):
            ax.scatter(
                points["pc1"],
                points["pc2"],
                s=5,
                alpha=0.6,
                linewidths=0,
                color=SIDE_COLOR[str(side)],
                label="images" if side == "queries" else "texts",
            )
        ax.set_title(str(model).replace(", ", "\n", 1), size="x-small")
        ax.margins(0.12)
        ax.set_aspect("equal", adjustable="datalim")
        ax.tick_params(labelsize="x-small")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(2))
    for ax in axes.flat[len(models) :]:
        ax.set_axis_off()
    legend_above(axes.flat[0])
    for legend in figure.legends:
        for handle in filter(None, legend.legend_handles):
            handle.set(sizes=[24], alpha=1)
    figure.supxlabel("PC 1", size="small")
    figure.supylabel("PC 2", size="small")
    return figure


def variance_shares(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The share of variance along the gap beside its baselines, on a log axis.

    `frame` has columns `model`, `side`, `direction` ("gap", "random", "leading") and `share`.
    """
    if ax is None:
        models = frame["model"].nunique()
        _, ax = plt.subplots(figsize=(WIDTH, 1.4 + 0.42 * models))
    shapes = {"gap": "D", "random": "|", "leading": "o"}
    order = list(dict.fromkeys(frame["model"]))
    for (direction, side), part in frame.groupby(["direction", "side"], sort=False):
        style: dict[str, Any] = {"color": SIDE_COLOR[str(side)], "s": 34}
        if direction == "random":
            style["s"] = 90
        if direction == "leading":
            style = {"facecolors": "none", "edgecolors": style["color"], "s": 34}
        height = part["model"].map(order.index) + (-0.14 if side == "queries" else 0.14)
        ax.scatter(part["share"], height, marker=shapes[str(direction)], zorder=3, **style)
    handles = [
        Line2D([], [], ls="", marker=shapes[name], color="0.3", mfc=fill, label=text)
        for name, fill, text in (
            ("gap", "0.3", "along the gap"),
            ("random", "0.3", "random direction (median)"),
            ("leading", "none", "leading component"),
        )
    ]
    handles += [
        Line2D([], [], ls="", marker="s", color=SIDE_COLOR[side], label=text)
        for side, text in (("queries", "images"), ("gallery", "texts"))
    ]
    ax.legend(
        handles=handles, ncols=2, loc="lower center", bbox_to_anchor=(0.4, 1.0), fontsize="small"
    )
    ax.set_xscale("log")
    ax.set_yticks(range(len(order)), order)
    ax.invert_yaxis()
    ax.set_xlabel("share of the side's variance")
    return ax
