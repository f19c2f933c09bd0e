"""The chance that a nearest neighbour survives noise, and how it moves with distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from gaputils._checks import integer, number
from gaputils.theory._inputs import Array, as_values

_TINY, _GREAT = 1e-200, 1e10  # noncentralities below and beyond which SciPy gives NaN


def survival(distances: Any, variance: float, dim: int, item: int | None = None) -> float:
    """P(one query keeps its nearest neighbour) when every gallery item gets Gaussian noise.

    `distances` (m,) are the query's squared distances `D_j`, `variance` the noise per coordinate
    and `dim` the dimension. The noisy squared distance over `variance` is noncentral chi-square
    with `dim` degrees of freedom and noncentrality `D_j / variance`, so the answer is the integral
    of one item's density times the others' survival functions (our derivation). `item` asks for
    another item than the nearest. SciPy's distributions on a Gauss-Legendre rule: a slow, accurate
    reference for one query. Raises `ValueError` naming the argument that is out of range.
    """
    noncentral, own = _noncentralities(distances, variance, item)
    t, weights = _nodes(noncentral, integer("dim", dim, low=1))
    density = stats.ncx2.pdf(t, dim, noncentral[own])
    others = np.asarray(stats.ncx2.sf(t[:, None], dim, np.delete(noncentral, own)))
    return float(weights @ (density * others.prod(1)))


def survival_slope(distances: Any, variance: float, dim: int, item: int | None = None) -> float:
    """Derivative of `survival` with respect to a constant added to every squared distance.

    `(1/variance) sum_j int [f_i f_j+ - f_i+ f_j] prod_k P(T_k > t) dt`, the plus meaning two more
    degrees of freedom. For the nearest item every integrand is at most zero, which proves Theorem
    3.4 for any number of items (our derivation). Arguments and errors are those of `survival`.
    """
    noncentral, own = _noncentralities(distances, variance, item)
    t, weights = _nodes(noncentral, integer("dim", dim, low=1))
    density = np.asarray(stats.ncx2.pdf(t[:, None], dim, noncentral))
    raised = np.asarray(stats.ncx2.pdf(t[:, None], dim + 2, noncentral))
    above = np.asarray(stats.ncx2.sf(t[:, None], dim, noncentral))
    slope = 0.0
    for rival in range(len(noncentral)):
        if rival != own:
            rest = np.delete(above, [own, rival], axis=1).prod(1)
            swap = density[:, own] * raised[:, rival] - raised[:, own] * density[:, rival]
            slope += float(weights @ (swap * rest))
    return slope / variance


def _noncentralities(distances: Any, variance: float, item: int | None) -> tuple[Array, int]:
    squared = as_values("distances", distances, strict=False)
    if squared.ndim != 1 or len(squared) < 2:
        raise ValueError(f"distances: expected shape (m,) with m >= 2, got {squared.shape}")
    chosen = int(squared.argmin()) if item is None else integer("item", item, low=0)
    if chosen >= len(squared):
        raise ValueError(f"item: expected an index below {len(squared)}, got {item}")
    if number("variance", variance, low=0, strict=True) < squared.max() / _GREAT:
        raise ValueError(
            f"variance: expected at least {1 / _GREAT:g} of the greatest squared distance, "
            f"{squared.max():g}, got {variance!r}"
        )
    noncentral = squared / variance
    return np.where(noncentral < _TINY, 0.0, noncentral), chosen


def _nodes(noncentral: Array, dim: int) -> tuple[Array, Array]:
    """A rule over the range in which some item can be the least.

    In the square root of t, where the densities are smooth at 0 and have a width of about 1.
    """
    spread = 9.0
    root = np.sqrt(noncentral + dim)
    low, high = max(0.0, float(root.min()) - spread), float(root.min()) + spread
    points, weights = np.polynomial.legendre.leggauss(160)
    s = low + (high - low) * (points + 1) / 2
    return s**2, weights * (high - low) * s
