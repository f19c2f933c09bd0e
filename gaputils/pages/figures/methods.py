"""Closings in figures: dots a closing, lines along a sweep, and an image that flips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns

from gaputils.pages import SCORING_WORDS
from gaputils.plots.report import broken
from gaputils.plots.theme import TASK_COLORS, closing_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORING_COLOR: dict[str, str] = {
    "cosine": "#CC6677",
    "inner-product": "#44AA99",
    "euclidean": "#3B4A66",
}
"""Of scorings, which stand in rows of closings: of no closing, no modality and no task."""
SCORING_MARKER: dict[str, str] = {"euclidean": "o", "inner-product": "s", "cosine": "D"}


def closing_dots(
    frame: pd.DataFrame, value: str, ax: Axes, label: str = "", legend: bool = True
) -> Axes:
    """A row a closing, a dot a scoring; the original's values go down as thin lines.

    `frame` has the columns "closing", "scoring" and `value`; with `value` + "_error" each dot has
    a bar of one standard error.
    """
    order = list(dict.fromkeys(frame["closing"]))
    place = {name: row for row, name in enumerate(order)}
    offsets = dict(zip(SCORING_COLOR, (-0.22, 0.0, 0.22), strict=True))
    found = dict(list(frame.groupby("scoring")))
    for name in [scoring for scoring in SCORING_COLOR if scoring in found]:
        part = found[name]
        words = SCORING_WORDS[name] if legend else None
        style: dict[str, Any] = {"color": SCORING_COLOR[name], "label": words}
        errors = part.get(f"{value}_error")
        rows = part["closing"].map(place) + offsets[name]
        ax.errorbar(part[value], rows, xerr=errors, fmt=SCORING_MARKER[name], markersize=5, **style)
        original = part.loc[part["closing"] == "original", value]
        if len(original):
            ax.axvline(float(original.iloc[0]), color=SCORING_COLOR[name], linewidth=0.8, alpha=0.6)
    ax.set(yticks=range(len(order)), ylim=(len(order) - 0.5, -0.5), xlabel=label or value)
    ax.set_yticklabels([broken(name) for name in order], fontsize="small")
    if legend:
        ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def closing_lines(
    frame: pd.DataFrame,
    x: str,
    y: str,
    ax: Axes,
    *,
    scale: str = "linear",
    own_ticks: bool = False,
    label: str = "",
    legend: bool = True,
) -> Axes:
    """`y` over `x`, a line a "closing" in its colour, with bars of one standard error if known.

    `scale` is that of the horizontal axis, whose ticks with `own_ticks` are the values of `x`.
    """
    for name, part in frame.groupby("closing", sort=False):
        style: dict[str, Any] = {"color": closing_color(str(name))}
        errors = part.get(f"{y}_error")
        ax.errorbar(part[x], part[y], errors, fmt="o-", markersize=3.5, label=str(name), **style)
    ax.set(xlabel=label or x, ylabel=y, xscale=scale)
    if own_ticks:
        ticks = sorted(frame[x].unique())
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    if legend:
        ax.legend(fontsize="small")
    return ax


def template_dots(frame: pd.DataFrame, value: str, ax: Axes, legend: bool = True) -> Axes:
    """A row a closing, a dot a caption template, seen and unseen in training by colour.

    `frame` has the columns "closing", "template", "kind" and `value`; a bar marks each mean.
    """
    palette = dict(zip(("seen", "unseen"), TASK_COLORS, strict=False))
    sns.stripplot(
        frame,
        x=value,
        y="closing",
        hue="kind",
        palette=palette,
        dodge=True,
        jitter=False,
        size=4,
        alpha=0.5,
        legend=legend,
        ax=ax,
    )
    for row, (_, part) in enumerate(frame.groupby("closing", sort=False)):
        mean = float(part[value].mean())
        ax.plot([mean, mean], [row - 0.38, row + 0.38], color="black", linewidth=1.6)
    names = list(dict.fromkeys(frame["closing"]))
    ax.set_yticks(range(len(names)), [broken(name) for name in names], fontsize="small")
    ax.set(ylabel="", xlabel=value)
    if legend:
        sns.move_legend(ax, "lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, title=None)
    return ax


def answers(pixels: Any, captions: Sequence[str], ax: Axes) -> Axes:
    """An image (3, height, width) of bytes with lines of text beneath."""
    ax.imshow(np.moveaxis(np.asarray(pixels), 0, -1), interpolation="nearest")
    ax.set_axis_off()
    text = "\n".join(captions)
    ax.text(0.5, -0.06, text, transform=ax.transAxes, ha="center", va="top", fontsize="small")
    return ax
