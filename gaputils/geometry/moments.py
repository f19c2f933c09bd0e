"""Mean and covariance of one modality, and the measures of a gap that they determine."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from gaputils import _checks


@dataclass(frozen=True)
class Moments:
    """First and second moments of `count` embeddings, in float64.

    `mean` (d,), `covariance` (d, d) with divisor `count`, `epsilon` the relative rounding error
    of the embeddings' own precision: variance below what it can resolve is not counted as rank.
    `few` are the centred embeddings where they are fewer than their dimensions, from which
    directions and the variances along them are cheaper to find.
    """

    count: int
    mean: Tensor
    covariance: Tensor
    epsilon: float
    few: Tensor | None = None

    @classmethod
    def of(cls, embeddings: Any, name: str = "embeddings") -> Moments:
        """The moments of the rows of `embeddings` (n, d)."""
        x = _checks.as_matrix(name, embeddings)
        wide = x.double()
        mean = wide.mean(0)
        centred = wide - mean
        covariance = centred.T @ centred / len(x)
        few = centred if len(x) < x.shape[1] else None
        return cls(len(x), mean, covariance, torch.finfo(x.dtype).eps, few)

    @property
    def dim(self) -> int:
        return len(self.mean)

    def direction(self, value: Any) -> Tensor:
        """`value` as a direction (d,) beside these moments."""
        return _checks.as_direction("direction", value, self.dim, self.mean.device)

    @cached_property
    def total(self) -> float:
        """Total variance: the mean squared distance from the mean."""
        return float(self.covariance.diagonal().sum())

    @property
    def rounding(self) -> float:
        """The distance of two means that the embeddings' precision cannot tell from zero."""
        relative = max(self.epsilon, 64 * torch.finfo(torch.float64).eps)
        return relative * math.sqrt(self.total + float(self.mean.square().sum()))

    @cached_property
    def _spectrum(self) -> tuple[Tensor, Tensor]:
        if self.few is not None:
            _, deviations, directions = torch.linalg.svd(self.few, full_matrices=False)
            none = deviations.new_zeros(self.dim - len(deviations))
            return torch.cat([deviations.square() / self.count, none]), directions.mT
        values, vectors = torch.linalg.eigh(self.covariance)
        return values.flip(0).clamp(min=0), vectors.flip(1)

    @property
    def variances(self) -> Tensor:
        """(d,) variance along each principal direction, largest first."""
        return self._spectrum[0]

    @cached_property
    def rank(self) -> int:
        """Dimension of the affine hull, as far as the embeddings' precision can tell."""
        own = max(self.count, self.dim) * self.epsilon**2
        products = 10 * self.dim * torch.finfo(torch.float64).eps
        relative = max(own, products) * float(self.variances[0])
        rounding = (self.epsilon * float(self.mean.norm())) ** 2
        found = int((self.variances > max(relative, rounding)).sum())
        return min(found, self.count - 1)

    @property
    def hull(self) -> Tensor:
        """(d, rank) orthonormal principal directions of the affine hull, largest variance first."""
        return self._spectrum[1][:, : self.rank]

    def variance_along(self, direction: Tensor) -> float:
        """Variance of the projections on `direction` (d,) of any norm but 0, then NaN."""
        unit = direction.double() / direction.double().norm()
        return float(self.variances_along(unit[None])[0])

    def variances_along(self, units: Tensor) -> Tensor:
        """(k,) variances of the projections on directions `units` (k, d) of norm 1."""
        if self.few is not None:
            return (units @ self.few.mT).square().sum(1) / self.count
        return ((units @ self.covariance) * units).sum(1)


def gap_vector(queries: Any, gallery: Any) -> Tensor:
    """The global gap vector (d,): mean of `queries` (n, d) minus mean of `gallery` (m, d).

    Liang et al. (2022), section 2; Chowers et al. (2026), Eq. 4, with the gallery as X. The
    means are taken in float64 where the device has it; the result is as the embeddings are.
    Raises `TypeError` or `ValueError` if a side is no finite matrix or the dimensions differ.

    >>> import numpy as np, gaputils as gu
    >>> gu.gap_vector(np.array([[1.0, 1.0], [3.0, 1.0]]), np.zeros((5, 2)))
    tensor([2., 1.], dtype=torch.float64)
    """
    first, second = _checks.as_pair(queries, gallery)
    wide = first.dtype if first.device.type == "mps" else torch.float64
    return (first.mean(0, dtype=wide) - second.mean(0, dtype=wide)).to(first.dtype)


