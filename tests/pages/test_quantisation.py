"""Quantisation beside Gaussian noise of its variance."""

from __future__ import annotations

import matplotlib as mpl
import pytest

import gaputils as gu
from gaputils.noise.perturbations import equivalent_gaussian
from gaputils.pages.quantisation import under_noises
from gaputils.scoring import nearest

mpl.use("agg")
from pages.helpers import row, task


def test_under_noises_predicts_with_the_equivalent_gaussian():
    e = task()
    noises = {"16 bins": gu.UniformQuantization(16), "gauss": gu.GaussianNoise(0.02)}
    frame = under_noises({"original": e}, noises, ["euclidean"], draws=200)
    found = row(frame, noise="16 bins")
    like = equivalent_gaussian(noises["16 bins"], e.gallery)
    assert found["variance"] == pytest.approx(like.variance)
    predicted = gu.robustness(e.queries, e.gallery, like).mean()
    assert found["predicted"] == pytest.approx(float(predicted))
    rounded = noises["16 bins"].quantize(e.gallery)
    kept = nearest(e.queries, rounded) == nearest(e.queries, e.gallery)
    assert found["robustness"] == pytest.approx(float(kept.double().mean()))
    right = nearest(e.queries, rounded) == e.targets
    assert found["right"] == pytest.approx(float(right.double().mean()))
