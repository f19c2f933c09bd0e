"""Win probabilities of a chunk of queries: pruned, in any order, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.noise import _wins
from gaputils.noise._wins import ExactWins
from gaputils.scoring import SCORINGS
from noise.helpers import wins


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("dim", [4, 256])
def test_pruning_stays_within_its_bound(tolerance: float, dim: int) -> None:
    rng = np.random.default_rng(1)
    near = rng.uniform(0, 50, size=(20, 1))
    costs = torch.tensor(near + np.sort(rng.exponential(size=(20, 400)), axis=1) * 10 * dim**0.5)
    winner = [costs.argmin(dim=1)]
    whole, pruned = wins(costs, winner, dim, 1e-12), wins(costs, winner, dim, tolerance)
    assert float((whole - pruned).abs().max()) <= tolerance + 2e-5


@pytest.mark.parametrize("same_order", [False, True])
def test_a_second_call_sorts_again_unless_the_order_is_promised(same_order: bool) -> None:
    """And even then if there are other rows, or if more items are near."""
    rng = np.random.default_rng(5)
    costs = torch.tensor(
        np.sort(rng.uniform(0, 4000, size=(6, 40)), axis=1)[:, rng.permutation(40)]
    )
    kept = ExactWins(96, [1.0], "euclidean", **({"same_order": True} if same_order else {}))

    def agree(costs: torch.Tensor) -> None:
        winner, norms = [costs.argmin(dim=1)], torch.ones(len(costs))
        fresh = wins(costs, winner, 96)
        found = kept(costs, winner, norms, norms[:1])[0][0]
        torch.testing.assert_close(found, fresh, atol=1e-4, rtol=0)

    for factor in (1.0, 0.9, 0.02):
        agree(factor * costs)
    agree(0.02 * costs[:4])
    if not same_order:
        agree(costs)
        agree(costs.flip(1))


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("longest", [1.0, 30.0])
@pytest.mark.parametrize("variance", [1e-3, 0.1, 3.0])
def test_few_items_that_are_all_kept_win_as_often_as_among_the_near_ones(
    scoring: str, longest: float, variance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under cosine, where a long item far from the query asks for no finer nodes."""
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(16, 80))
    gallery[8:] *= longest
    queries = gallery[:8] + rng.normal(size=(8, 80)) / 2
    noise = gu.GaussianNoise(variance, per="coordinate")

    def found() -> torch.Tensor:
        wanted = np.arange(8)[::-1].copy()
        return torch.stack(
            [
                gu.robustness(queries, gallery, noise, scoring=scoring),
                gu.accuracy_under_noise(queries, gallery, wanted, noise, scoring=scoring),
            ]
        )

    whole = found()
    monkeypatch.setattr(_wins, "FEW_ITEMS", 0)
    torch.testing.assert_close(found(), whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize("budget", [1, 3000, 20_000, 10**9])
def test_batches_share_out_the_rows_and_keep_what_each_needs(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wins, "_ELEMENTS", budget)
    values = torch.zeros(50, 40)
    count = torch.as_tensor(np.random.default_rng(0).integers(1, 41, size=50))
    for counts in (count, None):
        rows = []
        for some, kept in _wins._batches(values, counts):
            these = torch.arange(50)[some]
            assert kept == (40 if counts is None else int(count[these].max()))
            rows += these.tolist()
        assert sorted(rows) == list(range(50))
