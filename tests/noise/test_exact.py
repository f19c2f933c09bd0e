"""The sampling-free integral against quadrature over noncentral chi-square as Poisson mixtures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

import gaputils as gu
from gaputils.noise import _exact
from noise.helpers import reference, wins


def exact(noncentrality: np.ndarray, winner: int, dim: int) -> float:
    """The package's answer, beside a query that keeps every item so that nothing is pruned away."""
    rows = np.stack([noncentrality, np.full_like(noncentrality, noncentrality.min())])
    found = wins(torch.tensor(rows), [torch.tensor([winner, 0])], dim)
    return float(found[0])


def alone(noncentrality: np.ndarray, winner: int, dim: int) -> float:
    """The package's answer for one query."""
    return float(wins(torch.tensor(noncentrality)[None], [torch.tensor([winner])], dim)[0])


def configurations(dim: int):
    """Noncentralities of one query: ties, duplicates, near and far items, none and many."""
    rng = np.random.default_rng(dim)
    scale = np.sqrt(dim)
    yield np.zeros(2), 0
    yield np.full(5, 7.0 * dim), 3
    yield np.array([0.0, 0.0, 5 * scale]), 0
    yield np.array([120.0, 127.9, 128.1, 140.0]), 0
    yield np.array([3.0, 3.0 + scale, 1e5]), 0
    yield np.array([40.0, 40.0 + scale, 45.0 + 2 * scale]), 1
    for base in (0.3, 30.0, 3000.0, 1e5):
        width = np.sqrt(dim + base)
        yield base + np.sort(rng.exponential(size=6)) * width * rng.uniform(0.2, 4), 0
    yield np.concatenate([[1.0, 1.0 + scale], np.full(4, 1e4)]), 0


@pytest.mark.parametrize("items", [1_000, 20_000, 100_000])
@pytest.mark.parametrize("dim", [1, 2, 20, 64, 512, 4096])
@pytest.mark.parametrize("noncentrality", [0.0, 100.0])
def test_keeps_its_bound_in_large_galleries(items: int, dim: int, noncentrality: float) -> None:
    """Ties, near ties, one close rival before a crowd, a crowd at four and at six deviations."""
    deviation = math.sqrt(2 * (dim + 2 * noncentrality))
    crowds = [
        ([0.0], [items], 0),
        ([0.0, 0.01], [2, items - 2], 0),
        ([0.0, 4.0], [1, items - 1], 0),
        ([0.0, 6.0], [1, items - 1], 0),
        ([0.0, 1.0, 3.0, 5.0], [1, 1, items // 10, items // 2], 1),
    ]
    for places, counts, winner in crowds:
        values = noncentrality + deviation * np.array(places)
        expected = reference(values, winner, dim, counts)
        column = sum(counts[:winner])
        assert abs(alone(np.repeat(values, counts), column, dim) - expected) < 1e-4


@pytest.mark.parametrize(
    ("dim", "items", "expected"), [(1, 20_000, 0.28461), (64, 20_000, 0.29018)]
)
def test_known_values_of_a_crowd_four_deviations_farther(
    dim: int, items: int, expected: float
) -> None:
    rivals = np.full(items - 1, 100 + 4 * math.sqrt(2 * (dim + 200)))
    assert alone(np.append(100.0, rivals), 0, dim) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("items", [2, 100, 1_000, 20_000, 100_000])
def test_inner_products_keep_the_bound_in_large_galleries(items: int) -> None:
    z, weights = np.polynomial.legendre.leggauss(400)
    z, weights = 9 * z, 9 * weights * stats.norm.pdf(9 * z)
    for lead in (-1.0, 0.0, 1.0, 3.0, 4.5, 6.0):
        scores = torch.zeros(1, items, dtype=torch.float64)
        scores[0, 0] = lead
        first = torch.zeros(1, dtype=torch.int64)
        found = float(_exact.inner_product_win(scores, first, torch.ones(1).double()))
        expected = weights @ np.exp((items - 1) * stats.norm.logcdf(z + lead))
        assert abs(found - expected) < 1e-4


def test_nodes_follow_the_number_of_items() -> None:
    counts = [len(_exact.nodes(items)) for items in (1, 2, 10, 100, 10_000, 1_000_000)]
    assert counts == sorted(counts)
    assert counts[2] < counts[-1] / 2


@pytest.mark.parametrize("offset", [1e3, 1e6])
@pytest.mark.parametrize("scoring", ["euclidean", "inner-product"])
def test_a_common_offset_costs_no_digits(offset: float, scoring: str) -> None:
    """The inner products' query stays: its noise grows with its own length."""
    rng = np.random.default_rng(3)
    queries, gallery = rng.normal(size=(20, 32)), rng.normal(size=(30, 32))
    noise = gu.GaussianNoise(1.0, per="coordinate")
    shift = offset * rng.normal(size=32)
    before = gu.robustness(queries, gallery, noise, scoring=scoring)
    moved = queries + shift if scoring == "euclidean" else queries
    after = gu.robustness(moved, gallery + shift, noise, scoring=scoring)
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 63, 64, 128, 512])
def test_equals_quadrature(dim: int) -> None:
    for noncentrality, winner in configurations(dim):
        error = exact(noncentrality, winner, dim) - reference(noncentrality, winner, dim)
        assert abs(error) < 1e-4, (noncentrality, winner, error)