def effective_rank(embeddings: Any) -> float:
    """exp of the entropy of the shares of variance of the principal directions, from 1 to d.

    Roy and Vetterli (2007), applied to the covariance matrix; d for an isotropic cloud. NaN if
    the rows of `embeddings` (n, d) are all alike.
    """
    return rank_of(Moments.of(embeddings))


def rank_of(moments: Moments) -> float:
    """`effective_rank` from moments."""
    if moments.rank == 0:
        return math.nan
    shares = moments.variances / moments.variances.sum()
    return float(torch.exp(torch.special.entr(shares).sum()))


def variance_share(embeddings: Any, direction: Any) -> float:
    """Share of the variance of `embeddings` (n, d) that lies along `direction` (d,), in [0, 1].

    Chowers et al. (2026) predict that training empties the gap direction (Thm 3.1). Only its
    baselines give it a meaning: 1/d on average over directions, and `random_shares`.
    """
    moments = Moments.of(embeddings)
    return share_along(moments, moments.direction(direction))


def share_along(moments: Moments, direction: Tensor) -> float:
    """`variance_share` from moments."""
    return moments.variance_along(direction) / moments.total if moments.total > 0 else math.nan


def random_shares(moments: Moments, directions: int = 1000, seed: _checks.Seed = 0) -> Tensor:
    """(directions,) shares of the variance along directions drawn uniformly from the sphere."""
    generator = _checks.as_generator(seed)
    draws = torch.randn(directions, moments.dim, generator=generator, dtype=torch.float64)
    draws = (draws / draws.norm(dim=1, keepdim=True)).to(moments.covariance.device)
    variances = moments.variances_along(draws)
    return variances / moments.total if moments.total > 0 else variances * math.nan


def hull_angle(embeddings: Any, direction: Any) -> float:
    """Principal angle in degrees between `direction` (d,) and the affine hull of `embeddings`.

    90: the direction is orthogonal to every difference of two rows, as the global orthogonality
    of Chowers et al. (2026), Assumption 3.3, asks of the gap; 0: the hull contains it. Björck and
    Golub (1973), with a line as the one subspace.
    """
    moments = Moments.of(embeddings)
    return angle_to(moments, moments.direction(direction))


def angle_to(moments: Moments, direction: Tensor) -> float:
    """`hull_angle` from moments."""
    unit = direction.double() / direction.double().norm()
    if not bool(torch.isfinite(unit).all()):
        return math.nan
    if moments.rank == moments.dim:
        return 0.0
    inside = moments.hull @ (moments.hull.T @ unit)
    return math.degrees(math.atan2(float((unit - inside).norm()), float(inside.norm())))


def moment_measures(
    queries: Moments,
    gallery: Moments,
    names: Collection[str] | None = None,
    *,
    directions: int = 1000,
    seed: _checks.Seed = 0,
) -> dict[str, float]:
    """The measures that means and covariances determine, under the names of `measure_gap`.

    All of them, or those among `names`; NaN where a side does not vary or the means coincide, to
    rounding: a gap that is closed has no direction.
    """
    gap = queries.mean - gallery.mean
    norm = float(gap.norm())
    if norm <= max(queries.rounding, gallery.rounding):
        gap = torch.zeros_like(gap)
    spread = math.sqrt((queries.total + gallery.total) / 2)
    compute: dict[str, Callable[[], float]] = {
        "gap_norm": lambda: norm,
        "rmg_centroid": lambda: norm / spread,
        "variance_share_average": lambda: 1 / queries.dim,
    }
    for side, moments in (("queries", queries), ("gallery", gallery)):
        for name, function in _side_measures(moments, gap, directions, seed).items():
            compute[f"{name}_{side}"] = function
    result = {}
    for name in compute if names is None else [name for name in compute if name in names]:
        try:
            result[name] = compute[name]()
        except ZeroDivisionError:
            result[name] = math.nan
    return result


def _side_measures(
    side: Moments, gap: Tensor, directions: int, seed: _checks.Seed
) -> dict[str, Callable[[], float]]:
    @cache
    def at_random() -> Tensor:
        return random_shares(side, directions, seed)

    def emptier() -> float:
        share = share_along(side, gap)
        return math.nan if math.isnan(share) else float((at_random() < share).double().mean())

    return {
        "effective_rank": lambda: rank_of(side),
        "variance": lambda: side.total,
        "variance_gap": lambda: side.variance_along(gap),
        "variance_leading": lambda: float(side.variances[0]),
        "variance_share_gap": lambda: share_along(side, gap),
        "variance_share_random": lambda: float(at_random().median()),
        "variance_share_leading": lambda: float(side.variances[0]) / side.total,
        "emptier_than_gap": emptier,
        "gap_angle": lambda: angle_to(side, gap),
    }
