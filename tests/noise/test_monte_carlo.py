"""Drawing: many noisy galleries at a time give what one at a time gives, within chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.noise import _monte_carlo
from gaputils.scoring import SCORINGS, cost, nearest


def sides(n: int = 9, m: int = 6, d: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    return torch.tensor(rng.normal(size=(n, d))), torch.tensor(rng.normal(size=(m, d)))


@pytest.mark.parametrize("length", [1e3, 1e5])
def test_long_rows_under_little_noise_are_no_equals(length: float) -> None:
    """Cosines that differ by less than single precision holds."""
    query, heights = torch.tensor([[1.0, 0.0]]), torch.tensor([0.0, 2.0, -3.0, 4.0])
    gallery = torch.stack([torch.full((4,), length), heights], dim=1).double()
    noise, several = gu.GaussianNoise(2.0), query.expand(4, -1)
    options = {"scoring": "cosine", "draws": 2000}
    _, first = gu.estimate(several, gallery, noise, targets=range(4), **options)
    assert first is not None
    assert float(first.per_query.sum()) == pytest.approx(1, abs=1e-6)
    exact = gu.robustness(query, gallery, noise, scoring="cosine")
    assert float(first.per_query[0]) == pytest.approx(float(exact), abs=0.04)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("unit", [1e-150, 1e-30, 1e-15, 1e100])
def test_the_unit_of_all_rows_changes_no_draw(unit: float, scoring: str) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(30, 16)), rng.normal(size=(10, 16)) + 1
    how = {"scoring": scoring, "method": "monte-carlo", "draws": 200}
    kept = gu.robustness(queries, gallery, gu.GaussianNoise(1.6), **how)
    noise = gu.GaussianNoise(1.6 * unit**2)
    moved = gu.robustness(unit * queries, unit * gallery, noise, **how)
    torch.testing.assert_close(moved, kept, rtol=0, atol=0.005)


def test_of_cosines_that_are_signs_the_first_item_wins() -> None:
    query, gallery = torch.ones(1, 1), torch.tensor([[1.0], [2.0], [3.0]])
    noise = gu.GaussianNoise(1e-4)
    for target, share in enumerate([1.0, 0.0, 0.0]):
        found = gu.estimate(query, gallery, noise, targets=[target], scoring="cosine", draws=20)
        assert found[1] is not None
        assert found[1].mean == share


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product"])
def test_a_query_of_zeros_ranks_by_distance_alone(scoring: str) -> None:
    queries, gallery = torch.zeros(1, 2), torch.tensor([[1.0, 0.0], [0.5, 0.0]])
    noise = gu.GaussianNoise(0.2)
    exact = gu.accuracy_under_noise(queries, gallery, [1], noise, scoring=scoring)
    _, drawn = gu.estimate(queries, gallery, noise, targets=[1], scoring=scoring, draws=4000)
    assert drawn is not None
    assert drawn.mean == pytest.approx(float(exact), abs=5 * drawn.standard_error)
    assert float(exact) > 0.5 if scoring == "euclidean" else float(exact) == 0


@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_seeds_draws_one_by_one_have_the_same_winners(scoring: str) -> None:
    queries, gallery = sides(d=16)
    targets, noise = torch.arange(9) % 6, gu.GaussianNoise(8.0)
    kept, right = gu.estimate(
        queries, gallery, noise, targets=targets, scoring=scoring, draws=30, seed=4
    )
    drawn = torch.randn(30, 6, 16, generator=torch.Generator().manual_seed(4))
    shares = []
    for each in drawn * math.sqrt(8 / 16):
        shares.append(cost(queries, gallery + each, scoring).argmin(dim=1))
    found = torch.stack(shares)
    for estimate, winner in ((kept, nearest(queries, gallery, scoring)), (right, targets)):
        hit = (found == winner).double()
        torch.testing.assert_close(estimate.per_query.double(), hit.mean(0), atol=1e-6, rtol=0)
        error = float(hit.mean(1).std() / math.sqrt(30))
        assert estimate.standard_error == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_batches_change_nothing_but_the_order_of_sums(scoring, monkeypatch) -> None:
    queries, gallery = sides(d=16)
    noise = gu.GaussianNoise(8.0)
    whole = gu.estimate(queries, gallery, noise, scoring=scoring, draws=50, seed=1)[0]
    monkeypatch.setattr(_monte_carlo, "_ELEMENTS", 7 * gallery.numel())
    parts = gu.estimate(queries, gallery, noise, scoring=scoring, draws=50, seed=1)[0]
    torch.testing.assert_close(parts.per_query, whole.per_query)
    assert parts.standard_error == pytest.approx(whole.standard_error)


def test_a_query_meets_the_same_noise_whichever_others_there_are() -> None:
    queries, gallery = sides()
    noise = gu.GaussianNoise(9.0)
    together = gu.estimate(queries, gallery, noise, draws=40)[0].per_query
    alone = gu.estimate(queries[:1], gallery, noise, draws=40)[0].per_query
    assert torch.equal(alone, together[:1])


@pytest.mark.parametrize("scoring", SCORINGS)
def test_single_precision_survives_a_common_offset(scoring: str) -> None:
    queries, gallery = sides()
    noise, shift = gu.GaussianNoise(9.0), 1e6
    if scoring == "cosine":
        shift = 0.0
    near = gu.estimate(queries, gallery, noise, scoring=scoring, draws=200)[0]
    moved = queries + shift if scoring == "euclidean" else queries
    far = gu.estimate(moved, gallery + shift, noise, scoring=scoring, draws=200)[0]
    torch.testing.assert_close(far.per_query, near.per_query, atol=0.011, rtol=0)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("noise", [gu.UniformQuantization(3), gu.GaussianNoise(3.0, on="queries")])
def test_other_noise_is_applied_once_a_draw(noise: gu.noise.Noise, scoring: str) -> None:
    queries, gallery = sides()
    gallery = gallery * torch.linspace(0.3, 2, len(gallery))[:, None]
    found = gu.estimate(queries, gallery, noise, draws=20, seed=2, scoring=scoring)[0]
    generator, hits = torch.Generator().manual_seed(2), torch.zeros(len(queries))
    draws = 20 if noise.random else 1
    for _ in range(draws):
        moved = noise.apply(queries, gallery, generator)
        hits += cost(*moved, scoring).argmin(dim=1) == nearest(queries, gallery, scoring)
    assert found.draws == len(found.shares) == draws
    assert found.mean == pytest.approx(float(found.shares.mean()))
    torch.testing.assert_close(found.per_query, hits / draws)


def test_auto_is_exact_where_it_can_be_and_says_so() -> None:
    queries, gallery = sides()
    noise = gu.GaussianNoise(9.0)
    for scoring in SCORINGS:
        found, right = gu.estimate(
            queries, gallery, noise, "auto", targets=[0] * 9, scoring=scoring
        )
        expected = gu.robustness(queries, gallery, noise, scoring=scoring)
        assert torch.equal(found.per_query, expected)
        assert (found.standard_error, found.draws) == (0.0, 0)
        assert right is not None
        wanted = gu.accuracy_under_noise(queries, gallery, [0] * 9, noise, scoring=scoring)
        assert right.mean == pytest.approx(float(wanted.mean()))
    sampled, _ = gu.estimate(queries, gallery, gu.GaussianNoise(9.0, on="queries"), "auto", draws=9)
    assert sampled.draws == 9
    signs, _ = gu.estimate(*sides(d=1), noise, "auto", scoring="cosine", draws=9)
    assert signs.draws == 9, "in one dimension a cosine is a sign"
    with pytest.raises(ValueError, match=r"^method: .* got 'sampled'"):
        gu.estimate(queries, gallery, noise, "sampled")


@pytest.mark.parametrize("noise", [gu.GaussianNoise(9.0), gu.GaussianNoise(9.0, on="queries")])
def test_several_right_answers_are_each_as_often_first_as_alone(noise: gu.GaussianNoise) -> None:
    queries, gallery = sides()
    one, other = torch.arange(9) % 6, (torch.arange(9) + 2) % 6

    def right(targets: torch.Tensor) -> torch.Tensor:
        return gu.accuracy_under_noise(
            queries, gallery, targets, noise, "monte-carlo", draws=50, seed=1
        )

    both = right(torch.stack([one, other], dim=1))
    torch.testing.assert_close(both, right(one) + right(other))
    filled_up = torch.stack([one, torch.full_like(one, -1)], dim=1)
    torch.testing.assert_close(right(filled_up), right(one))


def test_estimates_of_several_sets_of_queries_become_one_of_all() -> None:
    rng = np.random.default_rng(3)
    parts = []
    for queries in (3, 5):
        found = torch.tensor(rng.integers(0, 2, size=(40, queries)).astype(float))
        parts.append(_monte_carlo.Estimate.sampled(found.sum(0), found.mean(1), True))
    whole = _monte_carlo.Estimate.together(parts)
    torch.testing.assert_close(whole.per_query, torch.cat([one.per_query for one in parts]))
    assert whole.mean == pytest.approx(float(whole.per_query.mean()))
    torch.testing.assert_close(whole.shares, (3 * parts[0].shares + 5 * parts[1].shares) / 8)
    errors = [one.standard_error for one in parts]
    expected = math.sqrt((3 * errors[0]) ** 2 + (5 * errors[1]) ** 2) / 8
    assert whole.standard_error == pytest.approx(expected)
    assert whole.draws == 40
    alone = _monte_carlo.Estimate.together(parts[:1])
    assert (alone.draws, alone.standard_error) == (40, pytest.approx(errors[0]))


def test_exact_answers_together_are_exact() -> None:
    shares = torch.tensor([0.25, 0.5, 1.0])
    parts = [_monte_carlo.Estimate.exact(part) for part in (shares[:1], shares[1:])]
    whole = _monte_carlo.Estimate.together(parts)
    assert torch.equal(whole.per_query, shares)
    assert (whole.mean, whole.standard_error, whole.draws) == (pytest.approx(1.75 / 3), 0.0, 0)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_draws_under_autocast_are_those_without(scoring: str) -> None:
    queries, gallery = torch.randn(2, 50, 64, generator=torch.Generator().manual_seed(0)) / 8
    noise = gu.GaussianNoise(0.5)
    plain = gu.robustness(queries, gallery, noise, "monte-carlo", scoring=scoring, draws=50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = gu.robustness(queries, gallery, noise, "monte-carlo", scoring=scoring, draws=50)
    assert torch.equal(under, plain)
