"""Laws by quadrature, beside which the tests hold the exact engine."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import special, stats

from gaputils.noise._wins import ExactWins

QUADRATURE_NODES = 300


def law(t: np.ndarray, noncentrality: float, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Survival function and density of noncentral chi-square: Poisson mixtures of central ones."""
    middle = noncentrality / 2
    width = 12 * math.sqrt(middle) + 40
    terms = np.arange(max(0.0, math.floor(middle - width)), middle + width)
    terms = terms if middle else np.zeros(1)
    log_weight = special.xlogy(terms, middle) - middle - special.gammaln(terms + 1)
    shape, half = dim / 2 + terms, np.maximum(t, 1e-300)[:, None] / 2
    log_density = (shape - 1) * np.log(half) - half - special.gammaln(shape)
    density = np.exp(log_density + log_weight).sum(axis=1) / 2
    if noncentrality > 5000:  # far from where the engine asks SciPy, and much faster
        far = np.sqrt(t) > math.sqrt(noncentrality) - 12  # nearer, SciPy's series overflows
        above = np.ones_like(t)
        above[far] = stats.ncx2.sf(t[far], dim, noncentrality)
        return above, density
    return special.gammaincc(shape, half) @ np.exp(log_weight), density


def reference(noncentrality: np.ndarray, winner: int, dim: int, counts=None) -> float:
    """P(item `winner` has the least noisy distance): Gauss-Legendre in the square root of t.

    `counts` items stand at each noncentrality.
    """
    root = np.sqrt(noncentrality[winner] + dim)
    low, high = max(0.0, root - 9), root + 9
    x, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    s = low + (high - low) * (x + 1) / 2
    product = weights * (high - low) * s
    for index, item in enumerate(noncentrality):
        others = 1 if counts is None else counts[index]
        above, density = law(s * s, item, dim)
        if index == winner:
            product, others = product * density, others - 1
        product = product * np.maximum(above, 1e-300) ** others
    return float(product.sum())


def wins(costs: torch.Tensor, winners, dim: int, tolerance: float = 1e-5) -> torch.Tensor:
    ones = torch.ones(len(costs), dtype=costs.dtype)
    return ExactWins(dim, [1.0], "euclidean", tolerance)(costs, winners, ones, ones[:1])[0][0]
