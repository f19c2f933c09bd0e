"""Figures of thirty real models: gains against gaps, and what the loss does to the gap."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaputils.plots.theme import COLOR, WIDTH, closing_color, legend_above, stacked

_SERIES = {
    "mean shift": ("o", COLOR["shift"], "the paper's mean shift"),
    "projected and centred": ("^", COLOR["centered"], "projected and centred"),
}
_LOSS = {"InfoNCE": COLOR["image"], "InfoLOOB": COLOR["text"]}


def gain_by(frame: pd.DataFrame, column: str = "gap", label: str = "norm of the gap") -> Figure:
    """What closing adds to the share of answers that survive, against `column`, a point a set.

    `frame` as from `measure_sets`; the upper panel is cosine, the lower Euclidean. Bars are two
    paired standard errors; models with random weights are grey.
    """
    figure, axes = stacked(2, 2.9, sharex=True)
    for ax, scoring in zip(axes, ("cosine", "euclidean"), strict=True):
        for closing, (marker, color, name) in _SERIES.items():
            rows = frame[(frame["scoring"] == scoring) & (frame["closing"] == closing)]
            for trained, shade in ((True, color), (False, COLOR["baseline"])):
                some = rows[rows["trained"] == trained]
                ax.errorbar(
                    some[column],
                    some["gain"],
                    2 * some["gain_error"],
                    fmt=marker,
                    color=shade,
                    markersize=5,
                    markerfacecolor=shade if closing == "mean shift" else "none",
                    elinewidth=1,
                    label=name if trained else None,
                )
        ax.axhline(0, color="0.4", linewidth=0.8)
        ax.set(ylabel="gain in answers\nthat survive", title=scoring, xlim=(0, None))
    legend_above(axes[0])
    axes[-1].set_xlabel(label)
    return figure


def gap_by_loss(rows: pd.DataFrame, ax: Axes) -> Axes:
    """R@1 against the gap of models that differ in their loss: colour the loss, filled Hopfield.

    `rows` as from `ablation`: columns `gap`, `accuracy`, `loss`, `hopfield`.
    """
    for (loss, hopfield), some in rows.groupby(["loss", "hopfield"]):
        color = _LOSS[str(loss)]
        ax.scatter(
            some["gap"],
            some["accuracy"],
            s=55,
            color=color,
            facecolor=color if hopfield else "none",
            linewidth=1.5,
            label=f"{loss}{' and Hopfield' if hopfield else ''}",
        )
    ax.set(xlabel="norm of the gap", ylabel="R@1, images to texts", xlim=(0, None), ylim=(0, 1))
    if len(rows):
        ax.legend(loc="lower right", fontsize="small")
    return ax


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
