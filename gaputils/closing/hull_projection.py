"""Project the queries onto the gallery's hull, and scale them about its circumcentre."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import number, work
from gaputils.closing.base import Closing
from gaputils.geometry.hull import (
    check_n_components,
    count_components,
    principal_components,
    project,
)
from gaputils.scoring import cost

_LARGEST_AUTO_RADIUS = 10.0


class HullProjection(Closing):
    """Replace each query ``y`` by its orthogonal projection ``Py`` onto the gallery's affine hull.

    What is orthogonal to the hull adds one constant to all of a query's squared distances: it
    ranks nothing and only lets noise in. The projection keeps every ranking and makes the
    distances as small as any ranking-preserving translation can. (Our derivation.)

    `radius` scales each projected query along its ray from the circumcentre ``c``, the projection
    of the origin onto the hull, to that multiple of the gallery's circumradius. For a gallery of
    equal norms no ranking changes; otherwise `fit` raises `ValueError`. ``"auto"`` gives each
    query the multiple that is best for its two nearest items as the noise goes to zero,
    ``2 / (cos_1 + cos_2)`` with their cosines about ``c``, at most 10.

    `center=True` returns ``Py - c`` and ``x - c``: Euclidean rankings are those of the uncentred
    result, and rankings by cosine or inner product agree with them for a gallery of equal norms.

    `n_components` as in `MeanShift`; fewer than the whole hull trades unchanged rankings for
    robustness. Learns `mean_` (d,), `components_` (r, d), `center_` (d,) and `circumradius_`.
    """

    def __init__(
        self,
        n_components: int | float | None = None,
        radius: float | str | None = None,
        center: bool = False,
    ) -> None:
        self.n_components = n_components
        self.radius = radius
        self.center = center

    @property
    def preserves_ranking(self) -> bool:
        return self.n_components is None

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:  # noqa: ARG002
        check_n_components(self.n_components)
        if self.radius is not None and self.radius != "auto":
            number("radius", self.radius, low=0, strict=True)
            _require_equal_norms(gallery)
        elif self.radius == "auto":
            _require_equal_norms(gallery)
        components, variances = principal_components(gallery)
        self.components_ = components[: count_components(self.n_components, variances)]
        self.mean_ = work(gallery).mean(dim=0)
        self.center_ = self.mean_ - project(self.mean_, self.components_)
        offsets = work(gallery) - self.center_
        self.circumradius_ = float(offsets.square().sum(dim=1).mean().sqrt())

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        center = self.center_.to(queries.device)
        offset = project(work(queries) - center, self.components_.to(queries.device))
        if self.radius is not None:
            norms = torch.linalg.vector_norm(offset, dim=1, keepdim=True)
            tiny = torch.finfo(offset.dtype).tiny
            offset = (
                offset
                / norms.clamp_min(tiny)
                * self.circumradius_
                * self._ratio(offset, work(gallery) - center)
            )
        if self.center:
            return offset, work(gallery) - center
        return center + offset, gallery

    def _ratio(self, offset: Tensor, gallery: Tensor) -> Tensor | float:
        if self.radius != "auto":
            return number("radius", self.radius, low=0, strict=True)
        if len(gallery) < 2:
            return 1.0
        cosines = cost(offset, gallery, "cosine") / torch.linalg.vector_norm(
            offset, dim=1, keepdim=True
        ).clamp_min(torch.finfo(offset.dtype).tiny)
        two = -cosines.nan_to_num().topk(2, dim=1, largest=False).values.sum(dim=1, keepdim=True)
        ratio: Tensor = 2 / two.clamp_min(2 / _LARGEST_AUTO_RADIUS)
        return ratio


def _require_equal_norms(gallery: Tensor) -> None:
    norms = torch.linalg.vector_norm(work(gallery), dim=1)
    spread = float((norms.max() - norms.min()) / norms.max().clamp_min(1e-30))
    if spread > 1e-5:
        raise ValueError(
            "gallery: scaling about the circumcentre keeps the ranking only if all rows have one "
            f"norm, got norms that differ by {spread:.2g} of the largest; normalise the rows first"
        )
