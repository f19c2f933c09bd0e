"""Robustness: exact against Monte Carlo, what must hold of it, certificates, accuracy."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize

import gaputils as gu
from gaputils.noise import _wins
from gaputils.noise.robustness import answers_under

SEEDS = st.integers(0, 2**32 - 1)
SCORINGS = ("euclidean", "inner-product")
DRAWS = 1500
FALSE_ALARM = 1e-6


def sides(seed: int = 0, n: int = 6, m: int = 5, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 0.5, rng.normal(size=(m, d))


def sampled(queries, gallery, variance: float, scoring: str, draws: int, seed: int):
    """Counts (n,) of draws in which the noise-free nearest item won, by plain NumPy."""
    rng = np.random.default_rng(seed)
    dim = queries.shape[1]

    def best(items):
        score = np.einsum("nd,...md->...nm", queries, items)
        if scoring == "euclidean":
            score = score - np.square(items).sum(-1)[..., None, :] / 2
        return score.argmax(-1)

    counts = np.zeros(len(queries), dtype=int)
    for _ in range(10):
        noise = rng.normal(size=(draws // 10, *gallery.shape)) * math.sqrt(variance / dim)
        counts += (best(gallery + noise) == best(gallery)).sum(axis=0)
    return counts


def cases():
    """Sizes, dimensions and variances, with ties, duplicate rows, one item and far items."""
    for d, m, variance in product((2, 8, 96), (1, 2, 7), (1e-6, 0.3, 4.0, 1e6)):
        yield f"d={d} m={m} variance={variance}", *sides(d + m, 4, m, d), variance
    queries, gallery = sides(1, 4, 3, 16)
    yield "duplicate rows", queries, np.concatenate([gallery, gallery[:2]]), 1.0
    yield "a query on an item", gallery.copy(), gallery, 2.0
    yield "tied items", np.zeros((2, 16)), np.eye(16)[:6], 0.7
    yield "a far item", queries, np.concatenate([gallery, gallery[:1] + 100]), 1.0
    yield "one far query", np.concatenate([queries, queries[:1] + 50]), gallery, 1.0


CASES = list(cases())


@pytest.mark.parametrize("scoring", SCORINGS)
def test_exact_is_within_four_standard_errors_of_monte_carlo(scoring: str) -> None:
    """Each query of each case; and all together, by a sum of squares.

    The binomial tail of each count under the exact probability must exceed `FALSE_ALARM`: with
    some 170 counts a correct engine fails with probability below 4e-4 by this and below 1e-6 by
    the chi-square test of all of them. (Of a normal count, 1e-6 is 4.9 standard errors; the worst
    standardised error is held to 4 as well, which a correct engine misses one time in a hundred:
    the seeds are fixed, so it cannot come and go.)
    """
    squares = []
    for index, (name, queries, gallery, variance) in enumerate(CASES):
        noise = gu.GaussianNoise(variance)
        exact = gu.robustness(queries, gallery, noise, scoring=scoring).numpy()
        counts = sampled(queries, gallery, variance, scoring, DRAWS, seed=index)
        for p, count in zip(exact, counts, strict=True):
            tail = stats.binom.cdf(count, DRAWS, p), stats.binom.sf(count - 1, DRAWS, p)
            assert 2 * min(tail) > FALSE_ALARM, (name, p, count / DRAWS)
            if 0.01 < p < 0.99:
                z = (count - DRAWS * p) / math.sqrt(DRAWS * p * (1 - p))
                assert abs(z) < 4, (name, p, count / DRAWS)
                squares.append(z * z)
    assert len(squares) > 40
    assert stats.chi2.sf(sum(squares), len(squares)) > FALSE_ALARM


@pytest.mark.parametrize("scoring", SCORINGS)
def test_the_packages_monte_carlo_agrees_with_its_exact_engine(scoring: str) -> None:
    queries, gallery = sides(3, 40, 12, 32)
    targets = np.arange(40) % 12
    noise = gu.GaussianNoise(3.0)
    kept, right = gu.estimate(
        queries, gallery, noise, targets=targets, scoring=scoring, draws=2000, seed=5
    )
    exact = gu.robustness(queries, gallery, noise, scoring=scoring).mean()
    accuracy = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring).mean()
    assert right is not None
    assert abs(kept.mean - exact) < 4 * kept.standard_error
    assert abs(right.mean - accuracy) < 4 * right.standard_error
    again = gu.robustness(
        queries, gallery, noise, "monte-carlo", scoring=scoring, draws=2000, seed=5
    )
    assert torch.equal(again, kept.per_query)


def test_standard_error_is_the_spread_of_repeated_estimates() -> None:
    """60 independent estimates; a correct error fails the chi-square bounds one time in 10^4."""
    queries, gallery = sides(4, 30, 6, 8)
    noise = gu.GaussianNoise(2.0)
    runs = [gu.estimate(queries, gallery, noise, draws=50, seed=seed)[0] for seed in range(60)]
    spread = np.var([run.mean for run in runs], ddof=1)
    stated = np.mean([run.standard_error**2 for run in runs])
    low, high = stats.chi2.ppf([5e-5, 1 - 5e-5], 59) / 59
    assert low < spread / stated < high


def test_monte_carlo_edges() -> None:
    queries, gallery = sides()
    assert math.isnan(
        gu.estimate(queries, gallery, gu.GaussianNoise(1.0), draws=1)[0].standard_error
    )
    still = gu.estimate(queries, gallery, gu.GaussianNoise(0.0), draws=50)[0]
    assert (still.draws, still.mean, still.standard_error) == (1, 1.0, 0.0)
    generator = torch.Generator().manual_seed(3)
    first = gu.estimate(queries, gallery, gu.GaussianNoise(1.0), draws=20, seed=generator)[0]
    second = gu.estimate(queries, gallery, gu.GaussianNoise(1.0), draws=20, seed=3)[0]
    assert torch.equal(first.per_query, second.per_query)


def test_noise_on_the_queries_by_sampling_it_another_way() -> None:
    queries, gallery = sides(6, 5, 4, 6)
    noise = gu.GaussianNoise(1.5, on="queries")
    found = gu.robustness(queries, gallery, noise, "monte-carlo", draws=4000, seed=1).numpy()
    rng = np.random.default_rng(0)
    noisy = queries + rng.normal(size=(4000, *queries.shape)) * math.sqrt(1.5 / 6)

    def best(points):
        return np.linalg.norm(points[..., None, :] - gallery, axis=-1).argmin(-1)

    other = (best(noisy) == best(queries)).mean(axis=0)
    error = np.sqrt((found * (1 - found) + other * (1 - other)) / 4000)
    assert (np.abs(found - other) <= 4.5 * error + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, d=st.integers(1, 90), m=st.integers(1, 9), log_variance=st.floats(-3, 3))
def test_invariance_under_isometries_and_permutations(
    seed: int, d: int, m: int, log_variance: float
) -> None:
    queries, gallery = sides(seed, 3, m, d)
    noise = gu.GaussianNoise(10.0**log_variance)
    before = gu.robustness(queries, gallery, noise)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    offset, order, rows = rng.normal(size=d), rng.permutation(m), rng.permutation(3)
    after = gu.robustness((queries @ turn + offset)[rows], (gallery @ turn + offset)[order], noise)
    torch.testing.assert_close(after, before[rows], atol=1e-5, rtol=0)
    product = gu.robustness(queries, gallery, noise, scoring="inner-product")
    turned = gu.robustness(queries @ turn, gallery @ turn, noise, scoring="inner-product")
    torch.testing.assert_close(turned, product, atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS, d=st.integers(1, 90), log_scale=st.floats(-3, 3), scoring=st.sampled_from(SCORINGS)
)
def test_scaling_everything_changes_nothing(
    seed: int, d: int, log_scale: float, scoring: str
) -> None:
    queries, gallery = sides(seed, 3, 5, d)
    scale = 10.0**log_scale
    before = gu.robustness(queries, gallery, gu.GaussianNoise(1.0), scoring=scoring)
    after = gu.robustness(
        queries * scale, gallery * scale, gu.GaussianNoise(scale**2), scoring=scoring
    )
    torch.testing.assert_close(after, before, atol=2e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, d=st.integers(1, 90), m=st.integers(2, 9), scoring=st.sampled_from(SCORINGS))
def test_falls_with_the_variance_and_never_below_one_in_m(
    seed: int, d: int, m: int, scoring: str
) -> None:
    queries, gallery = sides(seed, 4, m, d)
    found = torch.stack(
        [
            gu.robustness(queries, gallery, gu.GaussianNoise(v), scoring=scoring)
            for v in (0.0, 1e-4, 0.01, 0.1, 1.0, 10.0, 1e4)
        ]
    )
    assert bool((found.diff(dim=0) <= 5e-5).all())
    assert bool((found >= 1 / m - 5e-5).all())
    assert bool((found[0] == 1).all())


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, d=st.integers(2, 90), shift=st.floats(0, 30))
def test_theorem_3_4_a_constant_added_to_all_distances_costs_robustness(
    seed: int, d: int, shift: float
) -> None:
    queries, gallery = sides(seed, 4, 6, d)
    noise = gu.GaussianNoise(d * 0.3, per="vector")
    wide_queries = np.pad(queries, ((0, 0), (0, 1)), constant_values=0.0)
    wide_gallery = np.pad(gallery, ((0, 0), (0, 1)), constant_values=0.0)
    moved = wide_queries + shift * np.eye(d + 1)[d]
    near = gu.robustness(wide_queries, wide_gallery, noise)
    far = gu.robustness(moved, wide_gallery, noise)
    assert bool((far <= near + 5e-5).all())


def test_equidistant_gallery_wins_by_chance() -> None:
    queries = np.zeros((1, 40))
    for m in (1, 2, 10, 40):
        found = gu.robustness(queries, np.eye(40)[:m], gu.GaussianNoise(1e8))
        assert float(found) == pytest.approx(1 / m, abs=3e-5)


def test_duplicate_rows_share_their_wins() -> None:
    gallery = np.repeat(np.eye(6)[:2] * 100, 2, axis=0)
    queries = np.eye(6)[:1] * 90
    for scoring in SCORINGS:
        found = gu.robustness(queries, gallery, gu.GaussianNoise(1e-3), scoring=scoring)
        assert float(found) == pytest.approx(0.5, abs=1e-5)


def test_total_and_coordinate_variance_are_one_noise() -> None:
    queries, gallery = sides(d=16)
    total = gu.robustness(queries, gallery, gu.GaussianNoise(3.2))
    each = gu.robustness(queries, gallery, gu.GaussianNoise(0.2, per="coordinate"))
    torch.testing.assert_close(total, each)


def test_a_query_of_norm_zero_has_no_noise_in_its_inner_products() -> None:
    queries, gallery = np.zeros((1, 4)), np.eye(4)
    noise = gu.GaussianNoise(1.0)
    assert float(gu.robustness(queries, gallery, noise, scoring="inner-product")) == 1
    sampled = gu.robustness(queries, gallery, noise, "monte-carlo", scoring="inner-product")
    assert float(sampled) == 1


def test_a_query_of_norm_zero_is_answered_by_itself() -> None:
    """Its first item wins for certain, whatever wins the others."""
    queries, gallery = np.array([[0.0, 0.0, 0.0], [0.2, 2.0, 0.1]]), np.eye(3)
    noise, how = gu.GaussianNoise(1.0), {"scoring": "inner-product"}
    both = gu.robustness(queries, gallery, noise, **how)
    alone = gu.robustness(queries[1:], gallery, noise, **how)
    torch.testing.assert_close(both, torch.cat([torch.ones(1).double(), alone]))


@pytest.mark.parametrize("scoring", SCORINGS)
def test_accuracies_over_all_targets_sum_to_one(scoring: str) -> None:
    queries, gallery = sides(2, 5, 6, 80)
    noise = gu.GaussianNoise(40.0)
    each = [
        gu.accuracy_under_noise(queries, gallery, np.full(5, item), noise, scoring=scoring)
        for item in range(6)
    ]
    torch.testing.assert_close(torch.stack(each).sum(0), torch.ones(5).double(), atol=1e-4, rtol=0)
    distances = np.linalg.norm(queries[:, None] - gallery, axis=2)
    nearest = distances.argmin(1) if scoring == "euclidean" else (queries @ gallery.T).argmax(1)
    own = gu.accuracy_under_noise(queries, gallery, nearest, noise, scoring=scoring)
    torch.testing.assert_close(own, gu.robustness(queries, gallery, noise, scoring=scoring))


@pytest.mark.parametrize("method", ["exact", "monte-carlo"])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_of_several_right_answers_any_may_win(scoring: str, method: str) -> None:
    queries, gallery = sides(3, 5, 12, 16)
    right = np.array([[0, 3], [4, -1], [5, 11], [2, 1], [7, -1]])
    noise, how = gu.GaussianNoise(4.0), {"method": method, "scoring": scoring}
    either = gu.accuracy_under_noise(queries, gallery, right, noise, **how)
    first, second = (
        gu.accuracy_under_noise(queries, gallery, column.clip(0), noise, **how)
        for column in right.T
    )
    expected = first + torch.where(torch.as_tensor(right[:, 1] < 0), 0.0, second)
    torch.testing.assert_close(either, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_batches_of_a_few_rows_give_the_same(scoring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = sides(8, 30, 40, 64)
    queries *= np.linspace(0.2, 2, 30)[:, None]
    targets, noise = np.arange(30) % 40, gu.GaussianNoise(5.0)
    whole = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring)
    monkeypatch.setattr(_wins, "_ELEMENTS", 2000)
    few = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring)
    torch.testing.assert_close(few, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_what_is_left_out_follows_the_tolerance(scoring: str) -> None:
    queries, gallery = sides(7, 20, 200, 64)
    noise = gu.GaussianNoise(8.0)
    exact = gu.robustness(queries, gallery, noise, scoring=scoring, tolerance=1e-9)
    rough = gu.robustness(queries, gallery, noise, scoring=scoring, tolerance=0.5)
    assert 1e-4 < float((rough - exact).abs().max()) < 0.5


@pytest.mark.parametrize("scoring", [*SCORINGS, "cosine"])
def test_simulated_accuracy_follows_the_target_the_scoring_and_the_seed(scoring: str) -> None:
    queries, gallery = sides(6, 5, 4, 12)
    noise, targets = gu.GaussianNoise(6.0), np.arange(5) % 4

    def accuracy(**given: object) -> torch.Tensor:
        return gu.accuracy_under_noise(
            queries, gallery, targets, noise, "monte-carlo", scoring=scoring, **given
        )

    assert torch.equal(accuracy(), accuracy(draws=1000, seed=0))
    usual, told = (
        gu.robustness(queries, gallery, noise, "monte-carlo", scoring=scoring, **given)
        for given in ({}, {"draws": 1000, "seed": 0})
    )
    assert torch.equal(usual, told)
    assert not torch.equal(accuracy(seed=1), accuracy())
    simulated = gu.estimate(queries, gallery, noise, targets=targets, scoring=scoring)
    explicit = gu.estimate(
        queries, gallery, noise, targets=targets, scoring=scoring, draws=1000, seed=0
    )
    assert torch.equal(simulated[1].per_query, explicit[1].per_query)
    torch.testing.assert_close(simulated[1].per_query, accuracy())
    if scoring != "cosine":
        exact = gu.accuracy_under_noise(queries, gallery, targets, noise, scoring=scoring)
        error = (exact * (1 - exact) / 1000).sqrt()
        assert bool(((accuracy() - exact).abs() <= 5 * error).all())
    with pytest.raises(ValueError, match=r"^targets: "):
        gu.accuracy_under_noise(queries, gallery, targets[:2], noise)
    with pytest.raises(ValueError, match=r"^targets: "):
        gu.estimate(queries, gallery, noise, targets=targets[:2])


@pytest.mark.parametrize("scoring", [*SCORINGS, "cosine"])
@pytest.mark.parametrize("targets", [None, torch.arange(5) % 4], ids=["nearest", "targets"])
def test_answers_under_several_noises_are_those_under_each(
    scoring: str, targets: torch.Tensor | None
) -> None:
    """Exact where they can be, else drawn from the one seed."""
    queries, gallery = map(torch.tensor, sides(6, 5, 4, 12))
    noises = [
        gu.GaussianNoise(6.0),
        gu.GaussianNoise(3.0, on="queries"),
        gu.UniformQuantization(3),
        gu.GaussianNoise(0.5),
    ]
    for asked in (noises, noises[:1], noises[1:3]):
        found = answers_under(queries, gallery, asked, targets, scoring, 40, 7)
        assert torch.equal(found.nearest, gu.scoring.nearest(queries, gallery, scoring))
        assert (found.right is None) == (targets is None)
        for k, noise in enumerate(asked):
            kept, right = gu.estimate(
                queries, gallery, noise, "auto", targets=targets, scoring=scoring, draws=40, seed=7
            )
            assert torch.equal(found.kept[k].per_query, kept.per_query)
            assert found.kept[k].draws == kept.draws
            if right is not None:
                assert found.right is not None
                assert torch.equal(found.right[k].per_query, right.per_query)
    signs = answers_under(queries[:, :1], gallery[:, :1], noises[:1], None, "cosine", 40, 7)
    assert signs.kept[0].draws == 40, "in one dimension a cosine is a sign"


def test_what_the_exact_engine_cannot_do_is_refused_with_the_way_out() -> None:
    queries, gallery = sides(0, 3, 4, 5)
    with pytest.raises(ValueError, match=r"^method: .*; use method='monte-carlo'$"):
        gu.robustness(queries, gallery, gu.GaussianNoise(0.1, on="queries"))
    still = queries * [[0], [1], [1]], gallery
    with pytest.raises(ValueError, match=r"^queries: .*cosine"):
        gu.estimate(*still, gu.GaussianNoise(0.1), scoring="cosine")
    with pytest.raises(ValueError, match=r"^queries: .*cosine"):
        gu.accuracy_under_noise(
            *still, [0, 1, 2], gu.GaussianNoise(0.1), "monte-carlo", scoring="cosine"
        )


def test_accuracy_without_noise_is_right_or_wrong() -> None:
    queries, gallery = sides(5, 8, 4, 6)
    targets = np.arange(8) % 4
    right = np.linalg.norm(queries[:, None] - gallery, axis=2).argmin(1) == targets
    for method in ("exact", "monte-carlo"):
        found = gu.accuracy_under_noise(queries, gallery, targets, gu.GaussianNoise(0.0), method)
        assert np.array_equal(found.numpy(), right.astype(float))


def test_kinds_of_input(tmp_path: Path) -> None:
    queries, gallery = sides(7, 9, 6, 70)
    noise = gu.GaussianNoise(20.0)
    expected = gu.robustness(queries, gallery, noise)
    assert expected.dtype == torch.float64
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    wide = np.asfortranarray(np.repeat(queries, 2, axis=0))[::2]
    for some_queries, some_gallery in (
        (torch.tensor(queries), torch.tensor(gallery)),
        (queries, mapped),
        (wide, torch.tensor(gallery.T.copy()).T),
        (queries.astype(">f8"), gallery),
        (torch.tensor(queries, requires_grad=True), gallery),
    ):
        torch.testing.assert_close(gu.robustness(some_queries, some_gallery, noise), expected)
    single = gu.robustness(queries.astype(np.float32), gallery.astype(np.float32), noise)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, atol=1e-5, rtol=0)
    half = gu.robustness(queries.astype(np.float16), gallery.astype(np.float16), noise)
    torch.testing.assert_close(half.double(), expected, atol=5e-3, rtol=0)
    one = gu.robustness(queries[:1], gallery, noise)
    torch.testing.assert_close(one, expected[:1], atol=1e-6, rtol=0)
    integers = gu.robustness(np.array([[0, 3]]), np.array([[0, 1], [5, 5]]), noise)
    assert integers.shape == (1,)


def test_inputs_are_left_alone() -> None:
    queries, gallery = sides()
    kept = queries.copy(), gallery.copy()
    gu.robustness(queries, gallery, gu.GaussianNoise(1.0))
    gu.robustness(queries, gallery, gu.GaussianNoise(1.0), "monte-carlo", draws=2)
    assert np.array_equal(queries, kept[0])
    assert np.array_equal(gallery, kept[1])


def test_no_variance_leaves_every_neighbour_in_single_precision() -> None:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(64, 48)).astype(np.float32)
    gallery = np.concatenate([gallery, gallery, gallery + 1e-7]).astype(np.float32) + 30
    queries = rng.normal(size=(300, 48)).astype(np.float32) + 30
    assert bool((gu.robustness(queries, gallery, gu.GaussianNoise(0.0)) == 1).all())


def least_exchange(query: np.ndarray, gallery: np.ndarray) -> float:
    """Norm of the least joint change of two items that exchanges them, by a general optimiser."""
    near = np.linalg.norm(query - gallery, axis=1).argmin()
    best = math.inf
    for other in set(range(len(gallery))) - {near}:
        pair = gallery[[near, other]]

        def lead(delta: np.ndarray, pair: np.ndarray = pair) -> float:
            squared = np.square(query - pair - delta.reshape(pair.shape)).sum(1)
            return float(squared[0] - squared[1])

        start = np.random.default_rng(0).normal(size=pair.size) * 0.3
        done = minimize(
            lambda delta: float(delta @ delta),
            start,
            jac=lambda delta: 2 * delta,
            constraints={"type": "ineq", "fun": lead},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 300},
        )
        assert done.success
        best = min(best, math.sqrt(done.fun))
    return best


def test_certified_radius_is_the_optimisers() -> None:
    queries, gallery = sides(11, 6, 4, 3)
    found = gu.certified_radius(queries, gallery)
    expected = [least_exchange(query, gallery) for query in queries]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, d=st.integers(1, 20), m=st.integers(2, 8))
def test_no_change_within_the_certified_radius_moves_a_neighbour(seed: int, d: int, m: int) -> None:
    queries, gallery = sides(seed, 3, m, d)
    rng = np.random.default_rng(seed)
    for query, radius in zip(queries, gu.certified_radius(queries, gallery).numpy(), strict=True):
        distance = np.linalg.norm(query - gallery, axis=1)
        near, second = distance.argsort()[:2]
        worst = np.zeros_like(gallery)
        worst[near] = (gallery[near] - query) / max(distance[near], 1e-12)
        worst[second] = (query - gallery[second]) / distance[second]
        for direction in (worst, rng.normal(size=gallery.shape)):
            change = direction * (0.999 * radius / np.linalg.norm(direction))
            assert np.linalg.norm(query - gallery - change, axis=1).argmin() == near
        change = worst * (1.001 * radius + 1e-9) / math.sqrt(2)
        if distance[near] > 1e-9:
            assert np.linalg.norm(query - gallery - change, axis=1).argmin() != near


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_a_common_offset_leaves_the_certificate(offset: float) -> None:
    queries, gallery = sides(4, 20, 30, 32)
    shift = offset * np.random.default_rng(0).normal(size=32)
    near = gu.certified_radius(queries, gallery)
    torch.testing.assert_close(
        gu.certified_radius(queries + shift, gallery + shift), near, atol=1e-6, rtol=0
    )


def test_certified_radius_edges() -> None:
    queries, gallery = sides(0, 3, 1, 4)
    assert bool(torch.isinf(gu.certified_radius(queries, gallery)).all())
    for kind in (torch.float32, torch.float64):
        for items in (gallery, np.repeat(gallery, 3, axis=0)):
            found = gu.certified_radius(*(torch.tensor(x).to(kind) for x in (queries, items)))
            assert found.dtype == kind
    twice = np.repeat(gallery, 2, axis=0)
    assert gu.certified_radius(queries, twice).abs().max() == pytest.approx(0, abs=1e-12)
