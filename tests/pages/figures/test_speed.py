"""Figures of timings draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from gaputils.pages.figures.speed import cost_growth, time_ratios


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"size": size, "call": call, "round": n, "seconds": cost * size * (n + 1)}
            for size in (10, 100)
            for call, cost in (("one", 1.0), ("other", 3.0))
            for n in range(3)
        ]
    )


def test_lines_join_the_medians(ax) -> None:
    cost_growth(rows(), ax=ax, xlabel="items")
    one, other = ax.lines[:2]
    assert one.get_ydata().tolist() == [20.0, 200.0]
    assert other.get_ydata().tolist() == [60.0, 600.0]
    assert ax.get_xlabel() == "items"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]


def test_the_legend_can_be_left_out_and_the_axes_too() -> None:
    ax = cost_growth(rows(), legend=False)
    assert ax.get_legend() is None
    plt.close("all")


def test_ratios_have_their_bars_and_names(ax) -> None:
    table = pd.DataFrame(
        {"ratio": [4.0, 0.5], "ratio_low": [3.0, 0.4], "ratio_high": [5.0, 0.6]},
        index=pd.MultiIndex.from_tuples([("sum", "loop"), ("sum", "half")]),
    )
    time_ratios(table, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sum:\nloop", "sum:\nhalf"]
    assert [line.get_xdata().tolist() for line in ax.lines[:2]] == [[4.0], [0.5]]
    assert ax.get_xscale() == "log"
    assert time_ratios(table).figure is not ax.figure
    plt.close("all")
