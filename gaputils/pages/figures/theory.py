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

    `frame` has "modality" ("x" or "y"), "pair", "horizontal" and "vertical".
    """
    sides = {name: part.set_index("pair") for name, part in frame.groupby("modality")}
    columns = ["horizontal", "vertical"]
    lines = [
        [sides["x"].loc[pair, columns].to_numpy(), sides["y"].loc[pair, columns].to_numpy()]
        for pair in sides["x"].index
    ]
    ax.add_collection(LineCollection(lines, colors="#bbbbbb", linewidths=1, zorder=1))
    for name, color, marker in (("x", COLOR["text"], "s"), ("y", COLOR["image"], "o")):
        ax.scatter(
            sides[name]["horizontal"],
            sides[name]["vertical"],
            c=color,
            marker=marker,
            s=22,
            label=name,
            zorder=2,
        )
    ax.set(xlabel="", ylabel="")
    return ax


def heat(frame: pd.DataFrame, columns: str, index: str, values: str, ax: Axes) -> Axes:
    """A map of `values`, annotated, rows rising upwards."""
    grid = frame.pivot_table(columns=columns, index=index, values=values).sort_index(
        ascending=False
    )
    sns.heatmap(grid, annot=True, fmt=".2f", cmap=SEQUENTIAL, cbar=False, ax=ax)
    ax.set(xlabel=columns, ylabel=index)
    return ax


def mass(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Points coloured by the mass they receive: "along", "across", "modality" and "mass"."""
    for name, marker in (("x", "s"), ("y", "o")):
        part = frame[frame["modality"] == name]
        drawn = ax.scatter(
            part["along"],
            part["across"],
            c=part["mass"],
            cmap=SEQUENTIAL,
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
