"""What the proofs page adds to the paper, each statement against sampling or a search.

Pure mathematics: NumPy, SciPy and sampling, none of the package's engines.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ncx2, norm

Array = NDArray[np.float64]
Seeds = st.integers(0, 2**31)


def exact_cosine(query: Array, gallery: Array, variance: float) -> Array:
    """P(each item has the greatest cosine) from the law of the cotangents, by quadrature."""
    d = len(query)
    along = gallery @ (query / np.linalg.norm(query)) / np.sqrt(variance)
    rest = (gallery**2).sum(1) / variance - along**2
    levels = (np.arange(400) + 0.5) / 400
    roots = np.sqrt(ncx2.ppf(levels, d - 1, np.maximum(rest, 1e-12)[:, None]))
    kappa = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 4001)[1:-1])
    laws = np.array(
        [norm.cdf(kappa[:, None] * r - s).mean(1) for r, s in zip(roots, along, strict=True)]
    )
    steps = np.diff(laws, axis=1, prepend=0, append=1)
    middle = np.concatenate(
        [laws[:, :1] / 2, (laws[:, 1:] + laws[:, :-1]) / 2, (1 + laws[:, -1:]) / 2], 1
    )
    return np.array(
        [(steps[i] * np.delete(middle, i, 0).prod(0)).sum() for i in range(len(gallery))]
    )


@pytest.mark.parametrize("d", [2, 5, 64])
@pytest.mark.parametrize("variance", [0.05, 0.5])
def test_cosine_robustness_is_an_integral(d: int, variance: float) -> None:
    random = np.random.default_rng(d)
    query, gallery = random.normal(size=d), random.normal(size=(4, d))
    expected = exact_cosine(query, gallery, variance)
    draws = 40_000
    noisy = gallery + np.sqrt(variance) * random.normal(size=(draws, 4, d))
    cosines = noisy @ query / np.linalg.norm(noisy, axis=2)
    counted = np.bincount(cosines.argmax(1), minlength=4) / draws
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-4) / draws)
    assert expected.sum() == pytest.approx(1, abs=2e-3)
    assert (np.abs(counted - expected) < 4.5 * error + 1e-3).all()


def test_noisy_cosines_of_different_items_are_independent_though_the_query_is_one() -> None:
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=3), random.normal(size=(2, 3))
    noisy = gallery + 0.7 * random.normal(size=(50_000, 2, 3))
    cosines = noisy @ query / np.linalg.norm(noisy, axis=2)
    ranks = cosines.argsort(0).argsort(0)
    assert abs(np.corrcoef(ranks.T)[0, 1]) < 4.5 / np.sqrt(50_000)


@settings(max_examples=25, deadline=None)
@given(Seeds)
def test_oblique_projection_has_the_least_noise_of_all_queries_with_its_leads(seed: int) -> None:
    random = np.random.default_rng(seed)
    d, r = 7, 3
    factor = random.normal(size=(d, d))
    covariance = factor @ factor.T + 0.1 * np.eye(d)
    basis = random.normal(size=(r, d))
    query = random.normal(size=d)
    inverse = np.linalg.inv(covariance)
    oblique = inverse @ basis.T @ np.linalg.solve(basis @ inverse @ basis.T, basis @ query)
    np.testing.assert_allclose(basis @ oblique, basis @ query, rtol=1e-8, atol=1e-8)
    least = oblique @ covariance @ oblique
    null = np.linalg.svd(basis)[2][r:]
    for other in random.normal(size=(20, d - r)) @ null:
        assert (oblique + other) @ covariance @ (oblique + other) >= least - 1e-9
    plain = basis.T @ np.linalg.solve(basis @ basis.T, basis @ query)
    round_one = basis.T @ np.linalg.solve(basis @ basis.T, basis @ plain)
    np.testing.assert_allclose(round_one, plain, rtol=1e-8, atol=1e-8)


def test_the_orthogonal_projection_can_be_noisier_than_the_raw_query() -> None:
    random = np.random.default_rng(0)
    worse = 0
    for _ in range(200):
        factor = random.normal(size=(6, 6))
        covariance = factor @ factor.T
        basis = np.linalg.qr(random.normal(size=(6, 3)))[0].T
        query = random.normal(size=6)
        plain = basis.T @ (basis @ query)
        worse += plain @ covariance @ plain > query @ covariance @ query
    assert 10 < worse < 100


def pairwise_and_joint(squared: Array, d: int) -> tuple[Array, float]:
    t = np.linspace(0, (np.sqrt(squared.max() + d) + 9) ** 2, 20_001)
    density = ncx2.pdf(t, d, squared[0])
    above = ncx2.sf(t[:, None], d, squared[1:])
    pairs = np.trapezoid(density[:, None] * above, t, axis=0)
    return np.asarray(pairs), float(np.trapezoid(density * above.prod(1), t))


@settings(max_examples=20, deadline=None)
@given(Seeds, st.sampled_from([3, 8, 64]), st.floats(0.5, 30))
def test_a_query_s_robustness_lies_between_its_pairs(seed: int, d: int, reach: float) -> None:
    squared = np.sort(reach * np.random.default_rng(seed).random(8)) + 1.0
    pairs, joint = pairwise_and_joint(squared, d)
    assert pairs.prod() <= joint + 1e-6
    assert joint <= pairs.min() + 1e-6


@pytest.mark.parametrize("height", [0.0, 5.0, 20.0])
def test_a_pair_is_one_normal_in_which_the_gap_stands_in_plain_sight(height: float) -> None:
    d, base = 256, np.array([100.0, 130.0])
    pairs, _ = pairwise_and_joint(base + height**2, d)
    approximate = norm.cdf(30 / (2 * np.sqrt(base.sum() + 2 * height**2 + d)))
    assert pairs[0] == pytest.approx(approximate, abs=2e-3)


@pytest.mark.parametrize(("n", "reach"), [(1, 0.5), (5, 0.5), (20, 0.5), (20, 0.0)])
def test_the_shift_pays_from_few_queries_on(n: int, reach: float) -> None:
    """E|h - mean of n others|² = tr S (1 + 1/n), against tr S + |g'|² without a shift."""
    random = np.random.default_rng(n)
    factor, mean = random.normal(size=(12, 12)) / 4, reach * random.normal(size=12)
    trace = float((factor**2).sum())
    others = mean + random.normal(size=(8000, n, 12)) @ factor.T
    query = mean + random.normal(size=(8000, 12)) @ factor.T
    measured = ((query - others.mean(1)) ** 2).sum(1)
    error = measured.std() / np.sqrt(len(measured))
    assert abs(measured.mean() - trace * (1 + 1 / n)) < 4.5 * error
    unshifted = (query**2).sum(1)
    assert abs(unshifted.mean() - trace - mean @ mean) < 4.5 * unshifted.std() / np.sqrt(8000)
    pays = n * (mean @ mean) > trace
    assert pays == (trace * (1 + 1 / n) < trace + mean @ mean)


