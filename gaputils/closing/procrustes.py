"""Orthogonal Procrustes: turn the gallery onto the queries, given pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import centred, flag
from gaputils._steps import Steps
from gaputils.closing.base import Closing


class Procrustes(Closing):
    """Rotate the centred gallery onto the centred queries, and give it their mean.

    Schönemann 1966: over pairs, row i of one side with row i of the other, the orthogonal ``R``
    that minimises ``sum ||s (y_i - m_g) R - (x_i - m_q)||^2`` is ``U V^T`` of the singular value
    decomposition of ``(Y - m_g)^T (X - m_q)``; a gallery row becomes ``m_q + s (y - m_g) R``.
    `scale=True` takes the best ``s`` as well, else it is 1. The queries stay. Of the rotations that
    do as well, as many do for fewer pairs than dimensions, it is the one nearest to the identity:
    what no pair tells is turned as little as can be. (Our choice; ``U V^T`` alone leaves it to the
    order in which a library finds vectors of the null space.)

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
        self.rotation_, total = _least_rotation(second.mT @ first)
        energy = float(second.square().sum())
        self.scale_ = total / energy if scale and energy > 0 else 1.0

    def _gallery_steps(self) -> Steps:
        return [
            ("shift", "gallery_mean_", -1.0),
            ("map", "rotation_"),
            ("scale", self.scale_),
            ("shift", "query_mean_", 1.0),
        ]


def _least_rotation(products: Tensor) -> tuple[Tensor, float]:
    """The orthogonal ``R`` (d, d) of greatest ``tr(products^T R)``, and that trace.

    Where `products` is of lower rank, the one of these that is nearest to the identity.
    """
    left, values, right = torch.linalg.svd(products)
    told = values > 64 * len(values) * torch.finfo(values.dtype).eps * values[0]
    free_left, free_right = left[:, ~told], right[~told].mT
    first, _, second = torch.linalg.svd(free_left.mT @ free_right)
    known = left[:, told] @ right[told]
    return known + free_left @ (first @ second) @ free_right.mT, float(values.sum())
