"""ReAlign: give the gallery the queries' centroid and total variance, on the sphere."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from gaputils._checks import centred, flag, work
from gaputils._steps import Steps, run
from gaputils.closing.base import Closing


class ReAlign(Closing):
    """Anchor, trace and centroid alignment of the gallery with the queries.

    Yu et al. 2026 (ReAlign), whose source modality is the text, here the gallery. With the means
    ``m_q``, ``m_g`` and the total variances (traces of the covariances) ``t_q``, ``t_g``:
    ``e' = normalise(m_q + sqrt(t_q / t_g) (e - m_g))``, then ``e'' = e' - mean(e') + m_q``, which
    undoes the drift of the centroid that the normalisation caused. The queries stay. Published
    descriptions end there; `renormalize=True` puts the result on the sphere once more, for those
    who read "on the sphere" so.

    Guarantees that the gallery that was fitted has the queries' mean (without `renormalize`), so
    no gap remains; no ranking is kept. A gallery without variance keeps its scale. Learns
    `query_mean_`, `gallery_mean_`, `drift_` (d,) each, and `scale_`.
    """

    called = "ReAlign"

    def __init__(self, renormalize: bool = False) -> None:
        self.renormalize = renormalize

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        flag("renormalize", self.renormalize)
        self.query_mean_, first = centred(queries)
        self.gallery_mean_, second = centred(gallery)
        variances = [float(offset.square().sum(dim=1).mean()) for offset in (first, second)]
        self.scale_ = math.sqrt(variances[0] / variances[1]) if variances[1] > 0 else 1.0
        on_sphere = run(self._to_sphere(), work(gallery), lambda name: getattr(self, name))
        self.drift_ = on_sphere.mean(dim=0) - self.query_mean_

    def _to_sphere(self) -> list[tuple[Any, ...]]:
        return [
            ("shift", "gallery_mean_", -1.0),
            ("scale", self.scale_),
            ("shift", "query_mean_", 1.0),
            ("lengthen", 1.0),
        ]

    def _gallery_steps(self) -> Steps:
        steps = [*self._to_sphere(), ("shift", "drift_", -1.0)]
        return [*steps, ("lengthen", 1.0)] if flag("renormalize", self.renormalize) else steps
