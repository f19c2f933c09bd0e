"""The sampling-free integral against quadrature over SciPy's noncentral chi-square."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from gaputils.noise import _exact
from gaputils.noise._wins import ExactWins

QUADRATURE_NODES = 300


def reference(noncentrality: np.ndarray, winner: int, dim: int) -> float:
    """P(item `winner` has the least noisy distance): Gauss-Legendre in the square root of t."""
    root = np.sqrt(noncentrality[winner] + dim)
    low, high = max(0.0, root - 9), root + 9
    x, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    s = low + (high - low) * (x + 1) / 2
    t = s * s
    weights = weights * (high - low) * s

    def law(item: float):
        return stats.ncx2(dim, item) if item > 1e-200 else stats.chi2(dim)

    product = law(noncentrality[winner]).pdf(t)
    for item in np.delete(noncentrality, winner):
        product = product * (1 - law(item).cdf(t))
    return float(weights @ product)


def exact(noncentrality: np.ndarray, winner: int, dim: int) -> float:
    """The package's answer, beside a query that keeps every item so that nothing is pruned away."""
    rows = np.stack([noncentrality, np.full_like(noncentrality, noncentrality.min())])
    wins = ExactWins(dim, [1.0], "euclidean")
    found = wins(torch.tensor(rows), [torch.tensor([winner, 0])], torch.ones(2))
    return float(found[0][0][0])


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


@pytest.mark.parametrize("dim", [2, 9, 512])
def test_normal_score_comes_with_the_derivative_of_its_signed_root(dim: int) -> None:
    q = torch.tensor([-0.7, -0.2, 0.3, 4.0], dtype=torch.float64, requires_grad=True)
    noncentrality = torch.tensor(7.0, dtype=torch.float64)
    signed_root = q * (dim * (q - torch.log1p(q)) / q**2 + noncentrality).sqrt()
    (slope,) = torch.autograd.grad(signed_root.sum(), q)
    torch.testing.assert_close(_exact.normal_score(q, noncentrality, dim)[1].detach(), slope)


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


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(1, 600),
    log_noncentrality=st.floats(-2, 5),
)
def test_quantile_inverts_survival(seed: int, dim: int, log_noncentrality: float) -> None:
    noncentrality = torch.tensor([[10.0**log_noncentrality]], dtype=torch.float64)
    score = torch.tensor(np.random.default_rng(seed).uniform(-5, 5, size=(1, 7)))
    t = _exact.quantile(score, noncentrality, dim)
    back = _exact.survival(t, noncentrality, dim)
    torch.testing.assert_close(back, torch.special.ndtr(-score), atol=2e-6, rtol=0)


@pytest.mark.parametrize("dim", [64, 300])
@pytest.mark.parametrize("noncentrality", [0.0, 1.0, 90.0, 4e3, 1e6])
def test_saddlepoint_distribution(dim: int, noncentrality: float) -> None:
    law = stats.ncx2(dim, noncentrality) if noncentrality else stats.chi2(dim)
    t = law.mean() + law.std() * np.linspace(-4, 5, 13)
    found = _exact.survival(torch.tensor(t), torch.tensor(noncentrality, dtype=torch.float64), dim)
    np.testing.assert_allclose(found.numpy(), 1 - law.cdf(t), atol=3e-5)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("dim", [4, 256])
def test_pruning_stays_within_its_bound(tolerance: float, dim: int) -> None:
    rng = np.random.default_rng(1)
    near = rng.uniform(0, 50, size=(20, 1))
    costs = torch.tensor(near + np.sort(rng.exponential(size=(20, 400)), axis=1) * 10 * dim**0.5)
    winner = [costs.argmin(dim=1)]
    whole = ExactWins(dim, [1.0], "euclidean", 1e-12)(costs, winner, torch.ones(20))[0][0]
    pruned = ExactWins(dim, [1.0], "euclidean", tolerance)(costs, winner, torch.ones(20))[0][0]
    assert float((whole - pruned).abs().max()) <= tolerance + 2e-5


@pytest.mark.parametrize("dim", [8, 64, 512])
@pytest.mark.parametrize("ratio", [1.0, 1.19, 1.59, 1.99, 2.99, 8])
def test_interpolated_survival_is_the_formulas(ratio: float, dim: int) -> None:
    """From an item at the query itself to one whose ``sqrt(lambda + d / 2)`` is `ratio` larger."""
    s = math.sqrt(dim / 2) * torch.linspace(1, ratio, 100, dtype=torch.float64)
    noncentrality = (s.square() - dim / 2).clamp_min(0)[None]
    t = _exact.quantile(_exact.NODES, noncentrality[:, :1], dim)
    found = _exact._interpolated_score(t, noncentrality, dim).double()
    q = _exact.saddlepoint(t[:, None], noncentrality[:, :, None], dim)
    expected, _ = _exact.normal_score(q, noncentrality[:, :, None], dim)
    off = torch.special.ndtr(-found) - torch.special.ndtr(-expected)
    assert float(off.abs().max()) < 5e-5


@pytest.mark.parametrize("dim", [64, 700])
def test_survival_at_the_mean_where_the_formula_is_nought_by_nought(dim: int) -> None:
    noncentrality = torch.tensor([0.5, 90.0, 4e3], dtype=torch.float64)
    for nudge in (0.0, 1e-7, -1e-7):
        t = (dim + noncentrality) * (1 + nudge)
        expected = stats.ncx2(dim, noncentrality.numpy()).sf(t.numpy())
        found = _exact.survival(t, noncentrality, dim).numpy()
        np.testing.assert_allclose(found, expected, atol=3e-5)


@pytest.mark.parametrize("same_order", [False, True])
def test_a_second_call_sorts_again_unless_the_order_is_promised(same_order: bool) -> None:
    """And even then if there are other rows, or if more items are near."""
    rng = np.random.default_rng(5)
    costs = torch.tensor(
        np.sort(rng.uniform(0, 4000, size=(6, 40)), axis=1)[:, rng.permutation(40)]
    )
    wins = ExactWins(96, [1.0], "euclidean", **({"same_order": True} if same_order else {}))

    def agree(costs: torch.Tensor) -> None:
        winner, norms = [costs.argmin(dim=1)], torch.ones(len(costs))
        fresh = ExactWins(96, [1.0], "euclidean")(costs, winner, norms)[0][0]
        torch.testing.assert_close(wins(costs, winner, norms)[0][0], fresh, atol=1e-4, rtol=0)

    for factor in (1.0, 0.9, 0.02):
        agree(factor * costs)
    agree(0.02 * costs[:4])
    if not same_order:
        agree(costs)
        agree(costs.flip(1))


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
    np.testing.assert_allclose(scaled.numpy(), 2 * np.array(best), rtol=5e-3)
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
