"""What the naive shift does to items, to tasks, and to the models of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MultipleLocator

from gaputils import plots
from gaputils.pages.moving_the_gap import BOTH, MEAN, NAIVE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOSSES = {"InfoNCE": plots.COLOR["image"], "InfoLOOB": plots.COLOR["text"], "CyCLIP": "#009E73"}


def wins_by_handicap(items: pd.DataFrame) -> Figure:
    """A dot an item: its handicap, and how many more queries it wins after the naive shift."""
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 3.2))
    sns.scatterplot(
        items, x="handicap", y="change", color=plots.COLOR["text"], s=22, alpha=0.6, ax=ax
    )
    ax.axhline(0, color=plots.COLOR["baseline"], linewidth=0.8)
    ax.set(xlabel="handicap  g · (x − mean)", ylabel="change of wins")
    return figure


def accuracy_by_alpha(frame: pd.DataFrame) -> Figure:
    """A panel a task, a line a shift: accuracy by Euclidean distance, on one scale for all."""
    tasks = list(dict.fromkeys(frame["task"]))
    figure, axes = plots.stacked(len(tasks), 2.0, sharex=True, sharey=True)
    euclidean = frame[frame["scoring"] == "euclidean"]
    for ax, task in zip(axes, tasks, strict=True):
        for name in (MEAN, BOTH, NAIVE):
            part = euclidean[(euclidean["task"] == task) & (euclidean["closing"] == name)]
            ax.plot(
                part["alpha"],
                part["accuracy"],
                "o-",
                ms=4,
                color=plots.theme.closing_color(name),
                label=name,
            )
        ax.axvline(0, color=plots.COLOR["baseline"], linewidth=0.8, zorder=0)
        ax.set(title=task, ylabel="accuracy", ylim=(0, 1.08))
    axes[-1].set_xlabel("α  (0: original, 1: means equal)")
    plots.legend_above(axes[0], 2)
    return figure


def changes_by_set(frame: pd.DataFrame) -> Figure:
    """A row a set, sorted: what the naive shift adds to its accuracy, with two paired errors."""
    rows = frame.sort_values("change")
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 0.23 * len(rows) + 1.1))
    place = {name: float(number) for number, name in enumerate(rows.index)}
    for loss, part in rows.groupby("loss", dropna=False):
        places = [place[name] for name in part.index]
        ax.errorbar(
            part["change"],
            places,
            xerr=2 * part["error"],
            fmt="o",
            ms=4,
            elinewidth=1,
            color=_LOSSES.get(str(loss), plots.COLOR["baseline"]),
            label=str(loss),
        )
    ax.axvline(0, color=plots.COLOR["baseline"], linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(rows)), list(rows["title"]), fontsize=8.5)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.xaxis.set_major_locator(MultipleLocator(0.2))
    ax.set_xlabel("change of accuracy at α = 1")
    plots.legend_above(ax, 3)
    return figure
