"""Dimension ablation: drop the few coordinates in which the two sides' means differ most."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import flag, integer, number, unit_rows, work
from gaputils._steps import Steps
from gaputils.closing.base import Closing


class DimensionAblation(Closing):
    """Set to zero, on both sides, the coordinates with the greatest difference of the means.

    Schrodi et al. 2025 rank the coordinates by ``|mean of queries - mean of gallery|`` over unit
    rows, drop the first ones from both sides and normalise again; "few-dims" (2025) rests on the
    same observation that few coordinates carry most of the gap. Here the coordinates become zero,
    which changes no norm, distance or cosine against dropping them and keeps the dimension; noise
    that is added later falls on them too.

    `n_dims`: how many coordinates, or a float, the fewest that carry that share of the gap's
    squared norm. Guarantees only that this share of the gap is gone before renormalising; no
    ranking is kept, the coordinates carry meaning as well. Learns `dims_` (k,), the greatest
    difference first.
    """

    called = "dimension ablation"

    def __init__(self, n_dims: int | float = 0.5, renormalize: bool = True) -> None:
        self.n_dims = n_dims
        self.renormalize = renormalize

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        flag("renormalize", self.renormalize)
        first, second = unit_rows("queries", work(queries)), unit_rows("gallery", work(gallery))
        gap = first.mean(dim=0) - second.mean(dim=0)
        order = gap.abs().argsort(descending=True, stable=True)
        self.dims_ = order[: self._count(gap.square()[order])]

    def _count(self, squares: Tensor) -> int:
        """How many of the coordinates with these squared differences, greatest first."""
        if isinstance(self.n_dims, float):
            share = number("n_dims", self.n_dims, low=0, high=1)
            carried = squares.cumsum(0) / squares.sum().clamp_min(torch.finfo(squares.dtype).tiny)
            return 0 if share == 0 else min(len(squares), int((carried < share - 1e-12).sum()) + 1)
        count = integer("n_dims", self.n_dims, low=0)
        if count >= len(squares):
            raise ValueError(
                f"n_dims: expected fewer than the {len(squares)} dimensions, got {count}"
            )
        return count

    def _query_steps(self) -> Steps:
        zero, whole = ("zero", "dims_"), flag("renormalize", self.renormalize)
        return [("unit",), zero, ("lengthen", 1.0)] if whole else [zero]

    def _gallery_steps(self) -> Steps:
        return self._query_steps()
