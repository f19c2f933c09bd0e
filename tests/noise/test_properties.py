"""The exact engine and the bounds from pairs, whatever the size, the dimension and the dtype.

Every answer is held against quadrature of the values that the rows have in the dtype given.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import gaputils as gu
from gaputils.scoring import SCORINGS
from noise import crowds
from noise.helpers import reference as by_distance
from strategies import SEEDS, forms, given_in, rounding, whole

BOUND = 1e-4
RIVALS = 5


def sides(seed: int, d: int, spread: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Two queries near a few items of spread lengths, all moved by a vector of length `offset`."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(rng.integers(1, RIVALS + 1), d)) / math.sqrt(d)
    gallery *= 1 + spread * rng.uniform(-1, 1, size=(len(gallery), 1))
    queries = gallery[rng.integers(0, len(gallery), 2)] + 0.3 * rng.normal(size=(2, d))
    offset /= math.sqrt(d)
    return queries + offset, gallery + offset


def by_score(scores: np.ndarray, winner: int, counts: np.ndarray) -> float:
    """P(one item of the winner's kind has the greatest of normal scores of variance 1)."""
    x, weights = np.polynomial.legendre.leggauss(400)
    t = scores[winner] + 9 * x
    product = 9 * weights * np.exp(-np.square(9 * x) / 2) / math.sqrt(2 * math.pi)
    for kind, score in enumerate(scores):
        product *= special.ndtr(t - score) ** (counts[kind] - (kind == winner))
    return float(product.sum())


def chance(query, gallery, winner: int, counts, variance: float, scoring: str) -> float:
    """P(one item at row `winner` comes first), `counts` items being at each row, by quadrature."""
    d = len(query)
    if scoring == "euclidean":
        squares = np.square(query - gallery).sum(axis=1) / variance
        return by_distance(squares, winner, d, counts)
    length = np.linalg.norm(query)
    along = (gallery @ query) / (length * math.sqrt(variance))
    if scoring == "inner-product":
        return by_score(along, winner, counts)
    aside = gallery - np.outer(gallery @ query, query) / length**2
    across = np.square(aside).sum(axis=1) / variance
    return crowds.reference(along, across, list(counts), winner, d - 1)


CASES = {
    "seed": SEEDS,
    "form": forms(),
    "d": whole(2, 200),
    "log_variance": st.floats(-1.5, 1),
    "spread": st.floats(0, 0.6),
    "offset": st.floats(0, 2),
}


@pytest.mark.parametrize("scoring", SCORINGS)
@settings(max_examples=8, deadline=None)
@given(most=whole(1, 3000), **CASES)
def test_exact_answers_are_those_of_quadrature(
    scoring, most, seed, form, d, log_variance, spread, offset
) -> None:
    (queries, gallery), (y, x) = given_in(form, *sides(seed, d, spread, offset))
    counts = np.random.default_rng(seed).integers(1, most + 1, size=len(x))
    repeated = np.repeat(np.arange(len(x)), counts)
    noise = gu.GaussianNoise(10**log_variance)
    own = np.random.default_rng(seed + 1).integers(0, len(x), 2)
    first = np.cumsum(counts) - counts
    found = gu.accuracy_under_noise(queries, gallery[repeated], first[own], noise, scoring=scoring)
    assert found.dtype == (torch.float64 if rounding(form) < 1e-10 else torch.float32)
    for query, item, share in zip(y, own, found.tolist(), strict=True):
        expected = chance(query, x, item, counts, 10**log_variance / d, scoring)
        assert abs(share - expected) < BOUND


@pytest.mark.parametrize("scoring", SCORINGS)
@settings(max_examples=8, deadline=None)
@given(**CASES)
def test_bounds_are_the_product_and_the_least_of_the_pairs(
    scoring, seed, form, d, log_variance, spread, offset
) -> None:
    (queries, gallery), (y, x) = given_in(form, *sides(seed, d, spread, offset))
    noise = gu.GaussianNoise(10**log_variance)
    targets = np.random.default_rng(seed).integers(0, len(x), 2)
    lower, upper = gu.noise.sandwich(queries, gallery, noise, targets=targets, scoring=scoring)
    exact = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring)
    for row, (query, item) in enumerate(zip(y, targets, strict=True)):
        pairs = [
            chance(query, x[[item, other]], 0, [1, 1], 10**log_variance / d, scoring)
            for other in range(len(x))
            if other != item
        ]
        assert abs(float(upper[row]) - min(pairs, default=1.0)) < BOUND
        assert abs(float(lower[row]) - math.prod(pairs)) < BOUND * max(1, len(pairs))
        assert float(lower[row]) - BOUND <= float(exact[row]) <= float(upper[row]) + BOUND
