"""What clusters are made of, and what each closing adds to groups and transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaputils.plots.report import broken
from gaputils.plots.theme import COLOR, TASK_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "osD^"


def cluster_bars(clusters: NDArray[Any], images: int, ax: Axes) -> Axes:
    """How many images, upwards, and texts, downwards, each cluster has; the first rows of
    `clusters` are those of the `images`.
    """
    count = int(clusters.max()) + 1
    up = np.bincount(clusters[:images], minlength=count)
    down = np.bincount(clusters[images:], minlength=count)
    order = np.argsort(down - up, kind="stable")
    places = np.arange(1, count + 1)
    ax.bar(places, up[order], color=COLOR["image"], label="images")
    ax.bar(places, -down[order], color=COLOR["text"], label="texts")
    ax.axhline(0, color="black", linewidth=0.8)
    most = max(1.1 * max(up.max(), down.max()), ax.get_ylim()[1])  # also of a panel it shares
    ax.set(ylim=(-most, most), ylabel="rows")
    ax.set_xticks(places)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    return ax


def over_closed(frames: Mapping[str, pd.DataFrame], measure: str, ax: Axes) -> Axes:
    """`measure` over the share of the gap that is closed, a line for each of `frames`, which are as
    from `groups.over_gap`; bars are the errors of the gains.
    """
    for (name, frame), marker, color in zip(frames.items(), _MARKERS, TASK_COLORS, strict=False):
        ax.errorbar(
            frame.index,
            frame[measure],
            frame[f"{measure}_gain_error"],
            fmt=f"{marker}-",
            color=color,
            label=name,
            markersize=4,
        )
    ax.set(ylim=(0, 1.05))
    return ax


def way_gains(frames: Mapping[str, pd.DataFrame], measure: str, ax: Axes) -> Axes:
    """Gains in `measure` over the untouched rows with their errors, a row a way, a marker for each
    of `frames`, which are as from `groups.summary`.
    """
    names: Sequence[str] = [str(name) for name in next(iter(frames.values())).index[1:]]
    offsets = np.linspace(-0.15, 0.15, len(frames))
    for (title, frame), marker, color, offset in zip(
        frames.items(), _MARKERS, TASK_COLORS, offsets, strict=False
    ):
        part = frame.loc[list(names)]
        ax.errorbar(
            part[f"{measure}_gain"],
            np.arange(len(names)) + offset,
            xerr=part[f"{measure}_gain_error"],
            fmt=marker,
            color=color,
            label=title,
            markersize=4,
        )
    ax.axvline(0, color=COLOR["original"], linewidth=1)
    ax.set_yticks(range(len(names)), [broken(name) for name in names], fontsize="small")
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax
