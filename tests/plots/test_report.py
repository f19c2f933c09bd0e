"""The figures of what closing is worth show the table's numbers."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from gaputils import plots
from gaputils.pages.figures.born import by_temperature
from gaputils.pages.figures.many_models import benefits_by_size


@pytest.fixture(autouse=True)
def _close():
    plots.set_theme()
    yield
    plt.close("all")


WAYS = ["as it is, Euclidean", "mean shift, Euclidean", "hull projection, centred, cosine"]


def test_benefit_bars_have_the_length_of_the_robustness() -> None:
    frame = pd.DataFrame({"robustness": [0.7, 0.8, 0.9]}, index=WAYS)
    ax = plots.benefits(frame)
    assert [bar.get_width() for bar in ax.patches] == [0.7, 0.8, 0.9]
    assert [text.get_text() for text in ax.texts] == ["0.700", "0.800", "0.900"]
    ax.figure.canvas.draw()


def test_benefits_by_size_draws_a_line_for_each_way() -> None:
    frame = pd.DataFrame({"items": [10, 100] * 3, "way": [w for w in WAYS for _ in range(2)]})
    frame["robustness"] = [0.9, 0.7, 0.92, 0.75, 0.99, 0.9]
    ax = benefits_by_size(frame)
    drawn = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert [list(line.get_ydata()) for line in drawn] == [[0.9, 0.7], [0.92, 0.75], [0.99, 0.9]]
    ax.figure.canvas.draw()


def test_temperature_panels_have_a_dot_for_each_seed() -> None:
    frame = pd.DataFrame(
        {"logit_scale": [14.0, 14.0, 100.0, 100.0], "seed": [0, 1, 0, 1], "gap": [0.1, 0.2, 0.8, 1]}
    )
    figure = by_temperature(frame, {"gap": "gap norm"})
    (ax,) = figure.axes
    assert ax.get_title() == "gap norm"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["14", "100"]
    heights = [y for c in ax.collections for _, y in c.get_offsets()]
    assert sorted(heights) == [0.1, 0.2, 0.8, 1]
    figure.canvas.draw()