@settings(max_examples=25, deadline=None)
@given(Seeds, st.floats(0.01, 50), st.floats(-5, 5))
def test_an_offset_and_a_scale_change_no_ranking_within_a_kind(
    seed: int, scale: float, offset: float
) -> None:
    random = np.random.default_rng(seed)
    query, items = random.normal(size=6), random.normal(size=(9, 6))
    lifted = np.column_stack([items / scale, np.full(9, offset)])
    scores = lifted @ np.append(query, 1.0)
    np.testing.assert_array_equal(scores.argsort(), (items @ query).argsort())


def test_a_score_has_four_parts_of_which_two_are_the_kind_s() -> None:
    random = np.random.default_rng(0)
    queries, items = random.normal(size=(5, 6)) + 2, random.normal(size=(9, 6)) - 1
    q_mean, k_mean = queries.mean(0), items.mean(0)
    q, x = queries - q_mean, items - k_mean
    between = q_mean @ k_mean + (q @ k_mean)[:, None]
    hub, match = (x @ q_mean)[None, :], q @ x.T
    np.testing.assert_allclose(queries @ items.T, between + hub + match, atol=1e-12)
    for part in (hub, match):
        np.testing.assert_allclose(part.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose((between + hub).argsort(1), np.tile(hub.argsort(1), (5, 1)))


@pytest.mark.parametrize("d", [1, 3])
def test_far_away_only_chance_is_left(d: int) -> None:
    """The limit 1/m as all squared distances grow alike."""
    random = np.random.default_rng(d)
    base = np.array([0.0, 1.0, 4.0, 9.0])
    draws = np.sqrt(base + 1e6) + random.normal(size=(100_000, 4))
    distances = draws**2 + (random.chisquare(d - 1, (100_000, 4)) if d > 1 else 0)
    assert (distances.argmin(1) == 0).mean() == pytest.approx(0.25, abs=0.01)


ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_the_proofs_page_names_is_there() -> None:
    page = (ROOT / "book" / "proofs.md").read_text(encoding="utf-8")
    parts = re.findall(r"`(tests/[\w/]+\.py)`|`(test_\w+)`", page)
    assert len(parts) > 40
    source = ""
    for file, name in parts:
        if file:
            source = (ROOT / file).read_text(encoding="utf-8")
        else:
            assert f"def {name}(" in source, name
