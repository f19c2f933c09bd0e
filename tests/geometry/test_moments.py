"""Each measure of the gap against an independent computation."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.optimize import linprog
from scipy.spatial.distance import cdist, pdist
from scipy.stats import entropy, kendalltau, wasserstein_distance
from sklearn.decomposition import PCA

import gaputils as gu
from gaputils import geometry as geo


def pair(n: int = 40, m: int = 40, d: int = 8, shift: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) * np.linspace(0.5, 1.5, d)
    queries = gallery[np.arange(n) % m] + 0.4 * rng.normal(size=(n, d)) + shift
    return queries, gallery


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 1 - cdist(a, b, "cosine")


def off_diagonal(square: np.ndarray) -> np.ndarray:
    return square[~np.eye(len(square), dtype=bool)]


def test_gap_vector_is_queries_minus_gallery() -> None:
    x, y = pair()
    gap = gu.gap_vector(x, y)
    np.testing.assert_allclose(gap.numpy(), x.mean(0) - y.mean(0), atol=1e-12)
    assert gu.gap_vector(x.astype(np.float32), y.astype(np.float32)).dtype == torch.float32


def test_matched_and_unmatched_cosine() -> None:
    x, y = pair(n=30, m=7)
    targets = np.arange(30) % 7
    table = cosines(x, y)
    mask = np.zeros_like(table, dtype=bool)
    mask[np.arange(30), targets] = True
    assert geo.matched_cosine(x, y, targets) == pytest.approx(table[mask].mean())
    assert geo.unmatched_cosine(x, y, targets) == pytest.approx(table[~mask].mean())


def test_l2i_and_alignment() -> None:
    x, y = pair()
    distances = np.linalg.norm(x - y, axis=1)
    assert geo.l2i(x, y) == pytest.approx(distances.mean())
    assert geo.alignment(x, y) == pytest.approx((distances**2).mean())


def test_rmg_definitions() -> None:
    x, y = pair()
    n = len(x)
    matched = np.diag(cosines(x, y)).mean()
    sides = [cosines(x, x), cosines(y, y)]
    between = (1 - matched) / 2
    within = np.mean([(1 - off_diagonal(s)).mean() / 2 for s in sides])
    assert geo.rmg_schrodi(x, y) == pytest.approx(between / (between + within))
    upper = sum(((1 - s) / 2)[np.triu_indices(n, 1)].sum() for s in sides)
    few = (1 - matched) / (upper / (2 * n * (n - 1)) + 1 - matched)
    assert geo.rmg_few_dims(x, y) == pytest.approx(few)
    gap = np.linalg.norm(x.mean(0) - y.mean(0))
    spread = np.sqrt((x.var(0).sum() + y.var(0).sum()) / 2)
    measured = gu.measure_gap(gu.Embeddings(x, y))
    assert measured["rmg_centroid"] == pytest.approx(gap / spread)


def test_neighborhood_kendall_counts_discordant_pairs() -> None:
    x, y = pair(n=9, m=9)
    a, b = cosines(x, x), cosines(y, y)
    shares = []
    for i in range(9):
        others = [j for j in range(9) if j != i]
        pairs_ = list(itertools.combinations(others, 2))
        wrong = [(a[i, j] - a[i, k]) * (b[i, j] - b[i, k]) < 0 for j, k in pairs_]
        shares.append(np.mean(wrong))
    assert geo.neighborhood_kendall(x, y) == pytest.approx(np.mean(shares))


def test_neighborhood_kendall_averages_the_queries_of_an_item() -> None:
    x, y = pair(n=24, m=6)
    targets = np.arange(24) % 6
    table = cosines(x, x)
    blocks = np.array(
        [[table[np.ix_(targets == i, targets == j)].mean() for j in range(6)] for i in range(6)]
    )
    texts = cosines(y, y)
    expected = np.mean(
        [(1 - kendalltau(*(np.delete(t[i], i) for t in (blocks, texts)))[0]) / 2 for i in range(6)]
    )
    assert geo.neighborhood_kendall(x, y, targets) == pytest.approx(expected)


def test_neighborhood_kendall_of_items_with_unlike_numbers_of_queries() -> None:
    x, y = pair(n=20, m=7)
    targets = np.random.default_rng(1).permutation([0] * 8 + [1] * 5 + [3] * 4 + [4, 5, 6])
    items = np.unique(targets)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    means = np.stack([unit[targets == item].mean(0) for item in items])
    images, texts = means @ means.T, cosines(y[items], y[items])
    expected = np.mean(
        [
            (1 - kendalltau(np.delete(a, i), np.delete(b, i))[0]) / 2
            for i, (a, b) in enumerate(zip(images, texts, strict=True))
        ]
    )
    assert geo.neighborhood_kendall(x, y, targets) == pytest.approx(expected)


def test_a_relative_gap_of_points_all_alike_is_not_defined() -> None:
    alike = np.eye(3)[[0, 0]]
    assert math.isnan(geo.rmg_schrodi(alike, alike))
    assert geo.rmg_schrodi(alike, -alike) == 1


def test_neighborhood_kendall_of_equal_sides_is_zero() -> None:
    x, _ = pair()
    assert geo.neighborhood_kendall(x, x + 0.0) == 0


def test_uniformity() -> None:
    x, _ = pair()
    assert geo.uniformity(x) == pytest.approx(math.log(np.exp(-2 * pdist(x) ** 2).mean()))
    assert geo.uniformity(np.ones((5, 3))) == 0


def test_effective_rank_against_pca() -> None:
    x, _ = pair()
    shares = PCA().fit(x).explained_variance_ratio_
    assert geo.effective_rank(x) == pytest.approx(math.exp(entropy(shares)))


def test_effective_rank_of_isotropic_points_is_the_dimension() -> None:
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=5)))
    assert geo.effective_rank(corners) == pytest.approx(5)
    assert math.isnan(geo.effective_rank(np.ones((4, 3))))


def test_intrinsic_dimension_by_hand() -> None:
    x = np.array([[0.0], [1.0], [3.0], [7.0], [7.0]])
    ratios = [3 / 1, 2 / 1, 3 / 2, 6 / 4]
    assert geo.intrinsic_dimension(x) == pytest.approx(3 / np.log(ratios).sum())
    assert geo.intrinsic_dimension(np.eye(4)) == math.inf
    flat = np.array([[0.0], [1.0], [2.0]])
    assert geo.intrinsic_dimension(flat) == pytest.approx(2 / (2 * math.log(2)))


def test_intrinsic_dimension_of_a_nearly_equilateral_triangle_is_large() -> None:
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.9]])
    sides = pdist(x)
    ratios = [np.divide(*sorted(sides[list(two)])[::-1]) for two in ((0, 1), (0, 2), (1, 2))]
    expected = 2 / np.log(ratios).sum()
    assert expected > 2
    assert geo.intrinsic_dimension(x) == pytest.approx(expected)


def test_distances_far_from_the_origin_are_as_exact_as_near_it() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    far = 2.0**24
    assert geo.intrinsic_dimension(x + far) == pytest.approx(geo.intrinsic_dimension(x), rel=1e-5)
    assert geo.wasserstein(x + far, y + far) == pytest.approx(geo.wasserstein(x, y), rel=1e-5)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_intrinsic_dimension_of_a_cube_in_more_dimensions(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    points = rng.uniform(size=(1500, dimension)) @ rng.normal(size=(dimension, 20))
    estimate = geo.intrinsic_dimension(points)
    assert estimate == pytest.approx(dimension, rel=0.15)
    repeated = np.concatenate([points, points[:300]])
    assert geo.intrinsic_dimension(repeated) == pytest.approx(estimate)


def test_variance_share_against_projection() -> None:
    x, y = pair()
    gap = x.mean(0) - y.mean(0)
    share = (x @ gap / np.linalg.norm(gap)).var() / x.var(0).sum()
    assert geo.variance_share(x, gap) == pytest.approx(share)
    assert geo.variance_share(0.01 * x, gap) == pytest.approx(share)
    measured = gu.measure_gap(gu.Embeddings(x, y))
    assert measured["variance_share_gap_queries"] == pytest.approx(share)
    leading = PCA().fit(y).explained_variance_ratio_[0]
    assert measured["variance_share_leading_gallery"] == pytest.approx(leading)
    assert measured["variance_leading_gallery"] == pytest.approx(leading * y.var(0).sum())


def test_random_directions_hold_one_over_d_on_average() -> None:
    x, _ = pair(n=200, d=16)
    shares = geo.random_shares(geo.Moments.of(x), directions=20_000)
    error = float(shares.std()) / math.sqrt(len(shares))
    assert abs(float(shares.mean()) - 1 / 16) < 4 * error


def test_random_shares_are_projections_and_follow_the_seed() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [1e-3, 0.1, 0.0]
    moments = geo.Moments.of(rows)
    shares = geo.random_shares(moments, 500, seed=3)
    assert bool((shares >= 0).all())
    assert float(shares.max()) <= 1
    assert float(shares.mean()) == pytest.approx(1 / 3, abs=0.06)
    torch.testing.assert_close(geo.random_shares(moments, 500, seed=3), shares)
    assert not torch.equal(geo.random_shares(moments, 500, seed=4), shares)
    torch.testing.assert_close(geo.random_shares(moments), geo.random_shares(moments, 1000, seed=0))


def test_measures_from_moments_are_those_named_with_the_seed_given() -> None:
    x, y = map(geo.Moments.of, pair(d=6))
    assert set(geo.moment_measures(x, y, ["gap_norm", "rmg_centroid"])) == {
        "gap_norm",
        "rmg_centroid",
    }
    for seed, given in ((0, {}), (3, {"seed": 3})):
        found = geo.moment_measures(x, y, **given)
        shares = geo.random_shares(x, 1000, seed)
        assert found["variance_share_random_queries"] == float(shares.median())
        emptier = shares < found["variance_share_gap_queries"]
        assert found["emptier_than_gap_queries"] == float(emptier.double().mean())
    still = geo.Moments.of(np.ones((3, 6)))
    assert math.isnan(geo.moment_measures(still, still)["rmg_centroid"])


ALONG_GAP = ["variance_gap", "variance_share_gap", "emptier_than_gap", "gap_angle"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("close", [gu.Centering(), gu.ReAlign(), None], ids=repr)
def test_a_gap_that_is_closed_to_rounding_has_no_direction(close, dtype) -> None:
    sides = [torch.tensor(side, dtype=dtype) for side in pair(n=300, m=300)]
    if close is None:  # the same rows in another order
        sides[0] = sides[1][torch.randperm(300, generator=torch.Generator().manual_seed(0))]
    else:
        sides = list(close.fit_transform(*sides))
    found = geo.moment_measures(*map(geo.Moments.of, sides))
    for name in ALONG_GAP:
        assert math.isnan(found[f"{name}_queries"]), name
        assert math.isnan(found[f"{name}_gallery"]), name
    rest = {k: v for k, v in found.items() if k.rpartition("_")[0] not in ALONG_GAP}
    assert all(map(math.isfinite, rest.values())), rest


def test_a_gap_a_little_above_rounding_has_its_direction() -> None:
    _, gallery = pair(n=300, m=300)
    shift = 1e-9 * np.eye(8)[2]
    found = geo.moment_measures(geo.Moments.of(gallery + shift), geo.Moments.of(gallery))
    assert found["gap_norm"] == pytest.approx(1e-9, rel=1e-4)
    assert found["variance_gap_gallery"] == pytest.approx(gallery.var(0)[2], rel=1e-4)


def test_what_does_not_vary_has_no_shares_and_a_line_has_rank_one() -> None:
    still = np.ones((4, 3))
    assert math.isnan(geo.variance_share(still, np.eye(3)[0]))
    assert bool(geo.random_shares(geo.Moments.of(still), 5).isnan().all())
    assert geo.effective_rank(np.outer(np.arange(5.0), [1, 2, 3])) == pytest.approx(1)
    same = gu.measure_gap(gu.Embeddings(np.eye(4), np.eye(4)[::-1].copy()))
    assert math.isnan(same["gap_angle_queries"])


def test_the_gap_of_many_single_precision_rows_far_away_is_added_up_in_double() -> None:
    rng = np.random.default_rng(0)
    queries = (rng.standard_normal((200_000, 2)) + 1000).astype(np.float32)
    gallery = (rng.standard_normal((100_000, 2)) + 1000).astype(np.float32)
    expected = queries.astype(np.float64).mean(0) - gallery.astype(np.float64).mean(0)
    np.testing.assert_allclose(gu.gap_vector(queries, gallery), expected, rtol=1e-5)


def test_a_bad_direction_is_named() -> None:
    for measure in (geo.hull_angle, geo.variance_share):
        with pytest.raises(ValueError, match=r"^direction: "):
            measure(np.eye(3), np.zeros(3))


def test_hull_angle_against_scipy() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 12))
    direction = rng.normal(size=12)
    expected = np.degrees(subspace_angles(direction[:, None], (x[1:] - x[0]).T)[0])
    assert geo.hull_angle(x, direction) == pytest.approx(expected, abs=1e-8)
    as_float32 = geo.hull_angle(x.astype(np.float32), direction)
    assert as_float32 == pytest.approx(expected, abs=1e-4)


def test_hull_angle_of_constructed_gaps() -> None:
    rng = np.random.default_rng(1)
    x = np.pad(rng.normal(size=(50, 4)), ((0, 0), (0, 2)))
    assert geo.hull_angle(x, np.eye(6)[5]) == pytest.approx(90)
    assert geo.hull_angle(x, np.eye(6)[0]) == pytest.approx(0, abs=1e-6)
    assert geo.hull_angle(x, np.eye(6)[0] + np.eye(6)[5]) == pytest.approx(45)
    assert geo.hull_angle(x[:, :4], np.ones(4)) == 0


@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 5)])
def test_double_stochastic_deviation(n: int, m: int) -> None:
    x, y = pair(n=n, m=m)
    kernel = np.exp(-cdist(x, y, "sqeuclidean") / 3.0)
    gallery = (kernel / kernel.sum(1, keepdims=True)).sum(0) * m / n
    queries = (kernel / kernel.sum(0)).sum(1) * n / m
    expected = (np.abs(gallery - 1).mean() + np.abs(queries - 1).mean()) / 2
    assert geo.double_stochastic_deviation(x, y, tau=3.0) == pytest.approx(expected)


def test_aligned_pairs_are_doubly_stochastic() -> None:
    x = np.eye(6)
    assert geo.double_stochastic_deviation(x, x) == pytest.approx(0, abs=1e-12)


def test_wasserstein_against_every_permutation() -> None:
    x, y = pair(n=6, m=6)
    cost = cdist(x, y, "sqeuclidean")
    best = min(cost[range(6), list(p)].mean() for p in itertools.permutations(range(6)))
    assert geo.wasserstein(x, y) == pytest.approx(math.sqrt(best))


@pytest.mark.parametrize(("n", "m"), [(60, 20), (7, 60), (31, 30), (1, 4)])
def test_wasserstein_on_a_line_against_scipy(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 1)), rng.normal(2, 3, size=(m, 1))
    assert geo.wasserstein(x, y, p=1) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))


@pytest.mark.parametrize(("n", "m"), [(4, 7), (9, 6)])
def test_wasserstein_is_the_optimum_of_the_linear_programme(n: int, m: int) -> None:
    x, y = pair(n=n, m=m)
    cost = cdist(x, y, "sqeuclidean")
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    masses = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    least = linprog(cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=masses).fun
    assert geo.wasserstein(x, y) == pytest.approx(math.sqrt(least))


def test_wasserstein_of_a_translation_is_its_length() -> None:
    x, _ = pair()
    shift = np.arange(8.0)
    assert geo.wasserstein(x, x + shift) == pytest.approx(np.linalg.norm(shift))


def test_separability() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(size=(400, 4)), rng.normal(size=(400, 4))
    for measure in (geo.linear_separability, geo.gap_separability):
        assert measure(same[0] + 10, same[1]) == 1
        assert abs(measure(*same) - 0.5) < 0.08
    centre = rng.normal(size=(300, 2)) * [10, 0.05]
    tilted = centre + np.array([0.0, 1.0])
    assert geo.linear_separability(centre, tilted) > 0.99


def test_gap_separability_of_two_gaussians_is_the_normal_tail() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4000, 1)) + 2, rng.normal(size=(4000, 1))
    expected = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    error = math.sqrt(expected * (1 - expected) / 8000)
    assert abs(geo.gap_separability(x, y) - expected) < 4 * error


@pytest.mark.parametrize(("rows", "different"), [(1, 1), (9, 9), (12, 7), (19, 19)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_few_rows_have_the_directions_of_their_covariance(
    rows: int, different: int, dtype: torch.dtype
) -> None:
    values = torch.from_numpy(pair(m=different, d=20)[1]).to(dtype)
    moments = geo.Moments.of(values[torch.arange(rows) % different])
    known = dataclasses.replace(moments, few=None)
    assert moments.rank == known.rank == different - 1
    torch.testing.assert_close(moments.variances, known.variances, atol=1e-14, rtol=1e-10)
    torch.testing.assert_close(
        moments.hull @ moments.hull.T, known.hull @ known.hull.T, atol=1e-9, rtol=0
    )
    if different > 1:
        torch.testing.assert_close(geo.random_shares(moments, 9), geo.random_shares(known, 9))
