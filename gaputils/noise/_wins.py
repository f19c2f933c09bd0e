"""Exact win probabilities of a chunk of queries, for several variances at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gaputils.noise import _chi, _cosine, _exact

_ELEMENTS = 2**18

# To leave items out of so few costs more than it saves, unless their law needs quadrature.
FEW_ITEMS = 16


class ExactWins:
    """Exact win probabilities of one chunk of queries, for several variances at once.

    `dim` of the space, `variances` per coordinate, `scoring` one of `scoring.SCORINGS`.
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

    def __call__(
        self,
        costs: Tensor,
        winners: list[Tensor],
        norms: Tensor,
        lengths: Tensor,
        across: Tensor | None = None,
    ) -> list[list[Tensor]]:
        """Probability that `winners[k]` (n,) comes first, for each variance and each k.

        `costs` (n, m) of `scoring.cost`, `norms` (n,) of the queries (Euclidean scoring needs
        none), `lengths` (m,) or (n, m) of the items (cosine alone needs them), `across` (n, m) as
        `_cosine.squared_across` gives it.
        """
        if self.scoring == "cosine":
            costs = (costs / norms[:, None]).clamp(-1, 1)
        columns, places, values = None, winners, costs
        limits: Sequence[Tensor | None] = [None] * len(self.variances)
        counts: Sequence[Tensor | None] = limits
        if not self._keeps_all(costs.shape[1]):
            best = costs.amin(dim=1)
            reached = [self._reach(costs, best, v, norms, lengths) for v in self.variances]
            within = [(costs <= limit[:, None]).sum(dim=1) for limit in reached]
            values, columns = self._nearest(costs, max(int(count.max()) for count in within))
            limits, counts = reached, within
            places = [_place(columns, winner) for winner in winners]
        scale = norms
        if self.scoring == "cosine":
            scale = lengths.expand(costs.shape)
            if columns is not None:
                scale = scale.gather(1, columns)
                across = None if across is None else across.gather(1, columns)
        results = []
        for variance, count, limit in zip(self.variances, counts, limits, strict=True):
            if variance == 0:
                first = costs.argmin(dim=1)
                results.append([(winner == first).to(costs.dtype) for winner in winners])
            else:
                near = values
                if self.scoring == "euclidean" and limit is not None:
                    # Items beyond a row's limit, kept for another row of its batch, count as if
                    # they stood there: none widens the range on which distances are interpolated.
                    near = torch.minimum(values, limit[:, None])
                found = self._one(near, places, count, variance, scale, across)
                if self.scoring == "inner-product" and not bool(norms.all()):
                    first = costs.argmin(dim=1)
                    found = [
                        torch.where(norms == 0, (winner == first).to(share), share)
                        for winner, share in zip(winners, found, strict=True)
                    ]
                results.append(found)
        return results

    def _keeps_all(self, items: int) -> bool:
        """Whether all are kept, at any noise."""
        normal = self.scoring == "inner-product" or self.dim > _chi.enough(items)
        return items <= FEW_ITEMS and normal

    def _reach(
        self, costs: Tensor, best: Tensor, variance: float, norms: Tensor, lengths: Tensor
    ) -> Tensor:
        """(n,) cost above which items may be left out."""
        if variance == 0:
            return best
        items, deviation = costs.shape[1], math.sqrt(variance)
        if self.scoring == "euclidean":
            near = best.clamp_min(0)
            limit = _exact.euclidean_reach(near, self.dim, variance, items, self.tolerance)
        elif self.scoring == "inner-product":
            noise = norms * deviation
            limit = -_exact.inner_product_reach(-best, noise, items, self.tolerance)
        else:
            limit = -_cosine.cosine_reach(-costs, lengths / deviation, self.dim, self.tolerance)
        return torch.maximum(limit, best)

    def _nearest(self, costs: Tensor, kept: int) -> tuple[Tensor, Tensor]:
        """The `kept` least costs of each row, ascending, and their columns."""
        order = self._order
        if order is None or order.shape[1] < kept or order.shape[0] != costs.shape[0]:
            order = _least(costs, kept)
            self._order = order if self.same_order else None
        columns = order[:, :kept]
        return costs.gather(1, columns), columns

    def _one(
        self,
        values: Tensor,
        places: list[Tensor],
        count: Tensor | None,
        variance: float,
        scale: Tensor,
        across: Tensor | None,
    ) -> list[Tensor]:
        """Win probabilities at one variance among each row's `count` (n,) nearest, None for all."""
        found = [torch.zeros_like(values[:, 0]) for _ in places]
        for rows, kept in _batches(values, count):
            near = values[rows, :kept]
            wide = scale[rows, :kept] if scale.ndim == 2 else scale[rows]
            rest = None if across is None else across[rows, :kept]
            for k, place in enumerate(places):
                own = place[rows]
                todo = (own >= 0) & (own < kept)
                if k:
                    again = own == places[0][rows]
                    found[k][rows] = torch.where(again, found[0][rows], 0.0)
                    todo &= ~again
                if bool(todo.all()):
                    found[k][rows] = self._win(near, own, variance, wide, rest)
                elif bool(todo.any()):
                    side = None if rest is None else rest[todo]
                    result = found[k][rows]
                    result[todo] = self._win(near[todo], own[todo], variance, wide[todo], side)
                    found[k][rows] = result
        return found

    def _win(
        self, near: Tensor, place: Tensor, variance: float, scale: Tensor, across: Tensor | None
    ) -> Tensor:
        """Win probability of the item at `place` (n,) among `near` (n, k)."""
        if near.shape[1] == 1:
            return torch.ones_like(near[:, 0])
        deviation = math.sqrt(variance)
        if self.scoring == "euclidean":
            return _exact.euclidean_win(near, place, self.dim, variance)
        if self.scoring == "inner-product":
            return _exact.inner_product_win(-near, place, scale * deviation)
        across = None if across is None else across / variance
        return _cosine.cosine_win(-near, scale / deviation, place, self.dim, across)


