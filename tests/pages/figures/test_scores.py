"""Figures of scores and of groups: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gaputils.pages import groups, scores
from gaputils.pages.figures import groups as group_figures
from gaputils.pages.figures import scores as figures
from tests.pages.test_groups import two_sides
from tests.pages.test_survival import pairs


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_a_density_for_each_kind_of_pair() -> None:
    samples = scores.samples(pairs())
    ax = figures.densities(samples, plt.subplots()[1])
    assert list(ax.get_legend_handles_labels()[1]) == list(samples)


def test_crosses_are_the_best_items() -> None:
    e = pairs(20, 6)
    every = {name: scores.score_all(e, name) for name in scores.SCORES}
    ax = figures.cutoffs(every, plt.subplots()[1])
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    expected = [(v.argmax(dim=1).numpy() == np.arange(20)).mean() for v in every.values()]
    np.testing.assert_allclose([line.get_ydata()[0] for line in crosses], expected)
    assert ax.lines[0].get_xdata().max() == 1


def test_means_of_few_rows_are_drawn_with_their_prediction() -> None:
    frame = scores.how_many_rows(pairs(40, 6), [1, 10], draws=3)
    ax = figures.right_over_rows(frame, plt.subplots()[1])
    by_label = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(by_label["gap that is left"].get_ydata(), frame["left"])
    np.testing.assert_allclose(by_label["predicted"].get_ydata(), frame["predicted"])


def test_bars_count_images_up_and_texts_down() -> None:
    clusters = np.array([0, 0, 1, 1, 1, 2])
    ax = group_figures.cluster_bars(clusters, 3, plt.subplots()[1])
    heights = [bar.get_height() for bar in ax.patches]
    assert sorted(heights[:3]) == [0, 1, 2]
    assert sorted(heights[3:]) == [-2, -1, 0]


def test_lines_and_dots_have_what_was_measured() -> None:
    task = two_sides(30)
    over = groups.over_gap(task, [0.0, 1.0], draws=2)
    ax = group_figures.over_closed({"drawn": over}, "v_measure", plt.subplots()[1])
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(orig=False), over["v_measure"])
    ways = {name: groups.WAYS[name] for name in (groups.UNTOUCHED, groups.BASELINE)}
    found = groups.summary(groups.measured(task, ways, draws=2))
    dots = group_figures.way_gains({"drawn": found}, "purity", plt.subplots()[1])
    (gain,) = dots.containers[0].lines[0].get_xdata(orig=False)
    assert gain == pytest.approx(found.loc[groups.BASELINE, "purity_gain"])
