"""The geometry of the hull projection drawn, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.patches import Circle, Polygon

from gaputils.plots.theme import COLOR, closing_color, ink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

_ANGLES = {"$x_1$": -42.0, "$x_2$": 48.0, "$x_3$": 150.0, "$x_4$": 225.0}


def geometry(ax: Axes, height: float = 1.55, noise: float = 0.2) -> Axes:
    """A gallery on a circle in its hull, drawn as a plane, a query above it, and the way down.

    The query y, its projection Py, the part of the gap g' off the hull, the circumcentre c and the
    ray on which a projected query may be put, with the noise about the two nearest items. Heights
    are true, the plane is seen at a slant.
    """
    corners = np.array([[-1.35, -1.3], [2.75, -1.3], [2.75, 1.3], [-1.35, 1.3]])
    ax.add_patch(Polygon([_seen(*at) for at in corners], color="#EEF3F7", zorder=0))
    around = np.linspace(0, 2 * np.pi, 200)
    ax.plot(*_seen(np.cos(around), np.sin(around)), color=COLOR["baseline"], linewidth=1)
    direction = np.array([1.0, 0.0])
    foot, far = 0.42 * direction, 2 * direction
    below = _seen(*foot)
    query = (below[0], below[1] + height)
    for name, degrees in _ANGLES.items():
        angle = np.deg2rad(degrees)
        x, y = np.cos(angle), np.sin(angle)
        spot = _seen(x, y)
        near = name in ("$x_1$", "$x_2$")
        if near:
            ax.add_patch(Circle(spot, noise, color=COLOR["text"], alpha=0.22, zorder=1))
            for start in (query, _seen(*far)):
                ax.plot(
                    *zip(start, spot, strict=True), color=COLOR["text"], linewidth=0.7, alpha=0.7
                )
        ax.plot(*spot, "s", color=COLOR["text"], markersize=5)
        ax.annotate(name, spot, textcoords="offset points", xytext=(-13, -9), fontsize="small")
    end = 2.45 * direction
    ax.plot(
        *zip(_seen(0, 0), _seen(*end), strict=True),
        "--",
        color=closing_color("hull projection, scaled"),
        linewidth=1.3,
        zorder=2,
    )
    ax.annotate(
        "",
        _seen(*foot),
        query,
        arrowprops={"arrowstyle": "->", "color": COLOR["gap"], "linewidth": 1.3},
    )
    labels = {
        "$y$, a query": (query, COLOR["image"], (7, 2)),
        "$Py$": (_seen(*foot), closing_color("hull projection"), (-24, 5)),
        "$c$": (_seen(0, 0), COLOR["gap"], (-3, -16)),
        "radius 2": (_seen(*far), closing_color("hull projection, scaled"), (4, -17)),
    }
    for text, (spot, color, offset) in labels.items():
        ax.plot(*spot, "o", color=color, markersize=6, zorder=3)
        ax.annotate(text, spot, textcoords="offset points", xytext=offset, color=ink(color))
    middle = (query[0], (query[1] + below[1]) / 2)
    ax.annotate(
        "off the hull, ranks nothing:\nthe gap $g'$ and its own offset",
        middle,
        textcoords="offset points",
        xytext=(-9, 14),
        ha="right",
        fontsize="small",
    )
    ax.annotate("the gallery's hull", _seen(1.35, -1.18), fontsize="small", color="#555577")
    ax.annotate(
        "$R$", _seen(-0.5, 0), textcoords="offset points", xytext=(-2, 3), color=COLOR["gap"]
    )
    ax.plot(*zip(_seen(0, 0), _seen(-1, 0), strict=True), color=COLOR["gap"], linewidth=0.8)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def radius_panels(
    curves: Mapping[int, pd.DataFrame], levels: pd.DataFrame, axes: list[Axes]
) -> list[Axes]:
    """What each radius gains over radius 2, a panel a size; `levels` of other closings as lines.

    `curves` as from `hull_projection.over_radius`, `levels` as from `survival.over_sizes`.
    """
    for ax, (size, curve) in zip(axes, curves.items(), strict=True):
        ax.errorbar(
            curve["radius"],
            curve["gain"],
            curve["gain_error"],
            color=closing_color("hull projection, scaled"),
            label="scaled to this radius",
        )
        own = levels[levels["items"] == size]
        at_two = float(curve["robustness"].iloc[0] - curve["gain"].iloc[0])
        for name, style in (("original", ":"), ("mean shift", "-."), ("hull projection", "--")):
            value = float(own.loc[own["closing"] == name, "robustness"].iloc[0])
            ax.axhline(value - at_two, color=closing_color(name), linestyle=style, label=name)
        ax.axvline(2, color=COLOR["baseline"], linewidth=0.8)
        ax.set(xscale="log", title=f"{size} items", ylim=(-0.13, 0.015))
        ax.set_ylabel("gain over\nradius 2")
        ax.set_xticks([0.3, 1, 2, 10], ["0.3", "1", "2", "10"])
        ax.minorticks_off()
    axes[-1].set_xlabel("radius (circumradii)")
    return axes


def shaped_dots(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Robustness of raw, orthogonally and obliquely projected queries, over the `share` shaped."""
    for name, part in frame.groupby("query", sort=False):
        ax.errorbar(
            100 * part["share"],
            part["robustness"],
            part["robustness_error"],
            fmt="o-",
            color=closing_color(str(name)),
            label=str(name),
        )
    ax.set(xlabel="share of the noise shaped as the captions (%)", ylabel="robustness")
    return ax


def stacked_parts(frame: pd.DataFrame, ax: Axes) -> Axes:
    """A bar a row of `frame`, its columns' values stacked."""
    shades = (closing_color("hull projection"), COLOR["gap"], COLOR["baseline"])
    colors = dict(zip(frame.columns, shades, strict=True))
    bottom = np.zeros(len(frame))
    for name in frame.columns:
        values = frame[name].to_numpy()
        ax.bar(
            frame.index.astype(str),
            values,
            bottom=bottom,
            color=colors[name],
            label=name,
            width=0.6,
        )
        bottom += values
    ax.set(xlabel=frame.index.name or "", ylabel="mean squared distance")
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def _seen(x: Any, y: Any) -> tuple[Any, Any]:
    """A point of the plane as it is seen at a slant."""
    return x + 0.35 * y, 0.42 * y
