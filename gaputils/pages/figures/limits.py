"""What closing gains, with errors: over the size of the gallery, and in same and right answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pandas as pd

from gaputils.pages import SCORING_WORDS
from gaputils.pages.survival import BY_COSINE
from gaputils.plots.report import broken
from gaputils.plots.theme import COLOR, WIDTH, closing_color, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = ("mean shift", "hull projection", "hull projection, centred", "hull projection, scaled")
_MARKERS = dict(zip(_NAMES, "s^Dv", strict=True))


def gains_over_sizes(frame: pd.DataFrame) -> Figure:
    """``gain`` over `items`: a row of panels for each scoring, a column for each `dim`.

    `frame` as from `survival.over_sizes`. Bars are two paired standard errors, the grey line is no
    gain, the dashed one a gallery of as many items as dimensions.
    """
    scorings, dims = (list(dict.fromkeys(frame[name])) for name in ("scoring", "dim"))
    figure, grid = plt.subplots(
        len(scorings),
        len(dims),
        figsize=(WIDTH, 1.9 * len(scorings) + 0.5),
        sharex="col",
        sharey=True,
        squeeze=False,
    )
    figure.align_ylabels()
    for row, scoring in zip(grid, scorings, strict=True):
        for ax, dim in zip(row, dims, strict=True):
            part = frame[(frame["scoring"] == scoring) & (frame["dim"] == dim)]
            _lines(part, ax)
            ax.axvline(dim, color=COLOR["baseline"], linestyle="--", linewidth=1)
            ax.set_title(f"{SCORING_WORDS[scoring]}, {dim} dimensions", fontsize="small")
    for ax in grid[-1]:
        ax.set_xlabel("items in the gallery")
    for ax in grid[:, 0]:
        ax.set_ylabel("gain")
        ax.tick_params("y", labelsize="small")
    legend_above(grid[0, 0])
    return figure


def _lines(frame: pd.DataFrame, ax: Axes) -> None:
    ax.axhline(0, color=COLOR["original"], linewidth=1)
    for name, part in frame[frame["closing"] != "original"].groupby("closing", sort=False):
        ax.errorbar(
            part["items"],
            part["gain"],
            2 * part["gain_error"],
            fmt=f"{_MARKERS[str(name)]}-",
            color=closing_color(str(name)),
            markersize=3.5,
            linewidth=1.2,
            elinewidth=1,
            label=str(name),
        )
    sizes = sorted(frame["items"].unique())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize="small")
    ax.minorticks_off()


def same_and_right(frame: pd.DataFrame, axes: list[Axes]) -> list[Axes]:
    """Gains in the same and in the right answer, a dot a closing, a panel each.

    `frame` as from `compare_blocks`; bars are two paired standard errors.
    """
    names = [name for name in frame["closing"] if name != "original"]
    part = frame.set_index("closing").loc[names]
    titles = {"gain": "gain in unchanged answers", "right_gain": "gain in right answers"}
    for ax, (gain, title) in zip(axes, titles.items(), strict=True):
        for place, (name, row) in enumerate(part.iterrows()):
            ax.errorbar(
                row[gain],
                place,
                xerr=2 * row[f"{gain}_error"],
                fmt="o",
                color=closing_color(str(name)),
            )
        ax.axvline(0, color=COLOR["original"], linewidth=1)
        ax.set_yticks(
            range(len(part)), [broken(str(name)) for name in part.index], fontsize="small"
        )
        ax.set(xlabel=title, ylim=(len(part) - 0.5, -0.5))
    return axes


def decision_bars(frame: pd.DataFrame, ax: Axes) -> Axes:
    """What the advised closing adds to what survives untouched, a bar a row of `decide`.

    Hatched where the advice is no closing but to rank by cosine.
    """
    words = {"few": "≪ d", "as many": "≈ d", "more": "≫ d"}
    colors = [closing_color(str(name)) for name in frame["closing"]]
    plain = closing_color("original")
    other_scoring: dict[str, Any] = {"facecolor": "none", "edgecolor": plain, "hatch": "////"}
    ax.barh(range(len(frame)), frame["start"], color=plain, height=0.7)
    added = ax.barh(
        range(len(frame)),
        frame["gain"],
        left=frame["start"],
        xerr=2 * frame["gain_error"],
        color=colors,
        height=0.7,
        error_kw={"elinewidth": 1},
    )
    for bar, name in zip(added, frame["closing"], strict=True):
        if name == BY_COSINE:
            bar.set(**other_scoring)
    names = [
        f"{SCORING_WORDS[scoring]}, {size} items {words[items][0]} {dim}"
        for scoring, size, items, dim in zip(
            *(frame[column] for column in ("scoring", "size", "items", "dim")), strict=True
        )
    ]
    ax.set_yticks(range(len(frame)), names, fontsize="small")
    ax.set(xlim=(0, 1), ylim=(len(frame) - 0.5, -0.5), xlabel="share of answers that survive")
    for name in dict.fromkeys(["original", *frame["closing"]]):
        style = other_scoring if name == BY_COSINE else {"color": closing_color(str(name))}
        ax.barh([-9], [0], label=str(name), **style)
    return ax


def bands(frame: pd.DataFrame) -> Figure:
    """Unchanged and right answers under noise, a row a closing, a panel for each `band`.

    `frame` as from `all_methods.beside`. Filled: unchanged; hollow: right; bars are one standard
    error of the gain over the original, whose own values are the vertical lines.
    """
    original = frame.loc["original"]
    groups = frame[frame["band"] != ""].groupby("band", sort=False)
    ratios = {"height_ratios": groups.size().to_list()}
    figure, axes = plt.subplots(
        len(groups), 1, figsize=(WIDTH, 6.4), sharex=True, gridspec_kw=ratios
    )
    for ax, (band, part) in zip(axes, groups, strict=True):
        shown = (
            ("robustness", "gain", "full", "unchanged"),
            ("right", "right_gain", "none", "right"),
        )
        for measure, gain, fill, label in shown:
            ax.axvline(original[measure], color=COLOR["original"], linewidth=0.9, zorder=0)
            for place, (name, row) in enumerate(part.iterrows()):
                ax.errorbar(
                    row[measure],
                    place,
                    xerr=row[f"{gain}_error"],
                    fmt="o",
                    fillstyle=fill,
                    color=closing_color(str(name)),
                    label=f"{label} under noise" if not place else None,
                )
        ax.set_yticks(range(len(part)), [broken(str(name)) for name in part.index])
        ax.tick_params(axis="y", labelsize="small")
        ax.set(ylim=(len(part) - 0.5, -0.5))
        ax.set_title(str(band), fontsize="small", loc="left")
    axes[-1].set_xlabel("share of answers")
    legend_above(axes[0])
    return figure
