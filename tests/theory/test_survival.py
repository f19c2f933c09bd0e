"""Theorems 3.4 and 3.5: what distance does to a nearest neighbour under noise on the gallery."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu

distances = st.lists(st.floats(0, 30), min_size=2, max_size=9)
dims = st.sampled_from([1, 2, 3, 10, 128, 512])
variances = st.sampled_from([0.01, 0.3, 2.0, 50.0])


@settings(max_examples=60, deadline=None)
@given(distances, variances, dims)
def test_survival_falls_as_every_distance_grows(
    squared: list[float], variance: float, dim: int
) -> None:
    """Theorem 3.4 for any number of items."""
    assert gu.theory.survival_slope(squared, variance, dim) <= 1e-12
    near = gu.theory.survival(squared, variance, dim)
    far = gu.theory.survival(np.add(squared, 3.0), variance, dim)
    assert far <= near + 1e-9


@settings(max_examples=30, deadline=None)
@given(distances, variances, dims)
def test_farthest_item_gains_what_the_others_lose(
    squared: list[float], variance: float, dim: int
) -> None:
    slopes = [
        gu.theory.survival_slope(squared, variance, dim, item=item) for item in range(len(squared))
    ]
    assert sum(slopes) == pytest.approx(0, abs=1e-9 / variance)
    assert slopes[int(np.argmax(squared))] >= -1e-12


@settings(max_examples=30, deadline=None)
@given(distances, variances, dims)
def test_probabilities_of_all_items_sum_to_one(
    squared: list[float], variance: float, dim: int
) -> None:
    total = sum(gu.theory.survival(squared, variance, dim, item=i) for i in range(len(squared)))
    assert total == pytest.approx(1, abs=1e-7)


def test_subnormal_distances_count_as_zero() -> None:
    assert gu.theory.survival([0.0, 2e-309], 0.01, 2) == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize("dim", [1, 2, 16, 300])
def test_slope_is_the_difference_quotient(dim: int) -> None:
    squared, h = np.array([0.4, 0.5, 0.9, 1.4]), 1e-4
    up, down = (gu.theory.survival(squared + s * h, 0.05, dim) for s in (1, -1))
    slope = gu.theory.survival_slope(squared, 0.05, dim)
    assert slope == pytest.approx((up - down) / (2 * h), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("dim", [1, 3, 40])
def test_survival_agrees_with_sampling(dim: int) -> None:
    generator = torch.Generator().manual_seed(dim)
    items = torch.randn(4, dim, generator=generator, dtype=torch.float64)
    query, draws, variance = items[0] + 0.3, 40_000, 0.2
    noise = torch.randn(draws, 4, dim, generator=generator, dtype=torch.float64)
    noisy = (items + variance**0.5 * noise - query).square().sum(-1).argmin(1)
    squared = (items - query).square().sum(-1)
    kept = (noisy == squared.argmin()).double().mean().item()
    exact = gu.theory.survival(squared.numpy(), variance, dim)
    assert kept == pytest.approx(exact, abs=4.5 * (exact * (1 - exact) / draws) ** 0.5)


@pytest.mark.parametrize("dim", [2, 5, 64])
def test_two_items_by_the_turning_boundary(dim: int) -> None:
    """Lemma A.1, own version: conditional on the boundary's normal the survival is one normal."""
    generator = torch.Generator().manual_seed(7)
    items = torch.randn(2, dim, generator=generator, dtype=torch.float64)
    items[1] = items[0] + 0.5 * (items[1] - items[0]) / (items[1] - items[0]).norm()
    query, variance, draws = items[0] + 0.4 / dim**0.5, 0.3 / dim**0.5, 20_000
    noise = torch.randn(draws, dim, generator=generator, dtype=torch.float64)
    normal = items[0] - items[1] + (2 * variance) ** 0.5 * noise
    height = normal @ (2 * query - items[0] - items[1])
    chance = torch.special.ndtr(height / ((2 * variance) ** 0.5 * normal.norm(dim=1)))
    squared = (items - query).square().sum(-1)
    exact = gu.theory.survival(squared.numpy(), variance, dim, item=0)
    assert chance.mean().item() == pytest.approx(exact, abs=4.5 * chance.std().item() / draws**0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.floats(-5, 5))
def test_shift_orthogonal_to_the_gallery_keeps_every_neighbour(
    seed: int, rank: int, alpha: float
) -> None:
    """Theorem 3.5."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(7, 7, generator=generator, dtype=torch.float64))[0]
    gallery = torch.randn(6, rank, generator=generator, dtype=torch.float64) @ basis[:rank] + 0.5
    queries = torch.randn(20, 7, generator=generator, dtype=torch.float64)
    before = torch.cdist(queries, gallery).square()
    after = torch.cdist(queries, gallery + alpha * basis[rank]).square()
    changes = after - before
    torch.testing.assert_close(changes, changes[:, :1].expand_as(changes), rtol=0, atol=1e-10)
    assert torch.equal(before.argmin(1), after.argmin(1))


def test_more_noise_on_the_nearest_item_turns_the_sign() -> None:
    """Where the assumption of one noise strength is needed."""
    generator = torch.Generator().manual_seed(0)
    draws, dim = 20_000, 40
    noise = torch.randn(2, draws, dim, generator=generator, dtype=torch.float64)
    noise[0] *= 0.5
    noise[1] *= 0.3
    kept = []
    for height in (0.0, 30.0):
        away = torch.zeros(2, 1, dim, dtype=torch.float64)
        away[:, 0, 0], away[1, 0, 1] = height, 0.2
        nearest, rival = (away + noise).square().sum(-1)
        kept.append((nearest < rival).double().mean().item())
    assert kept[0] < 0.1 < 0.3 < kept[1]


@pytest.mark.parametrize("d", [1, 2, 7])
def test_survival_falls_strictly_with_the_noise_unless_all_are_equally_far(d: int) -> None:
    """Two nearest that tie with a third a hair farther, and a query that sits on its item."""
    strengths = [0.1, 0.3, 1.0, 3.0, 10.0]
    for squared in ([1.0, 1.0, 1.05], [0.0, 0.2, 0.2]):
        found = [gu.theory.survival(np.array(squared), v, d) for v in strengths]
        assert (np.diff(found) < -1e-5).all()
    same = [gu.theory.survival(np.ones(3), v, d) for v in strengths]
    np.testing.assert_allclose(same, 1 / 3, atol=1e-6)
