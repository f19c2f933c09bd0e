"""Figures of timings draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from gaputils.pages.figures.speed import time_ratios


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
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
