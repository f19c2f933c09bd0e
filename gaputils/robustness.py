"""How often a nearest neighbour survives noise on the embeddings (Chowers et al. 2026, Eq. 10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gaputils import _exact
from gaputils._callable import make_module_callable
from gaputils._checks import Seed, as_pair, as_targets, choice, number, work
from gaputils._monte_carlo import Estimate, simulate
from gaputils.noise import GaussianNoise, Noise
from gaputils.scoring import check_scoring, cost, first_equals, nearest, settle

METHODS = ("exact", "monte-carlo")
_ELEMENTS = 2**20


def robustness(
    queries: Any,
    gallery: Any,
    noise: Noise,
    method: str = "exact",
    *,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> Tensor:
    """Probability that each query keeps its nearest gallery item under noise.

    Chowers et al. 2026, Eq. 10, per query. `queries` (n, d), `gallery` (m, d); returns (n,)
    probabilities in [0, 1].

    `method="exact"` needs no sampling (`gaputils._exact`): Gaussian noise on the gallery, scoring
    "euclidean" or "inner-product"; its absolute error is below 1e-4 for any d, of which
    `tolerance` is the share allowed for items too far away to matter. `method="monte-carlo"`
    takes any noise and also "cosine", where the noisy gallery is renormalised; `draws` and `seed`
    say how often and from where; `estimate` gives its standard error.

    Raises `ValueError` if the dimensions differ, a value is not finite, or `method` cannot answer
    for this noise or scoring.
    """
    queries, gallery, _ = _checked(queries, gallery, noise, method, scoring, None)
    if method == "monte-carlo":
        winner = nearest(queries, gallery, scoring)
        return simulate(queries, gallery, noise, [winner], scoring, draws, seed)[0].per_query
    assert isinstance(noise, GaussianNoise)
    return _exact_wins(queries, gallery, noise, None, scoring, tolerance)


def accuracy_under_noise(
    queries: Any,
    gallery: Any,
    targets: Any,
    noise: Noise,
    method: str = "exact",
    *,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> Tensor:
    """Probability that each query's nearest item under noise is its target.

    As `robustness`, with `targets` (n,) in the place of the noise-free nearest items.
    """
    queries, gallery, _ = _checked(queries, gallery, noise, method, scoring, None)
    wanted = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    if method == "monte-carlo":
        return simulate(queries, gallery, noise, [wanted], scoring, draws, seed)[0].per_query
    assert isinstance(noise, GaussianNoise)
    return _exact_wins(queries, gallery, noise, wanted, scoring, tolerance)


def estimate(
    queries: Any,
    gallery: Any,
    noise: Noise,
    *,
    targets: Any = None,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
) -> tuple[Estimate, Estimate | None]:
    """Monte-Carlo robustness and, with `targets` (n,), accuracy, each with its standard error."""
    queries, gallery, wanted = _checked(queries, gallery, noise, "monte-carlo", scoring, targets)
    winners = [nearest(queries, gallery, scoring), *([] if wanted is None else [wanted])]
    found = simulate(queries, gallery, noise, winners, scoring, draws, seed)
    return found[0], (found[1] if wanted is not None else None)


def certified_radius(queries: Any, gallery: Any) -> Tensor:
    """Norm of the smallest joint change of the gallery that changes each query's nearest item.

    With `a` the distance to the nearest item and `b` to another, the least change of the two that
    exchanges them has norm ``(b - a) / sqrt(2)``; the smallest over the others is returned, (n,),
    infinite for a gallery of one item. Euclidean ranking. (Our derivation.)
    """
    queries, gallery = as_pair(queries, gallery)
    if len(gallery) == 1:
        return torch.full((len(queries),), math.inf, dtype=queries.dtype, device=queries.device)
    step = max(1, 2**23 // len(gallery))
    radii = []
    for rows in queries.split(step):
        squared = cost(work(rows), work(gallery), "euclidean").clamp_min(0)
        near = squared.topk(2, dim=1, largest=False, sorted=True).values.sqrt()
        radii.append((near[:, 1] - near[:, 0]) / math.sqrt(2))
    return torch.cat(radii).to(queries.dtype)


class ExactWins:
    """Exact win probabilities of one chunk of queries, for several variances at once.

    `dim` of the space, `variances` per coordinate, `scoring` "euclidean" or "inner-product".
    Items that beat the nearest one with probability at most `tolerance` in all are left out; the
    rest are sorted once for all variances. With `same_order` the caller promises that the costs
    of later calls rank the items as the first call's do, and they are not sorted again.
    """

    def __init__(
        self,
        dim: int,
        variances: Sequence[float],
        scoring: str,
        tolerance: float = 1e-5,
        same_order: bool = False,
    ) -> None:
        self.dim, self.variances, self.scoring = dim, variances, scoring
        self.tolerance, self.same_order = tolerance, same_order
        self._order: Tensor | None = None

    def __call__(self, costs: Tensor, winners: list[Tensor], norms: Tensor) -> list[list[Tensor]]:
        """Probability that `winners[k]` (n,) comes first, for each variance and each k.

        `costs` (n, m) of `scoring.cost`, `norms` (n,) of the queries (for inner products alone).
        """
        best, first = costs.min(dim=1)
        limits = [
            _reach(best, self.dim, v, norms, costs.shape[1], self.scoring, self.tolerance)
            for v in self.variances
        ]
        counts = [(costs <= limit[:, None]).sum(dim=1) for limit in limits]
        values, columns = self._nearest(costs, max(int(count.max()) for count in counts))
        places = [_place(columns, winner) for winner in winners]
        results = []
        for variance, count, limit in zip(self.variances, counts, limits, strict=True):
            if variance == 0:
                results.append([(winner == first).to(costs.dtype) for winner in winners])
            else:
                # A batch keeps as many items as its widest row needs: the others' further items
                # count as if they stood at the limit, so that none widens the range to be fitted.
                near = torch.minimum(values, limit[:, None])
                found = self._one(near, places, count, variance, norms)
                if self.scoring == "inner-product":
                    found = [
                        torch.where(norms == 0, (winner == first).to(share), share)
                        for winner, share in zip(winners, found, strict=True)
                    ]
                results.append(found)
        return results

    def _nearest(self, costs: Tensor, kept: int) -> tuple[Tensor, Tensor]:
        """The `kept` least costs of each row, ascending, and their columns."""
        order = self._order
        if order is None or order.shape[1] < kept or order.shape[0] != costs.shape[0]:
            found = costs.topk(kept, dim=1, largest=False)
            self._order = found.indices if self.same_order else None
            return found.values, found.indices
        columns = order[:, :kept]
        return costs.gather(1, columns), columns

    def _one(
        self, values: Tensor, places: list[Tensor], count: Tensor, variance: float, norms: Tensor
    ) -> list[Tensor]:
        """Win probabilities at one variance, in batches of rows that keep about as many items."""
        found = [torch.zeros_like(values[:, 0]) for _ in places]
        ascending, order = count.sort()
        start = 0
        while start < len(order):
            stop = _batch_end(ascending, start)
            rows = order[start:stop]
            near = values[rows, : int(ascending[stop - 1])]
            for k, place in enumerate(places):
                own = place[rows]
                again = own == places[0][rows] if k else torch.zeros_like(own, dtype=torch.bool)
                result = torch.where(again, found[0][rows], 0.0)
                todo = ~again & (own >= 0) & (own < near.shape[1])
                if bool(todo.any()):
                    args = near[todo], own[todo], self.dim, variance, norms[rows][todo]
                    result[todo] = _win(*args, self.scoring)
                found[k][rows] = result
            start = stop
        return found


def _reach(
    best: Tensor,
    dim: int,
    variance: float,
    norms: Tensor,
    items: int,
    scoring: str,
    tolerance: float,
) -> Tensor:
    """(n,) cost above which items may be left out."""
    if variance == 0:
        return best
    if scoring == "euclidean":
        limit = _exact.euclidean_reach(best.clamp_min(0), dim, variance, items, tolerance)
    else:
        deviation = norms * math.sqrt(variance)
        limit = -_exact.inner_product_reach(-best, deviation, items, tolerance)
    return torch.maximum(limit, best)


def _place(columns: Tensor, winner: Tensor) -> Tensor:
    """Where `winner` (n,) stands in each row of `columns`; -1 if it was left out."""
    match = columns == winner[:, None]
    return torch.where(match.any(dim=1), match.to(torch.uint8).argmax(dim=1), -1)


def _win(
    near: Tensor, place: Tensor, dim: int, variance: float, norms: Tensor, scoring: str
) -> Tensor:
    """Win probability of the item at `place` (n,) among `near` (n, k)."""
    if near.shape[1] == 1:
        return torch.ones_like(near[:, 0])
    if scoring == "euclidean":
        return _exact.euclidean_win(near, place, dim, variance).to(near.dtype)
    return _exact.inner_product_win(-near, place, norms * math.sqrt(variance))


def _batch_end(count: Tensor, start: int) -> int:
    """End of the longest batch from `start` that fits the budget; `count` ascends."""
    widths = count[start:] * torch.arange(1, len(count) - start + 1, device=count.device)
    fitting = int((widths * len(_exact.NODES) <= _ELEMENTS).sum())
    return start + max(1, fitting)


def check_exact(noise: Noise, scoring: str) -> GaussianNoise:
    """`noise` if the exact engine can answer for it under `scoring`, else a `ValueError`."""
    if not isinstance(noise, GaussianNoise) or noise.on != "gallery":
        raise ValueError(
            f"method: 'exact' is for GaussianNoise on the gallery, got {noise!r}; "
            "use method='monte-carlo'"
        )
    if scoring == "cosine":
        raise ValueError("method: 'exact' has no 'cosine' scoring; use method='monte-carlo'")
    return noise


def _exact_wins(
    queries: Tensor,
    gallery: Tensor,
    noise: GaussianNoise,
    winner: Tensor | None,
    scoring: str,
    tolerance: float,
) -> Tensor:
    """(n,) win probabilities of `winner` (n,), or of each query's own nearest item."""
    dim = queries.shape[1]
    variance = noise.coordinate_variance(dim)
    number("tolerance", tolerance, low=0, high=1, strict=True)
    step = max(1, 2**22 // len(gallery))
    parts = []
    wide = work(gallery)
    twins = first_equals(wide)
    for start in range(0, len(queries), step):
        rows = work(queries[start : start + step])
        costs = settle(cost(rows, wide, scoring), twins)
        part = costs.argmin(dim=1) if winner is None else winner[start : start + step]
        norms = torch.linalg.vector_norm(rows, dim=1)
        wins = ExactWins(dim, [variance], scoring, tolerance)
        parts.append(wins(costs, [part], norms)[0][0])
    return torch.cat(parts).clamp(0, 1).to(queries.dtype)


def _checked(
    queries: Any, gallery: Any, noise: Any, method: str, scoring: str, targets: Any
) -> tuple[Tensor, Tensor, Tensor | None]:
    queries, gallery = as_pair(queries, gallery)
    choice("method", method, METHODS)
    check_scoring(gallery, scoring, queries)
    if not isinstance(noise, Noise):
        raise TypeError(f"noise: expected a noise such as GaussianNoise, got {noise!r}")
    if method == "exact":
        check_exact(noise, scoring)
    if targets is not None:
        targets = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    return queries, gallery, targets


make_module_callable(__name__, robustness)
