"""Figures of what closing is worth, for one pair of arrays and for many models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def benefits_by_size(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Robustness against the size of the gallery: columns `items`, `way`, `robustness`."""
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 4.4))
    ways = list(dict.fromkeys(frame["way"]))
    palette = {way: COLOR[name] for way, name in zip(ways, _COLORS, strict=False)}
    sns.lineplot(frame, x="items", y="robustness", hue="way", palette=palette, marker="o", ax=ax)
    ax.set_xscale("log")
    ax.set(xlabel="gallery items", ylabel="share of answers that survive")
    ax.legend(title="", ncols=2, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize="x-small")
    return ax


def gap_and_robustness(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Models as points: `gap_norm` against `robustness`, an arrow to where closing takes each.

    `frame` has columns `name`, `kind`, `gap_norm`, `robustness` and `closed`.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 4.4))
    ax.vlines(
        frame["gap_norm"], frame["robustness"], frame["closed"], color="0.75", linewidth=1, zorder=1
    )
    sns.scatterplot(frame, x="gap_norm", y="robustness", hue="kind", s=55, ax=ax, zorder=3)
    sns.scatterplot(
        frame, x="gap_norm", y="closed", hue="kind", s=40, marker="^", ax=ax, legend=False, zorder=3
    )
    ax.set(xlabel="gap norm", ylabel="share of answers that survive")
    ax.legend(title="", fontsize="small")
    return ax


def by_temperature(frame: pd.DataFrame, names: dict[str, str]) -> Figure:
    """A panel for each measure in `names` (column: label), a dot for each seed, by logit scale.

    `frame` has a column `logit_scale` and the columns of `names`.
    """
    frame = frame.sort_values("logit_scale")
    frame = frame.assign(logit_scale=frame["logit_scale"].map("{:g}".format))
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 2.9), squeeze=False)
    for ax, (column, label) in zip(axes.flat, names.items(), strict=True):
        sns.stripplot(
            frame,
            x="logit_scale",
            y=column,
            hue="seed",
            palette="dark:#0072B2",
            jitter=0.12,
            size=7,
            ax=ax,
            legend=False,
        )
        sns.pointplot(
            frame,
            x="logit_scale",
            y=column,
            color=COLOR["text"],
            errorbar=None,
            marker="_",
            markersize=22,
            linestyle="none",
            ax=ax,
        )
        ax.set(xlabel="logit scale", ylabel="", title=label)
        ax.title.set_fontsize("small")
        ax.set_ylim(bottom=0)
    return figure


def _wrapped(name: str) -> str:
    return name.replace(" at the best radius", "\nat the best radius").replace(
        ", centred, ", ",\ncentred, "
    )
