"""Figures of many models side by side."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaputils.plots.theme import COLOR, WIDTH, closing_color


def benefits_by_size(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Robustness against the gallery's size: columns `items` and those of `gaputils.benefits`.

    Bars are one paired standard error of the gain over the original.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 4.4))
    for name, part in frame.groupby("closing", sort=False):
        ax.errorbar(
            part["items"],
            part["robustness"],
            part["gain_error"],
            fmt="o-",
            markersize=4,
            capsize=2,
            color=closing_color(str(name)),
            label=str(name),
        )
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
