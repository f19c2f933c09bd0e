"""Orthogonal Procrustes: turn the gallery onto the queries, given pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import work
from gaputils.closing.base import Closing


class Procrustes(Closing):
    """Rotate the centred gallery onto the centred queries, and give it their mean.

    Schönemann 1966: over pairs, row i of one side with row i of the other, the orthogonal ``R``
    that minimises ``sum ||s (y_i - m_g) R - (x_i - m_q)||^2`` is ``U V^T`` of the singular value
    decomposition of ``(Y - m_g)^T (X - m_q)``; a gallery row becomes ``m_q + s (y - m_g) R``.
    `scale=True` takes the best ``s`` as well, else it is 1. The queries stay.

    `fit` needs pairs: for classification ``fit(queries, gallery[targets])``; `transform` then
    takes any gallery. Raises `ValueError` if there are not as many of one as of the other.

    Guarantees the least squared distance between the fitted pairs over all rotations with that
    mean, and unchanged distances within the gallery (without `scale`); no ranking of the gallery
    by a query is kept, and with fewer pairs than dimensions the fit explains the pairs by chance.
    Learns `rotation_` (d, d), `query_mean_`, `gallery_mean_` (d,), `scale_`.
    """

    needs_pairs = True

    def __init__(self, scale: bool = False) -> None:
        self.scale = scale

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        if len(queries) != len(gallery):
            raise ValueError(
                f"gallery: Procrustes is fitted on pairs, expected {len(queries)} rows as in "
                f"queries, got {len(gallery)}; for classes pass gallery[targets]"
            )
        first, second = work(queries), work(gallery)
        self.query_mean_, self.gallery_mean_ = first.mean(dim=0), second.mean(dim=0)
        first, second = first - self.query_mean_, second - self.gallery_mean_
        left, values, right = torch.linalg.svd(second.mT @ first)
        self.rotation_ = left @ right
        energy = float(second.square().sum())
        self.scale_ = float(values.sum()) / energy if self.scale and energy > 0 else 1.0

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        offset = work(gallery) - self.gallery_mean_.to(gallery.device)
        turned = self.scale_ * offset @ self.rotation_.to(gallery.device)
        return queries, turned + self.query_mean_.to(gallery.device)
