"""Few dimensions and strong noise: what enters the integral beside SciPy's distributions."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats

from gaputils.noise import _few
from gaputils.noise._exact import nodes


def quantities(
    noncentrality: np.ndarray, winner: int, dim: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantiles of the nearest item at the nodes, weights (nodes,) and scores (nodes, k)."""
    x = nodes(len(noncentrality))
    weights, score = _few.weights_and_scores(
        torch.tensor(noncentrality)[None], torch.tensor([winner]), dim, x
    )
    t = stats.ncx2.ppf(stats.norm.cdf(x.numpy()), dim, noncentrality.min())
    return t, weights[:, 0].numpy(), score[:, :, 0].numpy()


@pytest.mark.parametrize("dim", [1, 3, 40])
@pytest.mark.parametrize("items", [4, 60])
def test_scores_are_the_normal_ones_of_each_items_distance(dim: int, items: int) -> None:
    """Of few items one by one, of many through Chebyshev points."""
    rng = np.random.default_rng(dim)
    noncentrality = 2 + np.sort(rng.exponential(size=items)) * 8
    t, _, score = quantities(noncentrality, 0, dim)
    expected = stats.ncx2.cdf(t[:, None], dim, noncentrality)
    np.testing.assert_allclose(stats.norm.cdf(score), expected, atol=1e-6)


@pytest.mark.parametrize("dim", [1, 2, 30])
def test_weights_are_the_winners_chance_to_be_there(dim: int) -> None:
    """Each is its density over the nearest item's, times what the nearest item has there."""
    noncentrality = np.array([1.5, 4.0, 9.0])
    x = nodes(3).numpy()
    share = stats.norm.pdf(x) * (x[1] - x[0])
    for winner, own in enumerate(noncentrality):
        t, weights, _ = quantities(noncentrality, winner, dim)
        ratio = stats.ncx2.pdf(t, dim, own) / stats.ncx2.pdf(t, dim, noncentrality[0])
        np.testing.assert_allclose(weights, share * ratio, rtol=1e-5)
        if winner == 0:
            assert weights.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dim", [1, 2, 5, 32, 2000])
def test_the_series_of_a_density_holds_where_it_overflows(dim: int) -> None:
    b, x = dim / 2, np.array([0.0, 1e-3, 10.0, 8e4, 1e5, 2e5, 1e6])
    with mp.workdps(40):
        expected = [float(mp.log(mp.hyp0f1(b, value))) for value in x]
    np.testing.assert_allclose(_few._log_hyp0f1(b, x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dim", [64, 200])
@pytest.mark.parametrize("noncentrality", [0.0, 5.0, 300.0])
def test_the_saddlepoint_formula_is_right_to_its_bound(dim: int, noncentrality: float) -> None:
    mean, deviation = dim + noncentrality, (2 * dim + 4 * noncentrality) ** 0.5
    t = mean + deviation * np.linspace(-4, 4, 81)
    score = _few._saddlepoint_score(t, np.array(noncentrality), dim)
    expected = stats.ncx2.cdf(t, dim, noncentrality)
    np.testing.assert_allclose(stats.norm.cdf(score), expected, atol=3e-5)


def test_what_is_too_far_down_stays_finite() -> None:
    score = _few._scipy_score(np.array([1e-9, 1.0]), np.array([500.0, 500.0]), 3)
    assert np.isfinite(score).all()
    assert (score <= -14).all()
