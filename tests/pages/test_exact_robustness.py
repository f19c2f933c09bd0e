"""Frames of the page on the exact engine against direct computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import exact_robustness

NOISE = gu.GaussianNoise(0.3)


def sides(n: int = 12, m: int = 6, d: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    gallery = torch.tensor(rng.normal(size=(m, d)))
    return torch.tensor(rng.normal(size=(n, d)) * 0.3 + 1), torch.nn.functional.normalize(gallery)


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
