"""Standardising each side: mean away, and scale to one."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import choice, unit_rows, work
from gaputils._steps import Steps
from gaputils.closing.base import Closing

SCALES = ("row", "coordinate")


class Standardizing(Closing):
    """I0T's standardisation of the embeddings, in two readings of the word.

    An et al. 2025 (I0T). ``scale="row"`` is their post-hoc method, I0T_post, as in the authors'
    code: unit rows, minus the side's mean, back to unit rows; on the same data that is
    `Centering(renormalize=True)`. ``scale="coordinate"`` divides each coordinate by the side's
    standard deviation instead, which is what their trained variant's batch normalisation starts
    from (our reading; its learned scale and offset are left out).

    Guarantees: "row" gives unit rows; "coordinate" gives means of zero and variances of one on
    the data that were fitted, except for coordinates that do not vary, which become zero. No
    ranking is kept. Learns `query_mean_`, `gallery_mean_`, `query_scale_`, `gallery_scale_`, all
    (d,).
    """

    called = "standardising (I0T)"

    def __init__(self, scale: str = "row") -> None:
        self.scale = scale

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        choice("scale", self.scale, SCALES)
        self.query_mean_, self.query_scale_ = _moments(unit_rows("queries", work(queries)))
        self.gallery_mean_, self.gallery_scale_ = _moments(unit_rows("gallery", work(gallery)))

    def _query_steps(self) -> Steps:
        return self._steps("query")

    def _gallery_steps(self) -> Steps:
        return self._steps("gallery")

    def _steps(self, side: str) -> Steps:
        by_row = choice("scale", self.scale, SCALES) == "row"
        scaled = ("lengthen", 1.0) if by_row else ("divide", f"{side}_scale_")
        return [("unit",), ("shift", f"{side}_mean_", -1.0), scaled]


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    scale = values.std(dim=0, correction=0)
    return values.mean(dim=0), torch.where(scale > 1e-7, scale, 0.0)
