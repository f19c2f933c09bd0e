"""The law of a noisy item's angle to the query, by quadrature: any length, any dimension.

It is an integral over a half-line, of ``R`` where the cotangent is small and of the normal part
where it is large: over whichever is the flatter.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
import scipy.special

Array = npt.NDArray[np.float64]

_FLAT = 1.3  # the greatest cotangent at which R is integrated over
_AT_ONCE = 2**16


def behind(along: Array, across: Array, angle: Array, degrees: int, far: float) -> Array:
    """P(the angle of ``(along + Z, R)`` is at least `angle`), (k, nodes) of items (k,).

    `across` is the noncentrality of ``R``, noncentral chi with `degrees`. `far` is how far from
    their means ``Z`` and ``R`` are followed.
    """
    step = max(1, _AT_ONCE // (angle.shape[1] * _inner_points(far)))
    parts = [slice(start, start + step) for start in range(0, len(along), step)]
    found = [_Law(along[p], across[p], degrees, far).behind(angle[p]) for p in parts]
    return np.concatenate([np.empty((0, angle.shape[1])), *found]).clip(0, 1)


class _Law:
    """The law of the angle of ``(along + Z, R)`` for each item, `along` and `across` (k,)."""

    def __init__(self, along: Array, across: Array, degrees: int, far: float) -> None:
        self.along, self.rest, self.degrees, self.far = along, across, degrees, far
        middle = np.sqrt(across + degrees)
        self.low, high = np.maximum(middle - far - 1, 0), middle + far
        self.half = (high - self.low) / 2
        self.r, weights = _interval(self.low, high, far)
        self.mass = weights * _density(self.r, across[:, None], degrees)

    @functools.cached_property
    def series(self) -> Array:
        """(terms, items) Chebyshev series of the survival function of ``R`` about its middle."""
        terms = 2 * _inner_points(self.far)  # as far as the rule for its density is exact
        angles = np.pi * (np.arange(terms) + 0.5) / terms
        points = self.low[:, None] + self.half[:, None] * (1 + np.cos(angles))
        values = 1 - scipy.special.chndtr(np.square(points), self.degrees, self.rest[:, None])
        order = np.arange(terms)[:, None]
        basis = np.cos(order * angles) * np.where(order == 0, 1, 2) / terms
        return np.asarray(basis @ values.T)

    def behind(self, angle: Array) -> Array:
        """P(the angle is at least `angle`), (k, nodes)."""
        sine, cosine = np.sin(angle), np.cos(angle)
        steep = np.abs(cosine) > _FLAT * np.abs(sine)
        result = np.empty_like(angle)
        item, node = np.nonzero(~steep)
        result[item, node] = self._over_root((cosine / sine)[item, node], item)
        for sign in (1.0, -1.0):
            item, node = np.nonzero(steep & (np.sign(cosine) == sign))
            tangent = np.abs(sine / cosine)[item, node]
            found = self._over_normal(tangent, item, sign)
            result[item, node] = found if sign > 0 else 1 - found
        return result

    def _over_root(self, cotangent: Array, item: npt.NDArray[np.intp]) -> Array:
        """``E Phi(k R - a)`` for a flat ``|k|``."""
        at = cotangent[:, None] * self.r[item] - self.along[item, None]
        return np.asarray(np.einsum("pr,pr->p", self.mass[item], scipy.special.ndtr(at)))

    def _over_normal(self, tangent: Array, item: npt.NDArray[np.intp], sign: float) -> Array:
        """``P(R >= tangent (a + Z))`` for a steep cotangent, `sign` that of ``a``."""
        along = sign * self.along[item]
        low, high = np.maximum(along - self.far, 0), np.maximum(along + self.far, 0)
        x, weights = _interval(low, high, self.far)
        weights *= np.exp(-np.square(x - along[:, None]) / 2) / math.sqrt(2 * math.pi)
        place = tangent[:, None] * x - self.low[item, None]
        place = np.clip(place / self.half[item, None] - 1, -1, 1)
        beyond = _clenshaw(place, self.series[:, item, None])
        return np.asarray(scipy.special.ndtr(-along) + np.einsum("pr,pr->p", weights, beyond))


def _clenshaw(x: Array, series: Array) -> Array:
    """The Chebyshev `series` (terms, p, 1) at `x` (p, points), in place of `chebval`'s copies."""
    twice = 2 * x
    last, before = np.zeros_like(x), np.zeros_like(x)
    for coefficient in series[:0:-1]:
        before *= -1
        before += coefficient
        before += twice * last
        last, before = before, last
    return np.asarray(series[0] + x * last - before)


gauss_legendre = functools.lru_cache(np.polynomial.legendre.leggauss)


def _inner_points(far: float) -> int:
    return math.ceil(0.9 * far**2)


def _interval(low: Array, high: Array, far: float) -> tuple[Array, Array]:
    points, weights = gauss_legendre(_inner_points(far))
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
