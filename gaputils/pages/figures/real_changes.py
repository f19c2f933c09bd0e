"""What closing adds under real changes, beside isotropic noise of the same size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from gaputils.plots.theme import COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = {"other builds": "s", "other pixels": "o", "other words": "D"}
_COLORS = {"other builds": "#000000", "other pixels": COLOR["image"], "other words": COLOR["text"]}


def gain_by_size(
    gaussian: pd.DataFrame, changes: Mapping[str, pd.DataFrame], ax: Axes, legend: bool = True
) -> Axes:
    """The gain in unchanged answers over the total variance, with bars of one standard error.

    `gaussian` and each of `changes`, by kind, have the columns "variance", "gain", "gain_error".
    """
    low, high = gaussian["gain"] - gaussian["gain_error"], gaussian["gain"] + gaussian["gain_error"]
    ax.fill_between(gaussian["variance"], low, high, color=COLOR["centered"], alpha=0.3)
    label = "Gaussian noise" if legend else None
    ax.plot(gaussian["variance"], gaussian["gain"], color=COLOR["centered"], label=label)
    ax.axhline(0, color=COLOR["original"], linewidth=1)
    for kind, frame in changes.items():
        ax.errorbar(
            frame["variance"],
            frame["gain"],
            frame["gain_error"],
            fmt=_MARKERS[kind],
            color=_COLORS[kind],
            markersize=5,
            label=kind if legend else None,
        )
    ax.set(xscale="log", ylabel="gain in\nunchanged answers")
    return ax
