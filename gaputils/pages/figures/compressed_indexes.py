"""Compressed indexes: what each keeps, how many candidates it needs, and the gallery's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd

from gaputils.plots.theme import COLOR, TASK_COLORS, WIDTH, closing_color, legend_above, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {
    "original": "o",
    "mean shift": "s",
    "hull projection": "^",
    "hull projection, centred": "D",
    "hull projection, scaled": "v",
}
_TITLES = {"inner-product": "inner product", "euclidean": "Euclidean distance"}


def index_dots(frame: pd.DataFrame) -> Figure:
    """What each index finds alone, a mark a closing, and hollow what the untouched rows find when
    ten candidates are reranked; a panel for each scoring.

    `frame` as from `compare_indexes`. Bars are one standard error.
    """
    scorings = list(dict.fromkeys(frame["scoring"]))
    counts = [frame.loc[frame["scoring"] == name, "index"].nunique() for name in scorings]
    figure, axes = plt.subplots(
        len(scorings),
        1,
        figsize=(WIDTH, 0.42 * sum(counts) + 1.6),
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": counts},
    )
    for ax, scoring in zip(axes[:, 0], scorings, strict=True):
        part = frame[frame["scoring"] == scoring]
        places = {name: place for place, name in enumerate(dict.fromkeys(part["index"]))}
        _reranked(part, places, ax)
        for number, (name, marker) in enumerate(_MARKERS.items()):
            alone = part[(part["closing"] == name) & (part["candidates"] == 1)]
            ax.errorbar(
                alone["found"],
                alone["index"].map(places) + 0.13 * (number - 2),
                xerr=alone["found_error"],
                fmt=marker,
                color=closing_color(name),
                markersize=4,
                elinewidth=0.8,
                label=name,
            )
        ax.set_yticks(list(places.values()), list(places), fontsize="small")
        ax.set(ylim=(len(places) - 0.5, -0.5), title=_TITLES[scoring])
    axes[-1, 0].set_xlabel("share of the floats' answers found first")
    legend_above(axes[0, 0])
    return figure


def _reranked(part: pd.DataFrame, places: dict[str, int], ax: Axes) -> None:
    ten = part[(part["closing"] == "original") & (part["candidates"] == 10)]
    ax.plot(
        ten["found"],
        ten["index"].map(places),
        "o",
        markersize=9,
        fillstyle="none",
        color=closing_color("original"),
        label="original, 10 reranked",
    )


def candidate_lines(frame: pd.DataFrame) -> Figure:
    """The share of answers among the first candidates of an index, a panel an index.

    `frame` as from `compare_indexes`, of one scoring. Bars are two standard errors.
    """
    indexes = list(dict.fromkeys(frame["index"]))
    figure, axes = stacked(len(indexes), 1.9, sharex=True, sharey=True)
    for ax, index in zip(axes, indexes, strict=True):
        part = frame[frame["index"] == index]
        for name, line in part.groupby("closing", sort=False):
            _line(line, "candidates", "found", ax, str(name))
        ax.set(title=index, ylabel="answers found", xscale="log")
    _ticks(axes[-1], frame["candidates"])
    axes[-1].set_xlabel("candidates reranked with stored floats (1: the index alone)")
    legend_above(axes[0])
    return figure


def size_lines(frame: pd.DataFrame) -> Figure:
    """``gain`` of the projected and centred rows over the gallery's size, a panel an index.

    `frame` as from `gains_over_sizes`; a line a set, whose dashed line has as many items as
    dimensions. Bars are two paired standard errors.
    """
    indexes = list(dict.fromkeys(frame["index"]))
    figure, axes = stacked(len(indexes), 1.9, sharex=True)
    colors = dict(zip(dict.fromkeys(frame["set"]), TASK_COLORS, strict=False))
    moved = frame[frame["closing"] != "original"]
    for ax, index in zip(axes, indexes, strict=True):
        ax.axhline(0, color=COLOR["original"], linewidth=1)
        for name, line in moved[moved["index"] == index].groupby("set", sort=False):
            _line(line, "items", "gain", ax, str(name), color=colors[str(name)])
            dim = float(line["dim"].iloc[0])
            ax.axvline(dim, color=colors[str(name)], linestyle="--", linewidth=1)
        ax.set(title=index, ylabel="gain", xscale="log")
    _ticks(axes[-1], frame["items"])
    axes[-1].set_xlabel("items in the gallery")
    legend_above(axes[0])
    return figure


def _line(
    line: pd.DataFrame,
    x: str,
    y: str,
    ax: Axes,
    name: str,
    *,
    color: str | None = None,
) -> None:
    ax.errorbar(
        line[x],
        line[y],
        2 * line[f"{y}_error"],
        fmt=f"{_MARKERS.get(name, 'o')}-",
        color=color or closing_color(name),
        markersize=3.5,
        linewidth=1.2,
        elinewidth=0.9,
        label=name,
    )


def _ticks(ax: Axes, values: pd.Series) -> None:
    ticks = sorted(values.unique())
    ax.set_xticks(ticks, [f"{value:g}" for value in ticks])
    ax.minorticks_off()
