"""Few dimensions and strong noise, where the norm of a Gaussian vector is far from normal.

There SciPy's noncentral chi-square takes over, at as few points as will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.special
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]

# From this dimension on the saddlepoint formula is right to 3e-5, and the error of a product of
# this many items stays as small.
_SADDLEPOINT_DIM = 64
_SADDLEPOINT_ITEMS = 100

# Chebyshev points that carry a function of one item's distance to about 1e-7.
_POINTS = 28
_LEAST_SCORE = -15.0


def weights_and_scores(
    noncentrality: Tensor, winner: Tensor, dim: int, x: Tensor
) -> tuple[Tensor, Tensor]:
    """What the integral over the winner's law needs, at the nearest item's quantiles of score `x`.

    `noncentrality` (n, k), `winner` (n,); weights (nodes, n) and normal scores (nodes, k, n).
    """
    near, z = noncentrality.cpu().numpy(), x.cpu().numpy()
    nearest = near.min(axis=1)
    level = scipy.special.ndtr(z)
    root = _of_items(
        lambda item: np.sqrt(scipy.special.chndtrix(level, dim, item)), nearest[None], dim
    )[0]
    t = np.square(root)
    own = np.take_along_axis(near, winner.cpu().numpy()[:, None], axis=1)
    step = (z[1] - z[0]) / math.sqrt(2 * math.pi)
    weights = step * np.exp(-np.square(z) / 2) * _density_ratio(t, own, nearest[:, None], dim)
    many = dim < _SADDLEPOINT_DIM or near.shape[1] > _SADDLEPOINT_ITEMS
    score_of = _scipy_score if many else _saddlepoint_score
    score = _of_items(lambda item: score_of(t[:, None, :], item, dim), near, dim)
    return _like(weights.T, noncentrality), _like(score.transpose(2, 1, 0), noncentrality)


def _scipy_score(t: Array, noncentrality: Array, dim: int) -> Array:
    below = np.asarray(scipy.special.chndtr(t, dim, noncentrality))
    return np.maximum(scipy.special.ndtri(below), _LEAST_SCORE)


def _saddlepoint_score(t: Array, noncentrality: Array, dim: int) -> Array:
    r"""Barndorff-Nielsen's ``r*``: ``P(T <= t) = Phi(r*)``.

    With ``t = d (1 + q) + lambda (1 + q)^2``, ``h = (q - log(1 + q)) / q^2`` and
    ``a^2 = d h + lambda`` the signed root is ``w = q a`` and ``r* = w + log(1 + c q) / (2 w)``,
    ``c = (d (1/2 - h) / q + lambda) / a^2``. Written so, only slowly varying factors cancel at
    ``q = 0``, the mean, and they may be taken next to it.
    """
    q = 2 * t / (dim + np.sqrt(dim * dim + 4 * noncentrality * t)) - 1
    safe = np.where(np.abs(q) < 1e-4, 1e-4, q)
    h = (safe - np.log1p(safe)) / (safe * safe)
    square = dim * h + noncentrality
    root = np.sqrt(square)
    c = (dim * (0.5 - h) / safe + noncentrality) / square
    return np.asarray(q * root + np.log1p(c * safe) / (2 * safe * root))


def _density_ratio(t: Array, own: Array, nearest: Array, dim: int) -> Array:
    """Density of noncentral chi-square at `t`, of noncentrality `own` over that of `nearest`."""
    value, reference = (_log_hyp0f1(dim / 2, item * t / 4) for item in (own, nearest))
    return np.asarray(np.exp((nearest - own) / 2 + value - reference))


def _log_hyp0f1(b: float, x: Array) -> Array:
    """Logarithm of ``0F1(b, x)``, ``x >= 0``: by the scaled Bessel function where it may overflow.

    In few dimensions its logarithm is nearly ``2 sqrt(x)``, and in many the smaller one.
    """
    large = 2 * np.sqrt(x) > max(600, b)
    found = np.log(scipy.special.hyp0f1(b, np.where(large, 0, x)))
    if large.any():
        root = np.sqrt(x[large])
        bessel = np.log(scipy.special.ive(b - 1, 2 * root)) + 2 * root
        found[large] = scipy.special.gammaln(b) - (b - 1) * np.log(root) + bessel
    return np.asarray(found)


def _of_items(function: Callable[[Array], Array], noncentrality: Array, dim: int) -> Array:
    """`function` of each of `noncentrality` (rows, k), where it gives (rows, k, nodes) of them.

    Of many items in a row it is taken at Chebyshev points between the least and the greatest of
    ``sqrt(noncentrality + dim / 2)``, in which normal scores are nearly linear.
    """
    if noncentrality.shape[1] <= _POINTS:
        return function(noncentrality[:, :, None])
    place = np.sqrt(noncentrality + dim / 2)
    low, high = place.min(axis=1, keepdims=True), place.max(axis=1, keepdims=True)
    half = np.maximum(high - low, 1e-6 * high) / 2
    angle = np.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    points = low + half * (1 + np.cos(angle))
    values = function(np.maximum(np.square(points) - dim / 2, 0)[:, :, None])
    order = np.arange(_POINTS)
    series = np.cos(order[:, None] * angle) * np.where(order == 0, 1, 2)[:, None] / _POINTS
    at = np.arccos((place - low) / half - 1)
    return np.asarray(np.cos(at[:, :, None] * order) @ (series @ values))


def _like(values: Array, like: Tensor) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=like.dtype, device=like.device)
