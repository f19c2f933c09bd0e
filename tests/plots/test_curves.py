"""Curves of robustness: a line a variance, points and accuracy."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.plots import robustness_curves


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_curves_have_a_line_a_variance_points_and_accuracy(ax) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, gallery = (
        torch.randn(20, 8, generator=generator),
        torch.randn(4, 8, generator=generator),
    )
    arguments = (queries, gallery, gu.MeanShift(), [0.0, 1.0])
    noises = [gu.GaussianNoise(v) for v in (0.1, 0.2)]
    exact = gu.robustness_curve(*arguments, noises, targets=torch.zeros(20, dtype=torch.long))
    sampled = gu.robustness_curve(*arguments, noises, method="monte-carlo", draws=20)
    robustness_curves(exact, ax, points=sampled)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    for variance in (0.1, 0.2):
        rows = exact[exact["variance"] == variance]
        np.testing.assert_array_equal(drawn[f"σ² = {variance:g}"], rows["robustness"])
    assert len(ax.containers) == 2
    assert drawn["clean accuracy"].tolist() == exact.drop_duplicates("alpha")["accuracy"].tolist()
    bare = robustness_curves(exact, plt.figure().add_subplot(), legend=False)
    assert bare.get_legend() is None
