"""Figures of thirty real models: gains against gaps, and what the loss does to the gap."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaputils.plots.theme import COLOR, closing_color, legend_above, stacked

_TITLE = {"cosine": "cosine", "euclidean": "Euclidean distance"}
_SERIES = {"mean shift": "o", "hull projection, centred": "^"}
_LOSS = {"InfoNCE": COLOR["image"], "InfoLOOB": COLOR["text"]}


def gain_by(frame: pd.DataFrame, column: str = "gap", label: str = "norm of the gap") -> Figure:
    """What closing adds to the share of answers that survive, against `column`, a point a set.

    `frame` as from `measure_sets`; the upper panel is cosine, the lower Euclidean. Bars are two
    paired standard errors; models with random weights are grey.
    """
    figure, axes = stacked(2, 2.9, sharex=True)
    for ax, scoring in zip(axes, ("cosine", "euclidean"), strict=True):
        for closing, marker in _SERIES.items():
            color = closing_color(closing)
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
                    label=closing if trained else None,
                )
        ax.axhline(0, color="0.4", linewidth=0.8)
        ax.set(ylabel="gain in answers\nthat survive", title=_TITLE[scoring], xlim=(0, None))
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
