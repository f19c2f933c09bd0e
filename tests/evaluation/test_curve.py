"""Curves over alpha against robustness of each alpha computed on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from gaputils.closing import Closing
from gaputils.scoring import SCORINGS, nearest

ALPHAS = (-0.5, 0.0, 0.3, 1.0, 1.7, 4.0)
NOISES = (gu.GaussianNoise(0.0), gu.GaussianNoise(0.05), gu.GaussianNoise(1.0, per="coordinate"))


class Swap(Closing):
    """Moves both sides, and rankings with them."""

    def _fit(self, queries, gallery):  # noqa: ARG002
        self.offset_ = gallery.mean(dim=0)

    def _transform(self, queries, gallery):
        return queries.flip(1), gallery * 0.5 - self.offset_


def sides(seed: int = 0, n: int = 7, m: int = 6, d: int = 9):
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return rng.normal(size=(n, d)) * 0.5 + 0.3, gallery, np.arange(n) % m


def between(start: torch.Tensor, end: torch.Tensor, alpha: float) -> torch.Tensor:
    return (1 - alpha) * start + alpha * end


@pytest.mark.parametrize(
    "closing",
    [
        gu.MeanShift(),
        gu.MeanShift(n_components=2),
        gu.HullProjection(),
        gu.HullProjection(radius=2.0),
        gu.HullProjection(radius=0.2),
        gu.HullProjection(radius="auto", center=True),
        Swap(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_each_row_is_the_robustness_there(closing: Closing, scoring: str) -> None:
    queries, gallery, targets = sides()
    x, y = torch.tensor(queries), torch.tensor(gallery)
    frame = gu.robustness_curve(
        queries, gallery, closing, ALPHAS, NOISES, targets=targets, scoring=scoring
    )
    assert len(frame) == len(ALPHAS) * len(NOISES)
    moved = closing.fit(queries, gallery).transform(queries, gallery)
    base = nearest(x, y, scoring)
    for row in frame.itertuples():
        noise = next(noise for noise in NOISES if repr(noise) == row.noise)
        a, b = between(x, moved[0], row.alpha), between(y, moved[1], row.alpha)
        found = gu.robustness(a, b, noise, scoring=scoring).mean()
        noisy = gu.accuracy_under_noise(a, b, targets, noise, scoring=scoring).mean()
        now = nearest(a, b, scoring)
        assert row.robustness == pytest.approx(float(found), abs=2e-6)
        assert row.right == pytest.approx(float(noisy), abs=2e-6)
        assert row.accuracy == pytest.approx(float((now == torch.tensor(targets)).double().mean()))
        assert row.unchanged == pytest.approx(float((now == base).double().mean()))


@pytest.mark.parametrize("closing", [gu.MeanShift(), gu.HullProjection(radius=2.0), Swap()])
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6])
@pytest.mark.parametrize("dim", [24, 64])
def test_a_common_offset_costs_no_digits(
    closing: Closing, scoring: str, offset: float, dim: int
) -> None:
    """The curve sums products of both ends, in which a large offset would drown the rest."""
    rng = np.random.default_rng(3)
    shift = offset * rng.normal(size=dim)
    x = torch.tensor(shift + rng.normal(size=(30, dim)) + 0.5)
    y = torch.tensor(shift + rng.normal(size=(20, dim)))
    noises = [gu.GaussianNoise(v, per="coordinate") for v in (0.1, 1.0)]
    moved = closing.fit(x, y).transform(x, y)
    frame = gu.robustness_curve(x, y, closing, [0.0, 0.3, 1.0, 1.7], noises, scoring=scoring)
    for row in frame.itertuples():
        noise = next(noise for noise in noises if repr(noise) == row.noise)
        here = torch.lerp(x, moved[0], row.alpha), torch.lerp(y, moved[1], row.alpha)
        expected = float(gu.robustness(*here, noise, scoring=scoring).mean())
        assert row.robustness == pytest.approx(expected, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), alpha=st.floats(-2, 3), m=st.integers(1, 6))
def test_alpha_is_the_mean_shifts_own(seed: int, alpha: float, m: int) -> None:
    queries, gallery, _ = sides(seed, m=m)
    noise = gu.GaussianNoise(0.5)
    row = gu.robustness_curve(queries, gallery, gu.MeanShift(), [alpha], noise).iloc[0]
    moved = gu.MeanShift(alpha=alpha).fit(queries, gallery).transform(queries, gallery)
    assert row.robustness == pytest.approx(float(gu.robustness(*moved, noise).mean()), abs=2e-6)
    assert row.unchanged == 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_curve_rises_to_one_and_is_symmetric_about_it(seed: int) -> None:
    """Exactly so if every query has the same component along the shift (`alpha* = 1` for all)."""
    queries, gallery, _ = sides(seed)
    queries, gallery = queries - queries.mean(0), np.pad(gallery, ((0, 0), (0, 1)))
    queries = np.pad(queries, ((0, 0), (0, 1)), constant_values=2.0)
    queries[:, :-1] = gallery[:, :-1][np.arange(len(queries)) % len(gallery)]
    alphas = [0.0, 0.5, 1.0, 1.5, 2.0]
    frame = gu.robustness_curve(queries, gallery, gu.MeanShift(), alphas, gu.GaussianNoise(0.8))
    found = frame.robustness.to_numpy()
    assert (np.diff(found[:3]) >= -1e-5).all()
    np.testing.assert_allclose(found, found[::-1], atol=2e-5)


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product", "cosine"])
@pytest.mark.parametrize("seed", [3, None, "generator"])
def test_monte_carlo_curve_draws_one_noise_for_all_alphas(scoring: str, seed) -> None:
    queries, gallery, targets = sides(1)
    given = torch.Generator().manual_seed(3) if seed == "generator" else seed
    frame = gu.robustness_curve(
        queries,
        gallery,
        gu.HullProjection(),
        [0.5, 0.5, 1.0],
        [gu.GaussianNoise(0.4), gu.UniformQuantization(4)],
        targets=targets,
        method="monte-carlo",
        scoring=scoring,
        draws=40,
        seed=given,
    )
    first, second = frame[:2], frame[2:4]
    assert (first.robustness.to_numpy() == second.robustness.to_numpy()).all()
    assert (frame.standard_error[frame.variance.isna()] == 0).all()
    moved = gu.HullProjection().fit_transform(queries, gallery)
    if seed is not None:
        alone = gu.estimate(*moved, gu.GaussianNoise(0.4), scoring=scoring, draws=40, seed=3)[0]
        assert frame.robustness.iloc[4] == pytest.approx(alone.mean, abs=0.02)
        assert frame.standard_error.iloc[4] == pytest.approx(alone.standard_error, rel=0.3)


def test_monte_carlo_and_exact_curves_agree() -> None:
    queries, gallery, targets = sides(2, n=30)
    arguments = (queries, gallery, gu.MeanShift(), [0.0, 1.0], [gu.GaussianNoise(0.5)])
    exact = gu.robustness_curve(*arguments, targets=targets)
    sampled = gu.robustness_curve(*arguments, targets=targets, method="monte-carlo", draws=1500)
    error = (exact.robustness - sampled.robustness).abs()
    assert (error < 4 * sampled.standard_error).all()
    assert (exact.accuracy == sampled.accuracy).all()
    assert (exact.unchanged == sampled.unchanged).all()
    assert list(exact.columns) == [c for c in sampled.columns if c != "standard_error"]


def test_many_queries_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery, targets = sides(3, n=23)
    arguments = (queries, gallery, gu.MeanShift(), [0.0, 0.5, 1.0], NOISES[1])
    whole = gu.robustness_curve(*arguments, targets=targets)
    monkeypatch.setattr("gaputils.evaluation.curve._CHUNK", 5 * len(gallery))
    parts = gu.robustness_curve(*arguments, targets=targets)
    np.testing.assert_allclose(
        parts.select_dtypes("number"), whole.select_dtypes("number"), atol=1e-6
    )


def test_variance_is_the_total_one() -> None:
    queries, gallery, _ = sides()
    noises = [gu.GaussianNoise(0.3), gu.GaussianNoise(0.3, per="coordinate")]
    frame = gu.robustness_curve(queries, gallery, gu.MeanShift(), [0.0], noises)
    assert frame.variance.iloc[0] == 0.3
    assert math.isnan(frame.variance.iloc[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"closing": "shift"}, TypeError, "closing: expected a closing method.* got 'shift'"),
        ({"alphas": [0.0, math.nan]}, ValueError, "alphas: .* got nan"),
        ({"alphas": ["1"]}, TypeError, "alphas: expected a number, got str '1'"),
        ({"noises": [gu.UniformQuantization(4)]}, ValueError, "method: 'exact' is for Gaussian"),
        ({"scoring": "manhattan"}, ValueError, "scoring: .* got 'manhattan'"),
        ({"method": "guess"}, ValueError, "method: .* got 'guess'"),
        ({"noises": []}, ValueError, "noises: expected at least one noise, got none"),
        ({"noises": 0.04}, TypeError, "noises: expected a list of noises, got float 0.04"),
        ({"alphas": []}, ValueError, "alphas: expected at least one number, got none"),
        ({"alphas": 1}, TypeError, "alphas: expected a list of numbers, got int 1"),
        ({"alphas": [0, 1e200]}, ValueError, r"alphas: expected a number in \[-.*, got 1e\+200"),
        ({"alphas": [-1e200]}, ValueError, r"alphas: expected a number in \[-.*, got -1e\+200"),
        ({"targets": [0, 1]}, ValueError, r"targets: expected shape \(7,\), got \(2,\)"),
        ({"targets": [6] * 7}, ValueError, r"targets: expected indices in \[0, 6\)"),
        ({"targets": [0.0] * 7}, TypeError, "targets: expected integers"),
        ({"tolerance": 0.0}, ValueError, "tolerance: .* got 0.0"),
        ({"method": "monte-carlo", "draws": 0}, ValueError, "draws: .* got 0"),
        ({"method": "monte-carlo", "seed": -1}, ValueError, "seed: .* got -1"),
    ],
)
def test_bad_arguments(change: dict, error: type[Exception], message: str) -> None:
    queries, gallery, _ = sides()
    arguments = {"closing": gu.MeanShift(), "alphas": [0.0], "noises": [NOISES[1]], **change}
    with pytest.raises(error, match=message):
        gu.robustness_curve(queries, gallery, **arguments)


@pytest.mark.parametrize("method", ["exact", "monte-carlo"])
@pytest.mark.parametrize("scoring", ["euclidean", "inner-product", "cosine"])
def test_steps_reach_to_the_end_of_the_range_of_the_numbers(method: str, scoring: str) -> None:
    queries, gallery, _ = sides()
    queries, gallery = queries.astype(np.float32), gallery.astype(np.float32)
    far = 1e150 if method == "exact" else 1e15
    given = gu.NaiveShift(), [-far, far], gu.GaussianNoise(0.1)
    curve = gu.robustness_curve(queries, gallery, *given, method=method, scoring=scoring, draws=3)
    assert curve[["robustness", "unchanged"]].notna().all(axis=None)
    given = gu.NaiveShift(), [far * 1e5], gu.GaussianNoise(0.1)
    with pytest.raises(ValueError, match="alphas: expected a number in"):
        gu.robustness_curve(queries, gallery, *given, method=method, scoring=scoring)


def test_a_large_step_along_zeros_is_taken() -> None:
    zeros = np.zeros((3, 2))
    curve = gu.robustness_curve(zeros, zeros, gu.NaiveShift(), [1e150], gu.GaussianNoise(0.1))
    assert curve["unchanged"].tolist() == [1.0]
