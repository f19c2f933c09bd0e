"""Statements that are false, each held by its counterexample and by the statement that is true.

Pure mathematics: NumPy, SciPy and sampling, none of the package's engines but the slow reference
`theory.survival`.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

import gaputils as gu

Array = NDArray[np.float64]


def first(query: Array, gallery: Array, variance: float) -> float:
    """P(the nearest item stays so), the noise's variance per coordinate."""
    return gu.theory.survival(((query - gallery) ** 2).sum(1), variance, len(query))


def sampled(query: Array, gallery: Array, noise: Array) -> float:
    """The share of draws of `noise` (draws, m, d) that leave the nearest item the nearest."""
    nearest = ((query - gallery) ** 2).sum(1).argmin()
    return float((((query - gallery - noise) ** 2).sum(-1).argmin(1) == nearest).mean())


def test_the_mean_shift_can_lower_the_mean_robustness() -> None:
    """One shift for all: it takes two queries from the hull's height 4 and lifts eight off it."""
    gallery = np.array([[0.5, 0.0], [-0.5, 0.0]])
    queries = np.array([[0.08, 0.0]] * 8 + [[3.0, 4.0]] * 2)
    gap = queries.mean(0) - gallery.mean(0)
    shift = np.array([0.0, gap[1]])
    before = np.mean([first(q, gallery, 0.025) for q in queries])
    after = np.mean([first(q, gallery + shift, 0.025) for q in queries])
    projected = np.mean([first(q * [1, 0], gallery, 0.025) for q in queries])
    assert before == pytest.approx(0.805, abs=5e-4)
    assert after == pytest.approx(0.717, abs=5e-4)
    assert projected > before


def seen_from(ratio: float, draws: int = 20_000) -> tuple[float, float, float]:
    """Kept under all the noise, under its part along the line of sight and under the rest."""
    random = np.random.default_rng(0)
    gallery = random.normal(size=(20, 16))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    query = gallery[0] + 0.2 * random.normal(size=16) / 4
    query *= ratio / np.linalg.norm(query)
    noise = random.normal(size=(draws, 20, 16)) / 4
    sight = (query - gallery) / np.linalg.norm(query - gallery, axis=1, keepdims=True)
    along = (noise * sight).sum(-1, keepdims=True) * sight
    return (
        sampled(query, gallery, noise),
        sampled(query, gallery, along),
        sampled(query, gallery, noise - along),
    )


def test_from_afar_the_noise_along_the_line_of_sight_is_all_that_matters() -> None:
    whole, along, across = seen_from(300)
    assert whole == pytest.approx(along, abs=2e-3)
    assert across > 0.999
    assert whole < 0.9


def test_from_near_both_parts_of_the_noise_matter() -> None:
    whole, along, across = seen_from(1)
    assert whole < min(along, across) - 0.1
    assert max(along, across) < 0.99


def test_far_away_a_scaled_query_is_scored_by_inner_product() -> None:
    random = np.random.default_rng(1)
    gallery = random.normal(size=(20, 16))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    query = random.normal(size=16)
    noise = 0.2 * random.normal(size=(4000, 20, 16))
    moved = gallery + noise
    far = 1e6 * query
    by_distance = ((moved**2).sum(-1) - 2 * moved @ far).argmin(1)
    assert (by_distance == (moved @ query).argmax(1)).all()


def lost(ratio: float, variance: float) -> float:
    """P(the farther of two items of cosines .9 and -.3 comes first), seen from `ratio`."""
    squared = [1 + ratio**2 - 2 * ratio * cosine for cosine in (0.9, -0.3)]
    return gu.theory.survival(squared, variance, 2, item=1)


def certificate_radius(nearest: float, second: float) -> float:
    low, high = np.arccos([nearest, second])
    return float(np.cos((high - low) / 2) / np.cos((high + low) / 2))


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.4, 0.99), st.floats(0.02, 1.5))
def test_certificate_optimal_radius_maximises_the_certificate(cosine: float, turn: float) -> None:
    low = np.arccos(cosine)
    high = min(low + turn, np.pi - 0.05 - low)
    if high <= low:
        return
    ratio = certificate_radius(np.cos(low), np.cos(high))
    grid = np.linspace(0.3, 3, 4001) * ratio

    def margin(rho: Array) -> Array:
        distances = np.sqrt(1 + rho**2 - 2 * rho * np.cos([[low], [high]]))
        return np.asarray(distances[1] - distances[0])

    assert margin(np.array([ratio]))[0] >= margin(grid).max() - 1e-12


