"""The three ways of ranking a gallery, as costs: the least cost is the nearest item."""

from __future__ import annotations

import torch
from torch import Tensor

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
