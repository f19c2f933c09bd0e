"""Scores of pairs and others, cut-offs, and means of few rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns
import torch
from sklearn.metrics import precision_recall_curve
from torch import Tensor

from gaputils.plots.theme import COLOR, closing_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = {
    "an image and its text": (COLOR["gap"], "-"),
    "an image and another text": (COLOR["baseline"], "-"),
    "two texts": (COLOR["text"], "--"),
    "two images": (COLOR["image"], ":"),
}
_STYLES = ("-", "--", "-.", ":")
_AT_MOST = 20_000


def densities(samples: Mapping[str, Tensor], ax: Axes) -> Axes:
    """The density of each of `scores.samples`, at most 20,000 cosines of each."""
    for name, values in samples.items():
        step = max(1, len(values) // _AT_MOST)
        color, style = _KINDS[name]
        sns.kdeplot(
            x=values[::step].numpy(),
            ax=ax,
            color=color,
            linestyle=style,
            fill=name == "an image and its text",
            alpha=1 if name != "an image and its text" else 0.35,
            label=name,
        )
    ax.set(xlabel="cosine", ylabel="density")
    return ax


def cutoffs(scores: Mapping[str, Tensor], ax: Axes) -> Axes:
    """Precision over recall of one cut-off for all queries, a line for each of `scores` (n, n), and
    as crosses what the best item of each query has.
    """
    for (name, values), style in zip(scores.items(), _STYLES, strict=False):
        color = closing_color(name)
        match = torch.eye(len(values), dtype=torch.bool)
        precision, recall, _ = precision_recall_curve(match.ravel().numpy(), values.ravel().numpy())
        ax.plot(recall[:-1], precision[:-1], style, color=color, label=name)
        first = float((values.argmax(dim=1) == torch.arange(len(values))).double().mean())
        ax.plot(first, first, "x", color=color, markersize=8)
    ax.set(xlabel="recall: share of the matches found", ylabel="precision: share right")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return ax


def right_over_rows(frame: pd.DataFrame, ax: Axes) -> Axes:
    """What means of so many rows do to right answers; `frame` as from `scores.how_many_rows`."""
    ax.axhline(0, color=COLOR["original"], linewidth=1)
    ax.errorbar(
        frame["rows"],
        frame["gain"],
        frame["gain_error"],
        fmt="o-",
        color=COLOR["image"],
        label="gain in right answers",
    )
    ax.plot(frame["rows"], frame["left"], "s", color=COLOR["text"], label="gap that is left")
    ax.plot(frame["rows"], frame["predicted"], "--", color=COLOR["text"], label="predicted")
    ax.set_xscale("log")
    ax.set_xticks(frame["rows"], [f"{count:g}" for count in frame["rows"]])
    ax.minorticks_off()
    ax.set(xlabel="pairs from which the means are learned", ylabel="share")
    low = float(np.min(frame["gain"] - frame["gain_error"]))
    ax.set_ylim(low - 0.05, 1.0)
    return ax
