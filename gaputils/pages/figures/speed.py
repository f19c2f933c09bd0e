"""Figures of timings: ratios with their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gaputils.plots.theme import COLOR, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def time_ratios(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A point for each row's "ratio" with a bar from "ratio_low" to "ratio_high", log axis.

    The index holds what was timed and what it was compared with. One colour is of what takes
    longer, one of what is faster, and grey of bars that hold one.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(frame) + 0.9))
    places = np.arange(len(frame))
    ratio, low, high = (frame[name].to_numpy() for name in ("ratio", "ratio_low", "ratio_high"))
    colors = np.select([low > 1, high < 1], ["projection", "text"], "original")
    for kind in ("projection", "text", "original"):
        which, color = colors == kind, COLOR[kind]
        ax.hlines(places[which], low[which], high[which], color=color, linewidth=3)
        ax.plot(ratio[which], places[which], "o", color=color)
    ax.axvline(1, color=COLOR["original"], linewidth=1)
    ax.set(xscale="log", xlabel="times as long as the package")
    ax.xaxis.set_major_formatter("{x:g}")
    if low.min() > 0.1 and high.max() < 10:
        ax.set_xticks([0.25, 0.5, 1, 2, 4, 8])
        ax.minorticks_off()
    ax.set_yticks(places, labels=[f"{what}:\n{rival}" for what, rival in frame.index])
    ax.tick_params(axis="y", labelsize="small")
    ax.invert_yaxis()
    return ax
