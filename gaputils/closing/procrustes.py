"""Orthogonal Procrustes: turn the gallery onto the queries, given pairs."""

from __future__ import annotations

import torch
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from gaputils._checks import centred, flag
from gaputils._steps import Steps
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

    called = "Procrustes"
    needs_pairs = True
    calibrated = True

    def __init__(self, scale: bool = False) -> None:
        self.scale = scale

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        scale = flag("scale", self.scale)
        if len(queries) != len(gallery):
            raise ValueError(
                f"gallery: Procrustes is fitted on pairs, expected {len(queries)} rows as in "
                f"queries, got {len(gallery)}; for classes pass gallery[targets]"
            )
        self.query_mean_, first = centred(queries)
        self.gallery_mean_, second = centred(gallery)
        rotation, total = orthogonal_procrustes(second.cpu().numpy(), first.cpu().numpy())
        self.rotation_ = torch.from_numpy(rotation).to(first)
        energy = float(second.square().sum())
        self.scale_ = float(total) / energy if scale and energy > 0 else 1.0

    def _gallery_steps(self) -> Steps:
        return [
            ("shift", "gallery_mean_", -1.0),
            ("map", "rotation_"),
            ("scale", self.scale_),
            ("shift", "query_mean_", 1.0),
        ]
