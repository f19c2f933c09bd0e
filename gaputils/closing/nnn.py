"""Nearest-neighbour normalisation: take from each item's score what it gives to everybody."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import integer, number, work
from gaputils._steps import Steps
from gaputils.closing.base import Closing


class NearestNeighborNormalization(Closing):
    """Subtract from each gallery item's score its mean score with its `k` best reference queries.

    Chowdhury et al. 2024 (NNN), package `nnn-retrieval`: the score of query ``q`` and item ``x``
    is ``q.x - weight b(x)``, ``b(x)`` the mean of the `k` greatest ``r.x`` over reference queries
    ``r``, all of them if there are fewer than `k`. It lowers hubs, items that are near to
    everything. The paper chooses `k` and `weight` on held-out data.

    A score's bias is no move of an embedding, so `transform` lifts both sides by two coordinates:
    a query becomes ``(q, 1, 0)`` and an item ``(x, -weight b(x), h(x))`` with ``h(x)`` such that
    all items of the call have one norm. Inner product, cosine and Euclidean distance then all
    rank by the NNN score: the inner product is that score exactly. Noise or quantisation of
    the lifted items falls on the bias as well, as in a store that keeps it with the vector.

    Guarantees the scores of `nnn-retrieval`; the original ranking is changed on purpose. Learns
    `reference_` (n, d), the queries that were fitted; biases are computed for the gallery given
    to `transform`.
    """

    called = "NNN"
    calibrated = True
    _gallery_at_once = True

    def __init__(self, k: int = 16, weight: float = 0.5) -> None:
        self.k = k
        self.weight = weight

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:  # noqa: ARG002
        integer("k", self.k, low=1)
        number("weight", self.weight)
        self.reference_ = queries.clone()

    def bias(self, gallery: Tensor) -> Tensor:
        """(m,) mean score of each row of `gallery` (m, d) with its `k` best reference queries."""
        reference = work(self.reference_.to(gallery.device))
        k = min(integer("k", self.k, low=1), len(reference))
        step = max(1, 2**23 // len(reference))
        parts = [
            (rows @ reference.mT).topk(k, dim=1).values.mean(dim=1)
            for rows in torch.split(work(gallery), step)
        ]
        return torch.cat(parts)

    def _query_steps(self) -> Steps:
        return [("append", [1.0, 0.0])]

    def _move_gallery(self, gallery: Tensor) -> Tensor:
        bias = -number("weight", self.weight) * self.bias(gallery)[:, None]
        items = torch.cat([work(gallery), bias], dim=1)
        squares = items.square().sum(dim=1, keepdim=True)
        height = (squares.max() - squares).clamp_min(0).sqrt()
        return torch.cat([items, height], dim=1)
