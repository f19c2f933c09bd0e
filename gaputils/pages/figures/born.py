"""Figures of a recorded training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaputils.plots.theme import COLOR, WIDTH, closing_color

SETTING_COLOR: dict[str, str] = {
    "fixed at 100": "#000000",
    "annealed": "#999999",
    "learned from 14": "#CC79A7",
    "fixed at 14": "#009E73",
}
_BAND: dict[str, Any] = {"errorbar": ("pi", 100), "estimator": "mean"}
_VARIANCE_STYLE: dict[str, tuple[str, str]] = {
    "leading": ("leading component", "-."),
    "gap": ("along the gap", "-"),
    "random": ("random direction", ":"),
}


def quantity(frame: pd.DataFrame, name: str, label: str, ax: Axes, **options: Any) -> Axes:
    """One recorded quantity over the steps: the mean of the seeds, and a band over all of them.

    `frame` has the columns "step", "seed", "setting" and `name`.
    """
    sns.lineplot(
        frame, x="step", y=name, hue="setting", palette=SETTING_COLOR, ax=ax, **_BAND, **options
    )
    ax.set(xlabel="training step", ylabel=label)
    if ax.get_legend():
        ax.get_legend().set_title("logit scale")  # type: ignore[union-attr]
    return ax


def loss_and_accuracy(frame: pd.DataFrame, ax: Axes) -> Axes:
    """The loss on the left axis, the share of right names on one to the right."""
    sns.lineplot(frame, x="step", y="loss", color=COLOR["gap"], ax=ax, label="loss", **_BAND)
    other = ax.twinx()
    sns.lineplot(
        frame, x="step", y="top1", color=COLOR["projection"], ax=other, label="right", **_BAND
    )
    other.set(ylabel="share of right names", ylim=(0, 1))
    other.grid(False)
    other.spines["right"].set_visible(True)
    lines = [*ax.lines, *other.lines]
    other.get_legend().remove()  # type: ignore[union-attr]
    ax.legend(lines, [str(line.get_label()) for line in lines], loc=(0.45, 0.14))
    ax.set(xlabel="training step", ylabel="loss", ylim=(0, None))
    return ax


def sides(frame: pd.DataFrame, name: str, label: str, ax: Axes) -> Axes:
    """A quantity recorded for images and for texts, as one line and band each."""
    for side in ("image", "text"):
        sns.lineplot(
            frame, x="step", y=f"{name}_{side}", color=COLOR[side], label=side, ax=ax, **_BAND
        )
    ax.set(xlabel="training step", ylabel=label)
    return ax


def variances(frame: pd.DataFrame, side: str, ax: Axes, legend: bool = True) -> Axes:
    """One side's variance along the gap, the leading component and a random direction."""
    for name, (meaning, style) in _VARIANCE_STYLE.items():
        _variance(frame, frame[f"variance_{name}_{side}"], ax, COLOR[side], style)
        if legend:
            ax.plot([], [], style, color=COLOR["gap"], label=meaning)
    return _over_early_steps(ax, "variance", side)


def variance_shares(
    frame: pd.DataFrame, side: str, dim: int, ax: Axes, legend: bool = True
) -> Axes:
    """The first two of `variances` as shares of the side's total, and what 1 of `dim` has."""
    for name in ("leading", "gap"):
        meaning, style = _VARIANCE_STYLE[name]
        share = frame[f"variance_{name}_{side}"] / frame[f"variance_total_{side}"]
        _variance(frame, share, ax, COLOR[side], style)
        if legend:
            ax.plot([], [], style, color=COLOR["gap"], label=meaning)
    ax.axhline(1 / dim, color=COLOR["baseline"], linewidth=1.2, label="1/d" if legend else None)
    return _over_early_steps(ax, "share of the variance", side)


def _variance(frame: pd.DataFrame, values: Any, ax: Axes, color: str, style: str) -> None:
    data = pd.DataFrame({"step": frame["step"], "value": values})
    sns.lineplot(data, x="step", y="value", color=color, linestyle=style, ax=ax, **_BAND)


def _over_early_steps(ax: Axes, label: str, side: str) -> Axes:
    ax.set(xlabel="training step", ylabel=label, yscale="log", title=f"{side}s")
    ax.set_xscale("symlog", linthresh=10)
    ax.set_xlim(0, None)
    return ax


def cosines(frame: pd.DataFrame, ax: Axes, colors: Mapping[str, str] | None = None) -> Axes:
    """Densities of cosines: `frame` has "cosine" and "pairs", what the two items are."""
    sns.histplot(
        frame,
        x="cosine",
        hue="pairs",
        stat="density",
        common_norm=False,
        element="step",
        bins=80,
        alpha=0.35,
        palette=dict(colors or {}) or None,
        ax=ax,
    )
    ax.set(xlabel="cosine", ylabel="density")
    return ax


def robustness_over_steps(
    frame: pd.DataFrame, ax: Axes, labels: Mapping[str, str] | None = None
) -> Axes:
    """Share of neighbours that noise changes, 1 - robustness, at each kept step, a line a closing.

    `frame` has the columns "step", "closing" and "robustness".
    """
    for name, part in frame.groupby("closing", sort=False):
        closing, rows = str(name), part.sort_values("step")
        ax.plot(
            rows["step"],
            1 - rows["robustness"],
            marker="o",
            color=closing_color(closing),
            label=(labels or {}).get(closing, closing),
        )
    ax.set(xlabel="training step", ylabel="share of answers lost", yscale="log")
    ax.set_xticks(sorted(frame["step"].unique()))
    ax.legend()
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