def test_the_normal_approximation_is_not_the_best_radius_as_the_noise_vanishes() -> None:
    """Cosines .9 and -.3: the certificate says 1.91, 2/(cos + cos) says 3.33."""
    certificate, approximation = certificate_radius(0.9, -0.3), 2 / (0.9 - 0.3)
    assert certificate == pytest.approx(1.9097, abs=1e-4)
    grid = np.linspace(1.5, 2.5, 41)
    best = [grid[np.argmin([lost(ratio, v) for ratio in grid])] for v in (0.05, 0.005)]
    assert abs(best[1] - certificate) < min(0.05, abs(best[0] - certificate))
    assert lost(approximation, 0.005) > 15 * lost(certificate, 0.005)


def inner(query: Array, gallery: Array, deviation: float = 1.0) -> float:
    """P(the first item stays so) under inner products, by Gauss-Hermite quadrature."""
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    scores = np.sort(gallery @ query)[::-1] / (np.linalg.norm(query) * deviation)
    value = norm.cdf(z[:, None] + scores[0] - scores[1:]).prod(1)
    return float(weights @ value / weights.sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_on_a_line_no_change_of_the_query_beats_its_projection(seed: int) -> None:
    """With dim U = 1 the projected query is optimal among all queries of its ranking."""
    random = np.random.default_rng(seed)
    direction = random.normal(size=5)
    gallery = random.normal(size=5) + np.outer([0.0, 1.0, 2.5], direction)
    query = random.normal(size=5)
    projected = (query @ direction) / (direction @ direction) * direction
    best = inner(projected, gallery)
    for other in random.normal(size=(20, 5)):
        same = np.sign(other @ direction) == np.sign(query @ direction)
        if same:
            assert inner(other, gallery) <= best + 1e-12


TRIANGLE = np.array([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])


def at(degrees: float) -> Array:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def test_in_two_dimensions_another_query_of_the_ranking_can_be_more_robust() -> None:
    """And the most robust may lie on the border of the ranking's cell, where two items tie."""
    cell = [5.0, 10.0, 30.0, 55.0]
    assert all((np.argsort(-TRIANGLE @ at(a)) == [0, 1, 2]).all() for a in cell)
    values = [inner(at(a), TRIANGLE) for a in cell]
    assert (np.diff(values) < -1e-3).all()
    on_the_border = inner(at(0.0), TRIANGLE)
    assert on_the_border > values[0]
    nearer = [inner(at(a), TRIANGLE) for a in (1.0, 0.1, 0.01)]
    assert (np.diff(nearer) > 0).all()
    assert nearer[-1] < on_the_border


def test_with_correlated_noise_the_projection_can_be_worse() -> None:
    gallery = np.array([[0.5, 0.0], [-0.5, 0.0]])
    above, on_hull = np.array([0.2, -0.4]), np.array([0.2, 0.0])
    draws = np.sqrt(0.3) * np.random.default_rng(0).normal(size=(200_000, 2, 2))
    correlated = draws @ np.linalg.cholesky([[1.0, 0.8], [0.8, 1.0]]).T
    assert sampled(above, gallery, correlated) > sampled(on_hull, gallery, correlated) + 0.03
    assert sampled(above, gallery, draws) < sampled(on_hull, gallery, draws) - 0.005


def test_noise_that_differs_from_item_to_item_can_make_distance_help() -> None:
    gallery = np.array([[0.5, 0.0], [-0.5, 0.0]])
    strengths = np.array([1.5, 0.1])[:, None]
    noise = strengths * np.random.default_rng(0).normal(size=(200_000, 2, 2))
    near, far = (sampled(np.array([0.1, h]), gallery, noise) for h in (0.0, 50.0))
    assert near < 0.3
    assert far == pytest.approx(0.5, abs=0.05)


def test_scaling_changes_the_difference_of_squares_and_a_shift_can_lengthen_single_distances() -> (
    None
):
    """Of rank-preserving closings the projection alone keeps b² - a² and shrinks a + b for all."""
    gallery = np.array([[0.6, 0.8, 0.0], [0.6, -0.8, 0.0]])
    query = np.array([0.9, 0.3, 0.5])

    def squares(q: Array, moved: Array = gallery) -> Array:
        return np.sort(((q - moved) ** 2).sum(1))

    projected = np.array([0.6, 0.3, 0.0])
    centre = np.array([0.6, 0.0, 0.0])
    scaled = centre + 2 * (projected - centre)
    difference = np.diff(squares(query))[0]
    assert np.diff(squares(projected))[0] == pytest.approx(difference)
    assert np.diff(squares(scaled))[0] == pytest.approx(2 * difference)
    low = query * [1, 1, 0]
    shifted = gallery + np.array([0.0, 0.0, 0.5])
    assert np.sqrt(squares(low, shifted)).sum() > np.sqrt(squares(low)).sum()


def test_renormalising_unequal_norms_voids_the_projected_origin_but_not_the_circumcentre() -> None:
    """Three items of norms 1, 2 and 3: the projected origin is no circumcentre, and one exists."""
    random = np.random.default_rng(0)
    gallery = random.normal(size=(3, 8))
    gallery *= np.array([1.0, 2.0, 3.0])[:, None] / np.linalg.norm(gallery, axis=1)[:, None]
    basis = np.linalg.qr((gallery[1:] - gallery[0]).T)[0]
    projected_origin = gallery[0] - basis @ (basis.T @ gallery[0])
    assert np.ptp(np.linalg.norm(gallery - projected_origin, axis=1)) > 0.5
    offsets = gallery[1:] - gallery[0]
    inside = np.linalg.solve(2 * offsets @ basis, (offsets**2).sum(1))
    centre = gallery[0] + basis @ inside
    assert np.ptp(np.linalg.norm(gallery - centre, axis=1)) < 1e-12
    changed = 0
    for query in random.normal(size=(200, 8)):
        ranking = ((query - gallery) ** 2).sum(1).argsort()
        projected = gallery[0] + basis @ (basis.T @ (query - gallery[0]))
        for ratio in (0.2, 5.0, 50.0):
            about = centre + ratio * (projected - centre)
            assert (((about - gallery) ** 2).sum(1).argsort() == ranking).all()
        wrong = projected_origin + 5 * (projected - projected_origin)
        changed += (((wrong - gallery) ** 2).sum(1).argsort() != ranking).any()
    assert changed > 20


def test_where_the_gap_is_not_flat_more_than_its_mass_can_draw_a_point_nearer() -> None:
    """On a line: of the y the first receives more than 1, and descent moves both towards the x."""
    x, y, tau = np.array([0.0, 0.6]), np.array([1.0, 1.5]), 0.5

    def loss(moved: Array) -> float:
        logits = -((x[:, None] - moved) ** 2) / tau
        return float(
            sum(np.log(np.exp(logits).sum(axis)).sum() - logits.trace() for axis in (0, 1))
        )

    kernel = np.exp(-((x[:, None] - y) ** 2) / tau)
    received = (kernel / kernel.sum(1, keepdims=True)).sum(0)
    assert received == pytest.approx([1.71, 0.29], abs=5e-3)
    slopes = [(loss(y + step) - loss(y - step)) / 2e-6 for step in 1e-6 * np.eye(2)]
    assert min(slopes) > 1


def test_on_the_sphere_a_doubly_stochastic_softmax_freezes_no_gap() -> None:
    x, y = gu.theory.two_clusters(3, 16, 8, gap=1.0, spread=0.1, sphere=True)
    how = {"tau": 0.1, "lr": 0.1, "sphere": True}
    table = gu.theory.simulate(x, y, steps=12000, record=[2000], **how).frame()
    even, later = (table[table["step"] == step].set_index("run") for step in (2000, 12000))
    assert (even["largest_mass_deviation"] < 1e-2).all()
    assert (even["mass_deviation"] < 1e-3).all()
    assert (later["gap"] < 0.9 * even["gap"]).all()


def test_the_kind_with_the_higher_mean_score_need_not_come_first() -> None:
    """A kind's two terms are the mean of its scores; the first item is a matter of spread too."""
    query = np.array([1.0, 0.0])
    wide, narrow = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.1, 1.0], [0.1, -1.0]])
    assert (narrow @ query).mean() > (wide @ query).mean()
    assert (wide @ query).max() > (narrow @ query).max()


def test_no_offset_suits_queries_that_lean_to_different_kinds() -> None:
    """An offset is one number; what a query has with a kind's mean differs from query to query."""
    queries = np.array([[1.0, 1.0], [1.0, -1.0]])
    leads = queries @ (np.array([0.0, 1.0]) - np.array([0.0, -1.0]))
    for offset in np.linspace(-5, 5, 101):
        assert np.abs(leads + offset).max() >= 2
    assert np.abs(leads - leads.mean()).max() == np.abs(leads).max()
