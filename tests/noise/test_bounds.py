"""The bounds from pairs: around the exact value, equal to it for two items, as published."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import gaputils as gu
from gaputils.noise.bounds import sandwich
from gaputils.scoring import SCORINGS

ERROR = 1e-4


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(2, 100),
    items=st.integers(1, 9),
    log_variance=st.floats(-3, 2),
    scoring=st.sampled_from(SCORINGS),
    right=st.booleans(),
)
def test_holds_the_exact_value(seed, dim, items, log_variance, scoring, right) -> None:
    rng = np.random.default_rng(seed)
    queries, gallery = rng.normal(size=(2, dim)) + 1, rng.normal(size=(items, dim))
    noise = gu.GaussianNoise(10**log_variance, per="coordinate")
    targets = rng.integers(0, items, size=2)
    if right:
        exact = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring)
        lower, upper = sandwich(queries, gallery, noise, targets=targets, scoring=scoring)
    else:
        exact = gu.robustness(queries, gallery, noise, scoring=scoring)
        lower, upper = sandwich(queries, gallery, noise, scoring=scoring)
    assert bool((lower <= exact + ERROR).all())
    assert bool((exact <= upper + ERROR).all())
    if items == 2:
        torch.testing.assert_close(lower, upper)
        torch.testing.assert_close(exact, upper, atol=ERROR, rtol=0)


@pytest.mark.parametrize(
    ("items", "variance", "expected"),
    [(100, 0.005, (0.860, 0.874, 0.890)), (500, 0.04, (0.601, 0.699, 0.792))],
)
def test_on_published_clip(published, items: int, variance: float, expected) -> None:
    e = published("liang2022-clip-coco")
    queries, gallery = torch.nn.functional.normalize(e.queries), e.gallery[:items]
    gallery = torch.nn.functional.normalize(gallery)
    noise = gu.GaussianNoise(variance)
    lower, upper = sandwich(queries, gallery, noise)
    found = lower.mean(), gu.robustness(queries, gallery, noise).mean(), upper.mean()
    assert [float(value) for value in found] == pytest.approx(expected, abs=6e-4)


def test_two_items_in_many_dimensions_have_the_normal_form() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(5, 512)), rng.normal(size=(2, 512))
    near, far = np.sort(np.square(queries[:, None] - gallery).sum(axis=2), axis=1).T
    for v in (0.1, 3.0):
        lower, _ = sandwich(queries, gallery, gu.GaussianNoise(v, per="coordinate"))
        spread = 2 * math.sqrt(v) * np.sqrt(near + far + 512 * v)
        np.testing.assert_allclose(lower, stats.norm.cdf((far - near) / spread), atol=2e-3)


def test_noise_that_has_no_exact_answer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^method: .*UniformQuantization"):
        sandwich(np.eye(3), np.eye(3), gu.UniformQuantization(4))


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_blocks_of_queries_change_nothing(
    scoring: str, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(7, 6)), rng.normal(size=(5, 6))
    arguments = {"targets": [0, 1, 2, 3, 4, 0, 1] if right else None, "scoring": scoring}
    whole = sandwich(queries, gallery, gu.GaussianNoise(0.5), **arguments)
    monkeypatch.setattr("gaputils.noise.bounds._PAIRS", 10)
    parts = sandwich(queries, gallery, gu.GaussianNoise(0.5), **arguments)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)


def test_what_it_cannot_bound_is_refused_by_name() -> None:
    noise, rows = gu.GaussianNoise(0.5), np.eye(3)
    with pytest.raises(ValueError, match=r"^targets: "):
        sandwich(rows, rows, noise, targets=[0, 1, 3])
    for name, sides in {"queries": (0 * rows, rows), "gallery": (rows, 0 * rows)}.items():
        with pytest.raises(ValueError, match=rf"^{name}: .*cosine"):
            sandwich(*sides, noise, scoring="cosine")
    with pytest.raises(ValueError, match=r"^scoring: .* a cosine is a sign, got 'cosine'"):
        sandwich(rows[:, :1] + 1, rows[:, :1] + 1, noise, scoring="cosine")
