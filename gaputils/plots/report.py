"""A figure of what closing is worth for one pair of arrays."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from gaputils.plots.theme import WIDTH, closing_color, require_columns


def benefits(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Robustness of each closing as a bar with its error; `frame` is `gaputils.benefits`' table.

    The thin bars are one standard error of the gain over the untouched original, which is paired
    over the queries; the original's own would say how it varies with the choice of queries.
    """
    require_columns("frame", frame, ("closing", "scoring", "robustness"), "gaputils.benefits")
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 0.9 + 0.42 * len(frame)))
    names = [str(name) for name in frame["closing"]]
    errors = frame.get("gain_error")
    bars = ax.barh(
        range(len(frame)),
        frame["robustness"],
        xerr=errors,
        error_kw={"elinewidth": 1, "capsize": 3},
        color=[closing_color(name) for name in names],
        height=0.68,
    )
    ax.bar_label(bars, [f"{value:.3f}" for value in frame["robustness"]], padding=3, size="small")
    ax.set_yticks(range(len(frame)), [broken(name) for name in names])
    ax.tick_params(axis="y", labelsize="small")
    ax.invert_yaxis()
    ax.set_xlim(0, 1.16)
    scorings = ", ".join(dict.fromkeys(frame["scoring"]))
    ax.set_xlabel(f"share of answers that survive the noise, {scorings}")
    ax.grid(axis="y", visible=False)
    return ax


def broken(name: str) -> str:
    """A closing's name, on two lines if it has more than 21 letters."""
    return name if len(name) <= 21 else name.replace(", ", ",\n", 1)
