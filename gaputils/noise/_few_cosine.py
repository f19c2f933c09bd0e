"""Cosine in few dimensions under strong noise: the cotangent's law by quadrature.

Its distribution function is an integral over a half-line, of ``R`` where the cotangent is small
and of the normal part where it is large: over whichever is the flatter.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
import scipy.special
import torch
from numpy.polynomial.chebyshev import chebval
from torch import Tensor

from gaputils.noise._exact import nodes

Array = npt.NDArray[np.float64]

_FLAT = 2.0  # the greatest cotangent at which R is integrated over
_AT_ONCE = 2**20
_STEP = 1e-5


def reach(items: int) -> float:
    """What a 1-Lipschitz function of Gaussian vectors strays beyond once in 300,000 `items`."""
    return math.sqrt(2 * math.log(3e5 * items))


def win(along: Tensor, across: Tensor, winner: Tensor, degrees: int) -> Tensor:
    """As `_cosine.cosine_win`: `along` (n, k) and `across` (n, k) the squared rest, `winner` (n,).

    The integral over the winner's angle, Gauss-Legendre between the least that it may have and the
    greatest at which no other item has come before.
    """
    a, rest = along.cpu().numpy(), across.cpu().numpy()
    own, columns = winner.cpu().numpy()[:, None], np.arange(a.shape[1])
    far = reach(a.shape[1])
    size = np.sqrt(np.square(a) + np.maximum(rest + degrees - 1, 0))
    stray = np.arcsin(np.minimum(far / np.maximum(size, far), 1))
    wide = size <= far
    high = np.arctan2(np.sqrt(rest + degrees), a) + stray
    high = np.where(wide, np.pi, np.minimum(high, np.pi)).min(axis=1, keepdims=True)
    low = np.arctan2(np.sqrt(np.maximum(rest + degrees - 1, 0)), a) - stray
    low = np.where(wide, 0.0, np.maximum(low, 0.0))
    low = np.minimum(np.take_along_axis(low, own, axis=1), high)
    half = (high - low) / 2
    counts = size.max(axis=1) / np.take_along_axis(size, own, 1)[:, 0]
    counts *= 0.5 * far * len(nodes(a.shape[1]))
    order = counts.argsort()
    result = np.empty(len(a))
    most = int(_AT_ONCE / (counts.max() * _inner_points(far)))
    step, width = max(1, most // a.shape[1]), max(1, most)
    for start in range(0, len(a), step):
        rows = order[start : start + step]
        points, weights = np.polynomial.legendre.leggauss(math.ceil(counts[rows].max()))
        angle = low[rows] + half[rows] * (1 + points)
        product = np.ones_like(angle)
        for first in range(0, a.shape[1], width):
            part = slice(first, first + width)
            below = _Law(a[rows, part], rest[rows, part], degrees, far).beyond(angle)
            below[columns[part] == own[rows]] = 1.0
            product *= below.prod(axis=1)
        at = [np.take_along_axis(value[rows], own[rows], axis=1) for value in (a, rest)]
        law = _Law(at[0], at[1], degrees, far)
        shift = _STEP * half[rows]
        density = law.beyond(angle - shift) - law.beyond(angle + shift)
        result[rows] = (density[:, 0] / (2 * _STEP) * product) @ weights
    return torch.as_tensor(result, dtype=along.dtype, device=along.device)


class _Law:
    """The law of the angle of ``(along + Z, R)`` for each item, `along` and `across` (n, k)."""

    def __init__(self, along: Array, across: Array, degrees: int, far: float) -> None:
        self.shape, self.along, self.far = along.shape, along.ravel(), far
        rest = across.ravel()
        middle = np.sqrt(rest + degrees)
        low, high = np.maximum(middle - far - 1, 0), middle + far
        self.r, weights = _interval(low, high, far)
        self.mass = weights * _density(self.r, rest[:, None], degrees)
        self.low, self.half = low, (high - low) / 2
        self.rest, self.degrees = rest, degrees

    @functools.cached_property
    def series(self) -> Array:
        """(terms, items) Chebyshev series of the survival function of ``R`` about its middle."""
        terms = math.ceil(8 * self.far)
        angles = np.pi * (np.arange(terms) + 0.5) / terms
        points = self.low[:, None] + self.half[:, None] * (1 + np.cos(angles))
        values = 1 - scipy.special.chndtr(np.square(points), self.degrees, self.rest[:, None])
        order = np.arange(terms)[:, None]
        basis = np.cos(order * angles) * np.where(order == 0, 1, 2) / terms
        return np.asarray(basis @ values.T)

    def beyond(self, angle: Array) -> Array:
        """P(the angle is at least `angle`), (n, k, nodes), of `angle` (n, nodes)."""
        sine, cosine = np.sin(angle), np.cos(angle)
        result = np.empty((*self.shape, angle.shape[1]))
        for steep, behind in ((False, None), (True, False), (True, True)):
            chosen = (np.abs(cosine) > _FLAT * np.abs(sine)) == steep
            if behind is not None:
                chosen &= (cosine < 0) == behind
            row, node = np.nonzero(chosen)
            if not len(row):
                continue
            item = row[:, None] * self.shape[1] + np.arange(self.shape[1])
            if not steep:
                found = self._over_root((cosine / sine)[row, node], item)
            else:
                tangent = np.abs(sine / cosine)[row, node]
                found = self._over_normal(tangent, item, -1.0 if behind else 1.0)
                found = 1 - found if behind else found
            result[row, :, node] = found
        return result

    def _over_root(self, cotangent: Array, item: npt.NDArray[np.intp]) -> Array:
        """``E Phi(k R - a)`` for a flat ``|k|``."""
        at = cotangent[:, None, None] * self.r[item] - self.along[item][..., None]
        return np.asarray((self.mass[item] * scipy.special.ndtr(at)).sum(axis=-1))

    def _over_normal(self, tangent: Array, item: npt.NDArray[np.intp], sign: float) -> Array:
        """``P(R >= tangent (a + Z))`` for a steep cotangent, `sign` that of ``a``."""
        along = sign * self.along[item]
        low, high = np.maximum(along - self.far, 0), np.maximum(along + self.far, 0)
        x, weights = _interval(low, high, self.far)
        density = np.exp(-np.square(x - along[..., None]) / 2) / math.sqrt(2 * math.pi)
        place = tangent[:, None, None] * x - self.low[item][..., None]
        place = np.clip(place / self.half[item][..., None] - 1, -1, 1)
        beyond = chebval(place, self.series[:, item, None], tensor=False)
        return np.asarray(scipy.special.ndtr(-along) + (weights * density * beyond).sum(axis=-1))


def _inner_points(far: float) -> int:
    return math.ceil(1.25 * far**2)


def _interval(low: Array, high: Array, far: float) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(_inner_points(far))
    half = (high - low)[..., None] / 2
    return low[..., None] + half * (1 + points), half * weights


def _density(r: Array, noncentrality: Array, degrees: int) -> Array:
    """Density of noncentral chi at `r`, without overflow for any noncentrality."""
    order = degrees / 2 - 1
    root = np.sqrt(noncentrality)
    small = root * r < 1
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        large_value = (
            np.exp(order * np.log(r / root) - np.square(r - root) / 2)
            * r
            * scipy.special.ive(order, root * r)
        )
    log_norm = order * math.log(2) + scipy.special.gammaln(degrees / 2)
    series = scipy.special.hyp0f1(degrees / 2, np.where(small, noncentrality * r * r / 4, 0))
    power = np.exp((degrees - 1) * np.log(np.maximum(r, 1e-300)) - log_norm)
    small_value = power * np.exp(-(np.square(r) + noncentrality) / 2) * series
    return np.asarray(np.where(small, small_value, large_value))
