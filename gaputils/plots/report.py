"""Figures of what closing is worth, for one pair of arrays and for many models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from gaputils.plots.theme import COLOR, WIDTH

_COLORS = ["original", "baseline", "shift", "projection", "scaled", "centered"]


def benefits(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Robustness of each way of ranking, as bars; `frame` is what `gaputils.benefits` returns."""
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 0.7 + 0.42 * len(frame)))
    colors = [COLOR[name] for name in _COLORS[: len(frame)]]
    bars = ax.barh(range(len(frame)), frame["robustness"], color=colors, height=0.68)
    ax.bar_label(bars, fmt="%.3f", padding=3, fontsize="small")
    ax.set_yticks(range(len(frame)), [_wrapped(str(name)) for name in frame.index])
    ax.tick_params(axis="y", labelsize="small")
    ax.invert_yaxis()
    ax.set_xlim(0, 1.12)
    ax.set_xlabel("share of answers that survive the noise")
    ax.grid(axis="y", visible=False)
    return ax


def _wrapped(name: str) -> str:
    return name.replace(" at the best radius", "\nat the best radius").replace(
        ", centred, ", ",\ncentred, "
    )
