"""Frames of the trade-off, engine and index pages against direct computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import exact_robustness, trade_off

NOISE = gu.GaussianNoise(0.3)
METHODS = {"original": None, "mean shift": gu.MeanShift(), "hull projection": gu.HullProjection()}


def sides(n: int = 12, m: int = 6, d: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    gallery = torch.tensor(rng.normal(size=(m, d)))
    return torch.tensor(rng.normal(size=(n, d)) * 0.3 + 1), torch.nn.functional.normalize(gallery)


def test_over_components() -> None:
    queries, gallery = sides()
    frame = trade_off.over_components(queries, gallery, [0, 2, 5, 50], NOISE)
    assert frame.components.tolist() == [0, 0, 2, 2, 5, 5]
    whole = frame[frame.components == 5]
    assert (whole.unchanged == 1).all()
    np.testing.assert_allclose(whole.right, whole.robustness)
    moved = gu.MeanShift(2).fit_transform(queries, gallery)
    row = frame[(frame.components == 2) & (frame.closing == "mean shift")].iloc[0]
    assert row.robustness == pytest.approx(float(gu.robustness(*moved, NOISE).mean()))
    nearest = torch.cdist(queries, gallery).argmin(1)
    assert row.unchanged == pytest.approx(
        float((torch.cdist(*moved).argmin(1) == nearest).double().mean())
    )
    kept = gu.accuracy_under_noise(*moved, nearest, NOISE).mean()
    assert row.right == pytest.approx(float(kept))


def test_over_radius_and_sizes() -> None:
    queries, gallery = sides()
    frame = trade_off.over_radius(queries, gallery, [0.5, 2], NOISE)
    moved = gu.HullProjection(radius=2.0).fit_transform(queries, gallery)
    assert frame.robustness[1] == pytest.approx(float(gu.robustness(*moved, NOISE).mean()))
    sizes = trade_off.over_sizes(queries, gallery, [2, 6], METHODS, NOISE)
    assert len(sizes) == 6
    assert (sizes.unchanged == 1).all()
    assert sizes.orthogonal.between(0, 1).all()
    assert sizes.orthogonal.iloc[0] > sizes.orthogonal.iloc[-1]
    plain = gu.robustness(queries, gallery[:2], NOISE).mean()
    assert sizes.robustness[0] == pytest.approx(float(plain))


def test_distance_parts_add_up_and_closing_removes_them() -> None:
    queries, gallery = sides()
    parts = trade_off.distance_parts(queries, gallery)
    assert parts.sum() == pytest.approx(
        float(torch.cdist(queries, gallery).amin(1).square().mean())
    )
    shifted = trade_off.distance_parts(*gu.MeanShift().fit_transform(queries, gallery))
    projected = trade_off.distance_parts(*gu.HullProjection().fit_transform(queries, gallery))
    assert shifted["mean offset (the gap)"] == pytest.approx(0, abs=1e-12)
    assert shifted["own offset"] == pytest.approx(parts["own offset"])
    assert projected[1:].abs().max() < 1e-12
    assert projected["within the hull"] == pytest.approx(parts["within the hull"])


def test_noise_on_the_queries_is_not_helped_by_closing() -> None:
    queries, gallery = sides(40)
    frame = trade_off.where_noise_falls(queries, gallery, METHODS, 0.3, draws=20)
    assert frame["noise on the queries"].nunique() == 1
    assert frame["noise on the gallery"].is_monotonic_increasing
    noise = gu.GaussianNoise(0.3, on="queries")
    kept, _ = gu.estimate(queries, gallery, noise, draws=400)
    error = 4 * kept.standard_error * math.sqrt(1 + 400 / 20)
    assert abs(frame.iloc[0, 1] - kept.mean) < error


def test_across_splits() -> None:
    queries, gallery = sides(30)
    frame = trade_off.across_splits(queries, gallery, METHODS, NOISE, fitted=20)
    shift = gu.MeanShift().fit(queries[:20], gallery).transform(queries[20:], gallery)
    expected = float(gu.robustness(*shift, NOISE).mean())
    assert frame.loc["mean shift", "fitted on others"] == pytest.approx(expected)
    assert (frame.unchanged == 1).all()
    hull = frame.loc["hull projection"]
    assert hull["fitted on others"] == pytest.approx(hull["fitted on these"])


def test_engine_frames() -> None:
    errors = exact_robustness.quadrature_errors([3, 64], trials=4)
    assert len(errors) == 8
    assert errors.error.max() < 1e-4
    assert ((errors.exact - errors.quadrature).abs() == errors.error).all()
    queries, gallery = sides()
    sampled = exact_robustness.monte_carlo_errors(queries, gallery, 0.3, [50, 200], seed=1)
    assert (sampled.z.abs() < 4.5).all()
    assert sampled.exact.iloc[0] == pytest.approx(
        float(gu.robustness(queries, gallery, NOISE).mean())
    )
    cost = exact_robustness.cost_of_exactness(queries, gallery, 0.3, draws=5, rounds=1)
    assert (cost > 0).all()
    assert cost["ratio"] == pytest.approx(cost["Monte Carlo, extrapolated (s)"] / cost["exact (s)"])
