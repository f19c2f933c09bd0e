"""Figures of the gap's geometry: the two clouds, the measures, the variance along the gap."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator

from gaputils.plots.theme import COLOR, WIDTH, require_columns

SIDE_COLOR = {"queries": COLOR["image"], "gallery": COLOR["text"]}


def clouds(frame: pd.DataFrame, ax: Any = None) -> Any:
    """Both modalities on three principal components (Chowers et al. 2026, Fig. 1 left).

    `frame` is what `principal_coordinates` returns; `ax` a 3-D axes, made if left out.
    """
    columns = ("side", "pc1", "pc2", "pc3")
    require_columns("frame", frame, columns, "gaputils.geometry.principal_coordinates")
    if ax is None:
        ax = plt.figure(figsize=(WIDTH, 4.6)).add_subplot(projection="3d")
    if not hasattr(ax, "set_zlabel"):
        raise TypeError(f"ax: expected 3-D axes, got {type(ax).__name__}")
    for side, label in (("queries", "images"), ("gallery", "texts")):
        part = frame[frame["side"] == side]
        ax.scatter(
            part["pc1"],
            part["pc2"],
            part["pc3"],
            s=6,
            alpha=0.6,
            color=SIDE_COLOR[side],
            label=label,
            linewidths=0,
        )
    shares = frame.attrs.get("shares", [])
    for i, set_label in enumerate((ax.set_xlabel, ax.set_ylabel, ax.set_zlabel)):
        set_label(f"PC {i + 1}" + (f" ({shares[i]:.0%})" if i < len(shares) else ""))
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(4))
        axis.set_tick_params(labelsize="x-small", pad=0)
        axis.label.set_size("small")
    ax.set_box_aspect((1.2, 1, 0.9), zoom=0.9)
    ax.view_init(elev=18, azim=-65)
    ax.legend(loc="upper left", markerscale=2.5)
    return ax
