"""Figures of limits, decisions, bands and the hull: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from gaputils.evaluation.compare import compare_blocks
from gaputils.pages import all_methods, survival
from gaputils.pages import hull_projection as hp
from gaputils.pages import your_own_embeddings as own
from gaputils.pages.figures import hull, limits
from gaputils.plots.theme import closing_color
from tests.pages.test_survival import NOISE, TWO, pairs


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


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


def test_bands_have_a_row_for_each_of_their_closings() -> None:
    names = ["original", "mean shift", "GR-CLIP", "CORAL"]
    closings = {name: all_methods.contestants()[name] for name in names}
    blocks = survival.tasks(pairs(), 10)
    each = compare_blocks(blocks, closings, {"": NOISE}, scorings=["cosine"])
    frame = all_methods.by_scoring(each, each)["cosine"]
    figure = limits.bands(frame)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(frame["band"][1:])
    assert [ax.get_yticklabels()[0].get_text() for ax in figure.axes] == names[1:]


def test_the_geometry_is_true() -> None:
    ax = hull.geometry(plt.subplots()[1])
    spots = {text.get_text(): text.xy for text in ax.texts}
    assert spots["$Py$"][0] == pytest.approx(spots["$y$, a query"][0]), "straight below"
    assert spots["radius 2"][0] - spots["$c$"][0] == pytest.approx(2)
    assert {"$x_1$", "$x_2$", "$x_3$", "$x_4$"} <= set(spots)


def test_the_hulls_curves_draw_their_frames() -> None:
    e = pairs()
    curves = hp.curves(e, [10], [0.5, 2.0], NOISE)
    closings = {**TWO, "hull projection": gu.HullProjection()}
    levels = survival.over_sizes(e, [10], closings, NOISE)
    euclidean = levels[levels["scoring"] == "euclidean"]
    _, ax = plt.subplots()
    hull.radius_panels(curves, euclidean, [ax])
    np.testing.assert_allclose(
        ax.containers[0].lines[0].get_ydata(orig=False), curves[10]["robustness"]
    )
    shaped = hp.under_shaped_noise(survival.tasks(e, 10), e.gallery, 0.3, [0, 0.5])
    dots = hull.shaped_dots(shaped, plt.subplots()[1])
    assert len(dots.containers) == 3
    parts = hp.parts_over_sizes(e, [3, 6])
    bars = hull.stacked_parts(parts, plt.subplots()[1])
    tops = [bar.get_y() + bar.get_height() for bar in bars.patches[-2:]]
    np.testing.assert_allclose(tops, parts.sum(axis=1))
