"""Exact cosine robustness against quadrature in the plane, sampling, and what must hold of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.interpolate import CubicSpline

import gaputils as gu
from gaputils.noise import _cosine
from noise.crowds import chi_density, law_of_root

SEEDS = st.integers(0, 2**32 - 1)


def reference(along: np.ndarray, across: np.ndarray, winner: int, degrees: int) -> float:
    """P(the winner's cotangent is the greatest), over the half-plane of its two components.

    The others' distribution functions are sums over the logarithm of ``R``, splined over angles.
    """
    top = math.sqrt(across.max() + degrees) + 8
    y = np.linspace(-16, math.log(top), 1200)
    r = np.exp(y)
    x, weights = np.polynomial.legendre.leggauss(120)
    corner = float(np.clip(-along[winner], -7, 7))
    halves = (7 + corner) / 2, (7 - corner) / 2
    z = np.concatenate([-7 + halves[0] * (1 + x), corner + halves[1] * (1 + x)])
    z_weights = np.concatenate([half * weights for half in halves])
    z_weights *= np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)
    middle = math.sqrt(across[winner] + degrees)
    low, high = max(0.0, middle - 8), middle + 8
    own = low + (high - low) * (x + 1) / 2
    mass = weights * (high - low) / 2 * chi_density(own, across[winner], degrees)
    angle = np.arctan2(own, along[winner] + z[:, None])
    grid = np.linspace(0, math.pi, 1201)[1:-1]
    product = np.ones_like(angle)
    for item in range(len(along)):
        if item != winner:
            weight = r * chi_density(r, across[item], degrees) * (y[1] - y[0])
            below = special.ndtr(r / np.tan(grid)[:, None] - along[item]) @ weight
            product *= CubicSpline(grid, below)(angle)
    return float(z_weights @ product @ mass)


def exact(along: np.ndarray, across: np.ndarray, winner: int, degrees: int) -> float:
    lengths = np.sqrt(np.square(along) + across)
    found = _cosine.cosine_win(
        torch.tensor(along / lengths)[None],
        torch.tensor(lengths)[None],
        torch.tensor([winner]),
        degrees + 1,
    )
    return float(found)


CASES = [
    (dim, size, winner)
    for dim in (2, 3, 9, 40, 64, 300)
    for size in (0.3, 3.0, 12.0)
    for winner in (0, 2)
]


@pytest.mark.parametrize(("dim", "size", "winner"), CASES)
def test_equals_quadrature_in_the_plane(dim: int, size: float, winner: int) -> None:
    rng = np.random.default_rng(dim)
    along = size * np.array([0.9, 0.9, 0.8, 0.3, -0.5])
    across = np.square(size * np.array([0.4, 0.4, 0.7, 0.9, 0.3])) * rng.uniform(0.9, 1.1, 5)
    across[1] = across[0]
    error = exact(along, across, winner, dim - 1) - reference(along, across, winner, dim - 1)
    assert abs(error) < 1e-4


def sides(seed: int, n: int = 6, m: int = 7, d: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) * rng.uniform(0.5, 1.5, size=(m, 1))
    return rng.normal(size=(n, d)) + gallery[np.arange(n) % m] / 2, gallery


@pytest.mark.parametrize("dim", [2, 5, 24, 200])
@pytest.mark.parametrize("variance", [0.1, 3.0])
def test_stays_within_the_error_of_many_draws(dim: int, variance: float) -> None:
    """Drawn by plain NumPy; the probability that a correct engine fails is below 1e-4 a case."""
    queries, gallery = sides(dim, d=dim)
    targets, draws = np.arange(6) % 7, 4000
    noise = gu.GaussianNoise(variance * dim, per="vector")
    found = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring="cosine").numpy()
    rng, hits = np.random.default_rng(0), np.zeros(6)
    for _ in range(8):
        noisy = gallery + rng.normal(size=(draws // 8, *gallery.shape)) * math.sqrt(variance)
        noisy /= np.linalg.norm(noisy, axis=-1, keepdims=True)
        hits += ((noisy @ queries.T).argmax(axis=1) == targets).sum(axis=0)
    error = np.sqrt((found * (1 - found)).clip(1 / draws) / draws)
    assert (np.abs(hits / draws - found) < 4.6 * error).all()


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, dim=st.integers(2, 90), log_scale=st.floats(-4, 4))
def test_the_querys_length_and_a_common_scale_are_free(
    seed: int, dim: int, log_scale: float
) -> None:
    queries, gallery = sides(seed, 3, 4, dim)
    scale = 10.0**log_scale
    noise = gu.GaussianNoise(0.3 * dim)
    before = gu.robustness(queries, gallery, noise, scoring="cosine")
    longer = gu.robustness(queries * scale, gallery, noise, scoring="cosine")
    torch.testing.assert_close(longer, before, atol=1e-6, rtol=0)
    scaled = gu.GaussianNoise(0.3 * dim * scale**2)
    both = gu.robustness(queries, gallery * scale, scaled, scoring="cosine")
    torch.testing.assert_close(both, before, atol=1e-6, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, dim=st.integers(2, 120), log_variance=st.floats(-2, 2))
def test_win_probabilities_of_all_items_sum_to_one(
    seed: int, dim: int, log_variance: float
) -> None:
    queries, gallery = sides(seed, 2, 5, dim)
    noise = gu.GaussianNoise(10**log_variance, per="coordinate")
    total = sum(
        gu.accuracy_under_noise(queries, gallery, [item] * 2, noise, scoring="cosine")
        for item in range(5)
    )
    torch.testing.assert_close(total, torch.ones(2).double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dim", [2, 16, 300])
def test_tied_items_share_their_wins(dim: int) -> None:
    gallery = np.tile(np.eye(dim)[:1] * 2, (3, 1))
    query = np.full((1, dim), 0.1) + np.eye(dim)[:1]
    for variance in (1e-3, 0.1, 10.0):
        noise = gu.GaussianNoise(variance, per="coordinate")
        found = float(gu.robustness(query, gallery, noise, scoring="cosine"))
        assert found == pytest.approx(1 / 3, abs=2e-5)


@pytest.mark.parametrize("dim", [2, 16, 300])
def test_much_noise_leaves_chance_and_hardly_any_leaves_certainty(dim: int) -> None:
    queries, gallery = sides(4, 4, 5, dim)
    chance = gu.robustness(queries, gallery, gu.GaussianNoise(1e13), scoring="cosine")
    torch.testing.assert_close(chance, torch.full((4,), 0.2).double(), atol=1e-3, rtol=0)
    for variance in (0.0, 1e-14):
        found = gu.robustness(queries, gallery, gu.GaussianNoise(variance), scoring="cosine")
        assert bool((found > 1 - 1e-5).all())


@pytest.mark.parametrize("dim", [3, 200])
def test_what_is_left_out_stays_within_the_tolerance(dim: int) -> None:
    queries, gallery = sides(5, 4, 60, dim)
    noise = gu.GaussianNoise(0.02, per="coordinate")
    whole = gu.robustness(queries, gallery, noise, scoring="cosine", tolerance=1e-12)
    for tolerance in (1e-5, 1e-2):
        pruned = gu.robustness(queries, gallery, noise, scoring="cosine", tolerance=tolerance)
        assert float((whole - pruned).abs().max()) <= tolerance + 2e-5


def test_items_far_from_the_query_are_left_out() -> None:
    cosines = torch.tensor([[0.9, 0.8, 0.1, -0.9]]).double()
    lengths = torch.full((4,), 100.0).double()
    reach = float(_cosine.cosine_reach(cosines, lengths, 64, 1e-5))
    assert 0.1 < reach <= 0.9
    nothing_is_sure = _cosine.cosine_reach(cosines, lengths / 100, 64, 1e-5)
    assert float(nothing_is_sure) == pytest.approx(-0.9)


def test_the_more_items_may_be_left_out_the_farther_the_reach() -> None:
    """Each of them may win with a share of the tolerance alone."""
    cosines = torch.linspace(0.9, -0.9, 200)[None].double()
    lengths = torch.full((200,), 40.0).double()
    few = _cosine.cosine_reach(cosines, lengths, 64, 1e-5)
    many = _cosine.cosine_reach(cosines.repeat(1, 500), lengths.repeat(500), 64, 1e-5)
    assert -0.9 < float(many) < float(few) < 0.9


@pytest.mark.parametrize("degrees", [1, 2, 63])
@pytest.mark.parametrize("along", [0.0, 3.0])
@pytest.mark.parametrize("across", [0.0, 4.0, 1e4])
def test_the_length_of_an_items_mean_lies_within_its_bounds(
    degrees: int, along: float, across: float
) -> None:
    """Of the point whose coordinates are the mean numerator and the mean length across."""
    lengths = torch.tensor([math.hypot(along, math.sqrt(across))], dtype=torch.float64)
    near, far = (float(v) for v in _cosine._least_and_greatest(lengths, degrees + 1))
    r, mass = law_of_root(across, degrees)
    length = math.hypot(along, r @ mass)
    assert near <= length <= far
    assert far**2 == pytest.approx(along**2 + np.square(r) @ mass)
    if across == 1e4:  # where a chi is normal, of variance 1
        assert near == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize(("variance", "squared", "told"), [(4, 3e9, True), (0.25, 1e9, False)])
def test_cosines_tell_the_length_across_of_items_not_too_long_for_the_noise(
    variance: float, squared: float, told: bool
) -> None:
    items = torch.eye(3).double() * math.sqrt(squared)
    lengths = items.norm(dim=1)
    found = _cosine.squared_across(torch.ones(1, 3).double(), items, lengths, variance)
    assert (found is None) is told


def test_each_query_may_have_items_of_its_own_across_it() -> None:
    rng = np.random.default_rng(0)
    queries = 1e6 + rng.normal(size=(4, 5))
    items = 1e6 + rng.normal(size=(4, 3, 5))
    one = [torch.as_tensor(side) for side in (queries, items)]
    found = _cosine.squared_across(*one, one[1].norm(dim=2), 1.0)
    units = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    along = np.einsum("nd,nmd->nm", units.astype(np.longdouble), items)
    aside = items - along[:, :, None] * units[:, None]
    expected = torch.as_tensor(np.square(aside).sum(axis=2).astype(float))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def with_a_long_item(times: float, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(dim)
    gallery = rng.normal(size=(6, dim))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    queries = gallery[rng.integers(1, 6, 40)] + 0.9 * gallery[0]
    gallery[0] *= times
    return queries, gallery


def test_queries_near_and_far_are_answered_together_as_each_alone() -> None:
    """The near ones by quadrature, the far ones by their nearly normal law."""
    cosines = torch.tensor([[0.31, 0.30, 0.28], [0.31, 0.30, 0.28]], dtype=torch.float64)
    lengths = torch.tensor([[1.0], [60.0]], dtype=torch.float64).expand(2, 3)
    winner = torch.tensor([0, 1])
    together = _cosine.cosine_win(cosines, lengths, winner, dim=8)
    alone = [_cosine.cosine_win(cosines[[k]], lengths[[k]], winner[[k]], dim=8) for k in (0, 1)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-9)


def test_queries_beside_a_long_item_are_answered_in_parts_as_together(monkeypatch) -> None:
    sides = with_a_long_item(40.0, 64)
    together = gu.robustness(*sides, gu.GaussianNoise(1.0), scoring="cosine")
    monkeypatch.setattr(_cosine, "_AT_ONCE", 20_000)
    parts = gu.robustness(*sides, gu.GaussianNoise(1.0), scoring="cosine")
    assert 0.1 < float(together.max()) < 0.9
    torch.testing.assert_close(parts, together, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dim", [3, 64])
def test_an_item_too_long_for_the_engine_is_refused_by_name(dim: int) -> None:
    sides = with_a_long_item(1e7, dim)
    with pytest.raises(ValueError, match=r"^gallery: .* times as long as the nearest.*monte-carlo"):
        gu.robustness(*sides, gu.GaussianNoise(1.0), scoring="cosine")


def test_one_dimension_and_zero_rows_are_refused() -> None:
    noise = gu.GaussianNoise(0.1)
    with pytest.raises(ValueError, match=r"^scoring: .*one dimension.*'cosine'"):
        gu.robustness(np.ones((1, 1)), np.eye(1), noise, scoring="cosine")
    queries, gallery = sides(0)
    for zeroed in ((queries * 0, gallery), (queries, gallery * 0)):
        with pytest.raises(ValueError, match="cosine"):
            gu.robustness(*zeroed, noise, scoring="cosine")
