"""Figures of the hull: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import gaputils as gu
from gaputils.pages import hull_projection as hp
from gaputils.pages import survival
from gaputils.pages.figures import hull
from tests.pages.test_survival import NOISE, TWO, pairs


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
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(orig=False), curves[10]["gain"])
    untouched = euclidean.set_index("closing").loc["original", "robustness"]
    drawn = [line.get_ydata()[0] for line in ax.lines if line.get_label() == "original"]
    assert drawn == [pytest.approx(untouched - curves[10]["robustness"][1])], "against radius 2"
    shaped = hp.under_shaped_noise(survival.tasks(e, 10), e.gallery, 0.3, [0, 0.5])
    dots = hull.shaped_dots(shaped, plt.subplots()[1])
    assert len(dots.containers) == 3
    parts = hp.parts_over_sizes(e, [3, 6])
    bars = hull.stacked_parts(parts, plt.subplots()[1])
    tops = [bar.get_y() + bar.get_height() for bar in bars.patches[-2:]]
    np.testing.assert_allclose(tops, parts.sum(axis=1))
