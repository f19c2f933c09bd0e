"""The same measures by two packages, in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from gaputils.plots.theme import COLOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def both_packages(frame: pd.DataFrame, ax: Axes) -> Axes:
    """A row a measure: a dot for "gaputils" in a ring for "clip-benchmark"."""
    places = range(len(frame))
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": COLOR["text"], "linewidths": 1.4}
    ax.scatter(frame["clip-benchmark"], places, s=110, label="clip-benchmark", **ring)
    ax.scatter(frame["gaputils"], places, s=18, color=COLOR["image"], label="gaputils")
    names = [", ".join(name) if isinstance(name, tuple) else name for name in frame.index]
    ax.set_yticks(places, names, fontsize="small")
    ax.set(xlim=(0, 1.04), ylim=(len(frame) - 0.5, -0.5), xlabel="share of right answers")
    return ax