@pytest.mark.parametrize("items", [2, 20, 300])
@pytest.mark.parametrize("dim", [2, 512])
def test_equidistant_items_win_equally_often(items: int, dim: int) -> None:
    assert exact(np.full(items, 900.0), items - 1, dim) == pytest.approx(1 / items, abs=3e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), items=st.integers(2, 12), dim=st.integers(1, 700))
def test_win_probabilities_of_all_items_sum_to_one(seed: int, items: int, dim: int) -> None:
    rng = np.random.default_rng(seed)
    noncentrality = rng.exponential(size=items) * 10.0 ** rng.uniform(-2, 4)
    total = sum(exact(noncentrality, item, dim) for item in range(items))
    assert total == pytest.approx(1, abs=items * 3e-5)


@pytest.mark.parametrize("dim", [1, 5])
def test_an_item_far_behind_the_nearest_of_many_does_not_win(dim: int) -> None:
    """It beats the nearest alone, eight deviations nearer, less than once in ten million times."""
    gallery = torch.zeros(20_000, dim, dtype=torch.float64)
    gallery[:, 0] = 28.5 + 0.5 * torch.linspace(0, 1, 20_000, dtype=torch.float64)
    gallery[0, 0] = 20.5
    query, noise = torch.zeros(1, dim, dtype=torch.float64), gu.GaussianNoise(float(dim))
    for target in (1, 2, 19_999):
        assert 0 <= float(gu.accuracy_under_noise(query, gallery, [target], noise)) < 1e-7
    assert float(gu.robustness(query, gallery, noise)) > 0.99


def test_an_answer_does_not_depend_on_the_other_queries() -> None:
    """Nor on how far their items are: each is fitted over a range of its own."""
    rng = np.random.default_rng(4)
    near = np.array([[1.0], [300.0], [2e4]]) + np.sort(rng.exponential(40, size=(3, 30)), axis=1)
    costs, first = torch.tensor(near), torch.zeros(3, dtype=torch.int64)
    together = _exact.euclidean_win(costs, first, 128, 1.0)
    alone = torch.cat(
        [_exact.euclidean_win(costs[i : i + 1], first[:1], 128, 1.0) for i in range(3)]
    )
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dim", [2, 64, 512])
def test_reach_is_the_best_of_chernoffs_bounds(dim: int) -> None:
    near, items, tolerance = np.array([0.0, 3.0, 80.0, 5e3]), 40, 1e-4

    def bound(s: float, own: float) -> float:
        budget = np.log(items / tolerance) - dim / 2 * np.log1p(-4 * s * s)
        return (1 + 2 * s) * (budget + own * s / (1 - 2 * s)) / s

    best = [
        minimize_scalar(bound, bounds=(1e-6, 0.49), args=(own,), method="bounded").fun
        for own in near
    ]
    found = _exact.euclidean_reach(torch.tensor(near), dim, 2.0, items, tolerance)
    scaled = _exact.euclidean_reach(torch.tensor(2 * near), dim, 2.0, items, tolerance)
    assert (scaled.numpy() >= 2 * np.array(best) * (1 - 1e-6)).all()
    np.testing.assert_allclose(scaled.numpy(), 2 * np.array(best), rtol=0.15)
    assert bool((found < scaled).logical_or(torch.tensor(near) == 0).all())


@pytest.mark.parametrize("dim", [2, 64, 512])
def test_reach_bounds_the_chance_of_the_items_left_out(dim: int) -> None:
    nearest = torch.tensor([0.0, 3.0, 80.0, 5e3], dtype=torch.float64)
    tolerance = 1e-3
    reach = _exact.euclidean_reach(nearest, dim, 1.0, 1, tolerance)
    for near, far in zip(nearest.numpy(), reach.numpy(), strict=True):
        assert far >= near
        assert reference(np.array([near, far]), 1, dim) <= tolerance
    scores = _exact.inner_product_reach(nearest, torch.ones(4, dtype=torch.float64), 1, tolerance)
    lead = (nearest - scores).numpy()
    assert (stats.norm.sf(lead / np.sqrt(2)) <= tolerance * (1 + 1e-9)).all()


@pytest.mark.parametrize(("items", "tolerance"), [(1, 0.9), (1, 1e-3), (50, 1e-3), (10**6, 1e-5)])
def test_inner_product_reach_leaves_out_no_more_than_it_may(items: int, tolerance: float) -> None:
    best, deviation = torch.tensor([0.3, -2.0]).double(), torch.tensor([0.7, 4.0]).double()
    reach = _exact.inner_product_reach(best, deviation, items, tolerance)
    beaten = stats.norm.sf(((best - reach) / deviation).numpy() / np.sqrt(2))
    np.testing.assert_allclose(items * beaten, min(tolerance, items / 2), rtol=1e-6)


def test_inner_product_of_two_items_is_one_normal() -> None:
    lead, deviation = np.linspace(0, 4, 9), 0.7
    scores = torch.tensor(np.stack([lead, np.zeros(9)], axis=1))
    first = torch.zeros(9, dtype=torch.int64)
    found = _exact.inner_product_win(scores, first, torch.full((9,), deviation).double())
    expected = stats.norm.cdf(lead / (deviation * np.sqrt(2)))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)