def _least(costs: Tensor, kept: int) -> Tensor:
    """(n, kept) columns of each row's least costs, ascending."""
    if costs.device.type != "cpu" or 16 * kept < costs.shape[1]:
        return costs.topk(kept, dim=1, largest=False).indices
    # NumPy's sort is several times as fast where most of a row is wanted.
    return torch.from_numpy(costs.numpy().argsort(axis=1)[:, :kept])


def _place(columns: Tensor, winner: Tensor) -> Tensor:
    """Where `winner` (n,) stands in each row of `columns`; -1 if it was left out."""
    match = columns == winner[:, None]
    return torch.where(match.any(dim=1), match.to(torch.uint8).argmax(dim=1), -1)


def _batches(values: Tensor, count: Tensor | None) -> Iterator[tuple[Tensor | slice, int]]:
    """Rows of `values` (n, k) that are worked on at once, and how many of their columns.

    Those of which about as many columns are kept, `count` (n,), go together; None keeps them all.
    """
    n, most = values.shape if count is None else (len(count), int(count.max()))
    if count is None or n * most * len(_exact.nodes(most)) <= _ELEMENTS:
        step = max(1, _ELEMENTS // (most * len(_exact.nodes(most))))
        yield from ((slice(start, start + step), most) for start in range(0, n, step))
        return
    ascending, order = count.sort()
    start = 0
    while start < n:
        stop = _batch_end(ascending, start)
        yield order[start:stop], int(ascending[stop - 1])
        start = stop


def _batch_end(count: Tensor, start: int) -> int:
    """End of the longest batch from `start` that fits the budget; `count` ascends."""
    widths = count[start:] * torch.arange(1, len(count) - start + 1, device=count.device)
    fitting = int((widths * len(_exact.nodes(int(count[-1]))) <= _ELEMENTS).sum())
    return start + max(1, fitting)
