"""ReAlign: give the gallery the queries' centroid and total variance, on the sphere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gaputils._checks import work
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

    def __init__(self, renormalize: bool = False) -> None:
        self.renormalize = renormalize

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        first, second = work(queries), work(gallery)
        self.query_mean_, self.gallery_mean_ = first.mean(dim=0), second.mean(dim=0)
        traces = [values.var(dim=0, correction=0).sum() for values in (first, second)]
        self.scale_ = float(torch.sqrt(traces[0] / traces[1])) if float(traces[1]) > 0 else 1.0
        self.drift_ = self._on_sphere(second).mean(dim=0) - self.query_mean_

    def _on_sphere(self, gallery: Tensor) -> Tensor:
        offset = gallery - self.gallery_mean_.to(gallery.device)
        return F.normalize(self.query_mean_.to(gallery.device) + self.scale_ * offset, dim=1)

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        moved = self._on_sphere(work(gallery)) - self.drift_.to(gallery.device)
        return queries, F.normalize(moved, dim=1) if self.renormalize else moved
