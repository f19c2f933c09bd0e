"""Centring: take each side's own mean away."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gaputils._checks import flag, work
from gaputils._steps import Steps
from gaputils.closing.base import Closing


class Centering(Closing):
    """Subtract from each side the mean it had when fitted.

    The "collapse" of C3 (Zhang et al. 2024, "Connect, Collapse, Corrupt"), which assumes that the
    gap is one vector orthogonal to both sides. `renormalize=True` puts the rows back on the
    sphere.

    Guarantees means of zero on the data that were fitted (without `renormalize`), and hence no
    gap. Without `renormalize` its Euclidean ranking is that of `NaiveShift()`: both differ from
    one another by a translation of everything. That ranking changes by as much of the gap as lies
    in the gallery's hull. Learns `query_mean_` (d,) and `gallery_mean_` (d,).

    `fit` raises `ValueError` for a side that is no finite matrix, or sides of unlike dimension.

    >>> import numpy as np, gaputils as gu
    >>> queries, gallery = np.array([[0.2, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> gu.Centering().fit(queries, gallery).transform_gallery(gallery)
    array([[-0.5,  0. ],
           [ 0.5,  0. ]])
    """

    called = "centring (C3)"

    def __init__(self, renormalize: bool = False) -> None:
        self.renormalize = renormalize

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        flag("renormalize", self.renormalize)
        self.query_mean_ = work(queries).mean(dim=0)
        self.gallery_mean_ = work(gallery).mean(dim=0)

    def _query_steps(self) -> Steps:
        return self._without("query_mean_")

    def _gallery_steps(self) -> Steps:
        return self._without("gallery_mean_")

    def _without(self, mean: str) -> Steps:
        steps: list[tuple[Any, ...]] = [("shift", mean, -1.0)]
        return [*steps, ("lengthen", 1.0)] if flag("renormalize", self.renormalize) else steps


class GRCLIP(Centering):
    """Subtract each side's mean over a calibration set, then put the rows back on the sphere.

    Li et al. 2025 ("Closing the Modality Gap for Mixed Modality Search"), as in the authors'
    retrieval code: cosine ranking of ``e - mean`` with the means of a calibration corpus, so
    `fit` on that corpus and `transform` whatever is searched. Fitted and used on the same data it
    is `Centering(renormalize=True)`. For documents that mix image and text the authors mix the
    means alike; here a side has one modality.

    Guarantees unit rows; no ranking is kept. Learns `query_mean_` (d,) and `gallery_mean_` (d,).
    """

    called = "GR-CLIP"
    calibrated = True

    def __init__(self) -> None:
        super().__init__(renormalize=True)
