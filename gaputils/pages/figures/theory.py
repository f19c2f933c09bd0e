"""Figures of the theory pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from gaputils.plots.theme import COLOR, SEQUENTIAL

BAND: dict[str, Any] = {"errorbar": ("pi", 90), "estimator": "median"}
SPACE_COLOR: dict[str, str] = {"free": "#0072B2", "sphere": "#E69F00"}


def bands(
    frame: pd.DataFrame,
    x: str,
    y: str,
    ax: Axes,
    *,
    hue: str | None = None,
    palette: Mapping[str, str] | Sequence[str] | str | None = None,
    **options: Any,
) -> Axes:
    """Median over the runs as a line, the middle 90 % of them as a band."""
    if hue is not None and palette is None:
        palette = SEQUENTIAL
    sns.lineplot(frame, x=x, y=y, hue=hue, palette=palette, ax=ax, **BAND, **options)
    return ax


def points_over(frame: pd.DataFrame, x: str, y: str, ax: Axes, **options: Any) -> Axes:
    """Median over the runs as a point, the middle 90 % of them as a bar."""
    low, middle, high = (frame.groupby(x)[y].quantile(q) for q in (0.05, 0.5, 0.95))
    ax.errorbar(
        middle.index, middle, [middle - low, high - middle], markersize=5, elinewidth=1, **options
    )
    return ax


def over_steps(
    frame: pd.DataFrame, y: str, ylabel: str, ax: Axes, *, log: bool = False, **options: Any
) -> Axes:
    """One measure of a simulation against the step (log axis; step 0 drawn at the left edge)."""
    drawn = frame.assign(step=frame["step"].clip(lower=0.5))
    bands(drawn, "step", y, ax, **options)
    ax.set(xscale="log", xlabel="step", ylabel=ylabel, yscale="log" if log else "linear")
    return ax


def configuration(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Points of two modalities in the plane, a thin line from each to its pair.

    Texts, "x", are hollow squares, so that images under them can be seen.

    `frame` has "modality" ("x" or "y"), "pair", "horizontal" and "vertical".
    """
    sides = {name: part.set_index("pair") for name, part in frame.groupby("modality")}
    columns = ["horizontal", "vertical"]
    lines = [
        [sides["x"].loc[pair, columns].to_numpy(), sides["y"].loc[pair, columns].to_numpy()]
        for pair in sides["x"].index
    ]
    ax.add_collection(LineCollection(lines, colors="#bbbbbb", linewidths=1, zorder=1))
    for name, side, marker in (("x", "text", "s"), ("y", "image", "o")):
        hollow = marker == "s"
        ax.scatter(
            sides[name]["horizontal"],
            sides[name]["vertical"],
            facecolors="none" if hollow else COLOR[side],
            edgecolors=COLOR[side],
            marker=marker,
            s=34 if hollow else 16,
            linewidths=1.3 if hollow else 0,
            label=f"{side}s",
            zorder=3 if hollow else 2,
        )
    ax.set(xlabel="", ylabel="")
    return ax


def loss_by_gap(frame: pd.DataFrame, axes: Sequence[Axes]) -> Sequence[Axes]:
    """The loss against the gap, a line a misalignment, a panel a "direction" of the gap."""
    amounts = frame["misalignment"].nunique()
    palette = sns.color_palette(SEQUENTIAL, amounts + 1)[:amounts]
    for ax, (direction, part) in zip(axes, frame.groupby("direction", sort=False), strict=True):
        bands(part, "gap", "loss", ax, hue="misalignment", palette=palette)
        ax.set(title=f"gap {direction} the modalities", ylabel="loss", xlabel="")
        ax.set_yscale("symlog", linthresh=0.1)
    axes[-1].set_xlabel("size of the gap")
    handles, labels = axes[0].get_legend_handles_labels()
    for own in filter(None, [ax.get_legend() for ax in axes]):
        own.remove()
    axes[0].figure.legend(
        handles,
        labels,
        title="misalignment",
        loc="outside upper center",
        ncols=amounts,
        fontsize="small",
    )
    return axes


def mass(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Points coloured by the mass they receive: "along", "across", "modality" and "mass"."""
    for name, marker in (("x", "s"), ("y", "o")):
        part = frame[frame["modality"] == name]
        drawn = ax.scatter(
            part["along"],
            part["across"],
            c=part["mass"],
            cmap=sns.color_palette("crest", as_cmap=True),  # much is dark, and light in the dark
            vmin=0,
            vmax=float(frame["mass"].quantile(0.95)),
            marker=marker,
            s=26,
            edgecolor="white",
            linewidth=0.3,
        )
    ax.figure.colorbar(drawn, ax=ax, label="received mass", extend="max")
    ax.set(xlabel="along the gap", ylabel="across it")
    return ax
