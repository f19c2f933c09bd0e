"""The three ways of ranking a gallery, as costs: the least cost is the nearest item."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gaputils import _checks
from gaputils._checks import as_pair, choice, require_nonzero_rows

SCORINGS = ("euclidean", "inner-product", "cosine")


def cost(queries: Tensor, gallery: Tensor, scoring: str) -> Tensor:
    """(n, m) squared distances, negated inner products, or negated cosines with the gallery.

    The query's own norm is left out of the cosine: it ranks nothing.
    """
    product = queries @ gallery.mT
    if scoring == "inner-product":
        return -product
    squares = gallery.square().sum(dim=-1)
    if scoring == "cosine":
        return -product / squares.sqrt().unsqueeze(-2)
    return queries.square().sum(dim=-1).unsqueeze(-1) + squares.unsqueeze(-2) - 2 * product


def nearest(queries: Tensor, gallery: Tensor, scoring: str = "euclidean") -> Tensor:
    """(n,) index of each query's nearest gallery item; of equals, the first.

    `queries` (n, d), `gallery` (m, d). `scoring`: "euclidean" (Chowers et al. 2026),
    "inner-product" or "cosine". Raises `ValueError` on unusable sides, an unknown scoring, or
    rows of norm zero under cosine.
    """
    queries, gallery = as_pair(queries, gallery)
    check_scoring(gallery, scoring, queries)
    return _nearest(queries, gallery, scoring)


def _nearest(queries: Tensor, gallery: Tensor, scoring: str) -> Tensor:
    """`nearest` of sides that were checked."""
    step = max(1, 2**24 // len(gallery))
    return torch.cat(
        [cost(rows, gallery, scoring).argmin(dim=1) for rows in torch.split(queries, step)]
    )


def check_scoring(gallery: Tensor, scoring: str, queries: Tensor | None = None) -> None:
    """Raise `ValueError` unless `scoring` is known and can rank `gallery` for `queries`."""
    choice("scoring", scoring, SCORINGS)
    if scoring == "cosine":
        require_nonzero_rows("gallery", gallery, "cosine")
        if queries is not None:
            require_nonzero_rows("queries", queries, "cosine")


def agreement(
    queries: Tensor, gallery: Tensor, moved_queries: Tensor, moved_gallery: Tensor
) -> float:
    """Share of queries with the same Euclidean nearest item before and after."""
    same = nearest(queries, gallery) == nearest(moved_queries, moved_gallery)
    return float(same.double().mean())


def top_k(queries: Any, gallery: Any, k: int = 1, scoring: str = "cosine") -> Tensor:
    """(n, k) indices of the k best gallery items of each query, best first.

    `queries` (n, d), `gallery` (m, d); `scoring` is "cosine", "euclidean" or "inner-product".
    Raises `ValueError` if the gallery has fewer than k items, or for an unknown scoring.
    """
    x, y = _checks.as_pair(queries, gallery)
    check_scoring(y, scoring, x)
    if _checks.integer("k", k, low=1) > len(y):
        raise ValueError(f"k: expected at most the {len(y)} gallery items, got {k}")
    step = max(1, 2**24 // len(y))
    parts = (x[start : start + step] for start in range(0, len(x), step))
    return torch.cat([cost(part, y, scoring).topk(k, largest=False).indices for part in parts])
