"""Figures of limits, decisions and bands: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gaputils.evaluation.compare import compare_blocks
from gaputils.pages import all_methods, survival
from gaputils.pages import your_own_embeddings as own
from gaputils.pages.figures import limits
from gaputils.plots.theme import closing_color
from tests.pages.test_survival import NOISE, TWO, pairs


def test_gains_over_sizes_have_a_panel_for_each_scoring_and_dimension() -> None:
    frame = survival.over_sizes(pairs(), [5, 10], TWO, NOISE)
    figure = limits.gains_over_sizes(pd.concat([frame, frame.assign(dim=7)]))
    assert len(figure.axes) == 6
    drawn = figure.axes[0].containers[0].lines[0]
    chosen = frame[(frame["scoring"] == "cosine") & (frame["closing"] == "mean shift")]
    np.testing.assert_allclose(drawn.get_ydata(orig=False), chosen["gain"])
    assert drawn.get_color() == closing_color("mean shift")


def test_same_and_right_answers_have_a_dot_a_closing() -> None:
    frame = compare_blocks(survival.tasks(pairs(), 10), TWO, {"": NOISE}, scorings=["cosine"])
    _, axes = plt.subplots(2)
    limits.same_and_right(frame, list(axes))
    for ax, gain in zip(axes, ("gain", "right_gain"), strict=True):
        (dot,) = ax.containers
        assert dot.lines[0].get_xdata()[0] == frame[gain].iloc[1]


def test_decision_bars_start_where_the_untouched_end() -> None:
    frames = own.measured({name: (pairs(), 10) for name in ("few", "as many", "more")}, NOISE)
    table = own.decide(frames)
    ax = limits.decision_bars(table, plt.subplots()[1])
    bars = ax.patches[len(table) : 2 * len(table)]
    np.testing.assert_allclose([bar.get_x() for bar in bars], table["start"])
    np.testing.assert_allclose([bar.get_width() for bar in bars], table["gain"])
    assert [bool(bar.get_hatch()) for bar in bars] == [False] * (len(table) - 1) + [True]


def test_bands_have_a_row_for_each_of_their_closings() -> None:
    names = ["original", "mean shift", "GR-CLIP", "CORAL"]
    closings = {name: all_methods.contestants()[name] for name in names}
    blocks = survival.tasks(pairs(), 10)
    each = compare_blocks(blocks, closings, {"": NOISE}, scorings=["cosine"])
    frame = all_methods.beside(each, each)
    figure = limits.bands(frame)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(frame["band"][1:])
    assert [ax.get_yticklabels()[0].get_text() for ax in figure.axes] == names[1:]
