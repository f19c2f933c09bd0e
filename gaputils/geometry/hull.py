"""The gallery's affine hull: its mean and orthonormal directions, all or the leading ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaputils._checks import integer, number, work
from gaputils.geometry.moments import Moments
from gaputils.scoring import _nearest

_ROWS = 2**13
_QUERIES = 256  # asked before it is looked whether the rest need be
THIN = 1e-6
"""Of the widest direction: what is less in a direction tells nothing of where the center lies."""


@dataclass(frozen=True)
class Hull:
    """The affine hull of `count` rows: a point of it, and orthonormal directions.

    `mean` (d,), `components` (r, d) with `variances` (r,), largest first, r the numerical rank.
    `rounding` is the size of what the rows' precision cannot tell from a distance of zero.
    """

    count: int
    mean: Tensor
    components: Tensor
    variances: Tensor
    rounding: float

    @classmethod
    def of(cls, gallery: Tensor) -> Hull:
        """The hull of the rows of `gallery` (m, d).

        A tall gallery is reduced by QR first, block by block, so that the decomposition costs no
        more than d x d, no copy is held, and no precision is lost to a Gram matrix. Raises
        `ValueError` beside a row so long that the others drown in its rounding.
        """
        m, d = gallery.shape
        mean = work(gallery[:0]).new_zeros(d)
        for rows in torch.split(gallery, _ROWS):
            mean += work(rows).sum(dim=0) / m
        triangle = mean.new_empty(0, d)
        if m <= 2 * d:
            triangle = work(gallery) - mean
        else:
            for rows in torch.split(gallery, _ROWS):
                stacked = torch.cat([triangle, work(rows) - mean])
                triangle = torch.linalg.qr(stacked, mode="r").R
        _, values, components = torch.linalg.svd(triangle, full_matrices=False)
        relative = max(m, d) ** 0.5 * torch.finfo(gallery.dtype).eps
        norms = torch.cat([work(rows).norm(dim=1) for rows in torch.split(gallery, _ROWS)])
        longest, usual = float(norms.max()), float(norms.median())
        scale = max(longest, float(values[0]), torch.finfo(values.dtype).tiny)
        rounding = relative * scale
        if 0 < usual < 10 * relative * longest:
            raise ValueError(
                f"gallery: row {int(norms.argmax())} has the norm {longest:.3g}, others "
                f"{usual:.3g}, which is lost beside it in {gallery.dtype}"
            )
        rank = min(int((values > rounding).sum()), m - 1)
        variances = values[:rank].square() / m
        return cls(m, mean, components[:rank].contiguous(), variances, rounding)

    @classmethod
    def of_moments(cls, moments: Moments) -> Hull:
        """The hull of the rows that `moments` describe."""
        rank = moments.rank
        rounding = moments.epsilon * max(moments.dim, moments.count) ** 0.5
        return cls(
            moments.count,
            moments.mean,
            moments.hull.T.contiguous(),
            moments.variances[:rank],
            rounding * float((moments.total + moments.mean.square().sum()) ** 0.5),
        )


@dataclass(frozen=True)
class Sphere:
    """The sphere about `center` (d,) in the hull that comes nearest to a gallery's rows.

    `radius` is the root of the mean of the rows' squared distances from the center, `spread` the
    largest of these less the smallest: zero, to rounding, if the rows lie on the sphere.
    """

    center: Tensor
    radius: float
    spread: float


def circumsphere(gallery: Tensor, hull: Hull, kept: int | None = None) -> Sphere:
    """The sphere whose center ``c`` solves ``2 (x_j - mean) . c' = |x_j - mean|^2 - average``.

    Here ``c = mean + c'`` with ``c'`` in the span of the first `kept` directions of the `hull` of
    the rows x_j of `gallery` (m, d), None for all. Affinely independent rows all lie on it, as do
    rows of equal norms, whose center is the projection of the origin onto the hull. For others
    ``c`` is the least-squares solution: principal scores are orthogonal, so that the normal
    equations are diagonal, and two refinements remove their rounding. Along directions in which
    the rows vary a million times less than along the widest, ``c'`` is 0: two rows that differ by
    rounding would put it anywhere, and without it their distances differ by no more than their
    squared norms do.
    """
    variances = hull.variances[:kept]
    wide = variances > THIN**2 * variances[:1].sum()
    components = hull.components[:kept][wide]
    double_squares = 2 * hull.count * variances[wide]
    center = hull.mean
    for _ in range(3):
        distances, right = _squares(gallery, center, hull.mean)
        step = (components @ right / double_squares) @ components
        if float(step.abs().max()) <= 1e-14 * float(distances.max().sqrt()):
            break
        center = center + step
    else:
        distances, _ = _squares(gallery, center, hull.mean)
    radius = float(distances.mean().sqrt())
    return Sphere(center, radius, float(distances.max() - distances.min()))


def _squares(gallery: Tensor, center: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances (m,) of the rows of `gallery` (m, d) from `center`, and their moment (d,).

    The moment is the sum over the rows of the distance, less that of the first row, times the
    row's offset from `mean`.
    """
    level, moment, parts = None, torch.zeros_like(center), []
    for rows in torch.split(gallery, _ROWS // 8):
        wide = work(rows)
        own = (wide - center).square().sum(dim=1)
        level = own[0] if level is None else level
        moment += (own - level) @ (wide - mean)
        parts.append(own)
    return torch.cat(parts), moment


def principal_components(gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal rows (r, d) spanning the centred `gallery` (m, d), and their variances (r,)."""
    hull = Hull.of(gallery)
    return hull.components, hull.variances


def check_n_components(value: Any) -> None:
    """Raise unless `value` is None, an int, a share of variance in (0, 1], or "auto"."""
    if value is None or (isinstance(value, str) and value == "auto"):
        return
    if isinstance(value, str):
        raise ValueError(
            f"n_components: expected None, an int, a share of variance in (0, 1], 'auto', "
            f"got {value!r}"
        )
    if isinstance(value, (float, np.floating)):
        number("n_components", value, low=0, high=1, strict=True)
    else:
        integer("n_components", value, low=0)


def count_components(n_components: int | float | None, variances: Tensor) -> int:
    """How many of the components with `variances` (r,) the parameter asks for."""
    rank = len(variances)
    if n_components is None or rank == 0:
        return rank
    if isinstance(n_components, (float, np.floating)):
        share = variances.cumsum(0) / variances.sum()
        return min(rank, int((share < n_components - 1e-12).sum()) + 1)
    if n_components > rank:
        raise ValueError(
            f"n_components: expected at most the gallery's rank {rank}, got {n_components}"
        )
    return n_components


def project(values: Tensor, components: Tensor) -> Tensor:
    """The part of each row of `values` that lies in the span of `components` (r, d)."""
    return (values @ components.mT) @ components


def fewest_components(
    rank: int, queries: Tensor, gallery: Tensor, level: float, moved: Callable[[int], Any]
) -> int:
    """The least k, by bisection, at which `moved(k)` leaves `level` of the answers as they were.

    `moved(k)` gives both sides after a closing with k components; `queries` (n, d) and `gallery`
    (m, d) are those before. No row of the gallery is held out, since each is an answer; queries
    may be. Where more components do not always leave more answers, a smaller k may do as well.
    """
    before, low, high = _nearest(queries, gallery, "euclidean"), 0, rank
    while low < high:
        middle = (low + high) // 2
        enough = _agrees(before, moved(middle), level)
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _agrees(before: Tensor, sides: tuple[Tensor, Tensor], level: float) -> bool:
    """Whether `level` of the nearest items are those `before` (n,): asked no longer than needed."""
    (queries, gallery), changed = sides, 0
    parts = torch.split(queries, _QUERIES), torch.split(before, _QUERIES)
    for rows, answers in zip(*parts, strict=True):
        changed += int((_nearest(rows, gallery, "euclidean") != answers).sum())
        if (len(before) - changed) / len(before) < level:
            return False
    return True
