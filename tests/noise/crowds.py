"""Galleries of crowds, and the probability that one item has the least angle by quadrature.

A crowd of equal rivals enters the reference as a power, so that it costs no more than one of them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special

from gaputils.noise import _cosine

BOUND = 1e-4


def chi_density(r: np.ndarray, noncentrality: float, degrees: int) -> np.ndarray:
    """Density of noncentral chi as a Poisson mixture of central ones."""
    middle = noncentrality / 2
    width = 10 * math.sqrt(middle)
    first = max(0.0, math.floor(middle - width - 5))
    terms = np.arange(first, middle + width + 30) if middle else np.zeros(1)
    log_weight = special.xlogy(terms, middle) - middle - special.gammaln(terms + 1)
    power = degrees / 2 + terms
    log_density = (2 * power - 1) * np.log(r)[:, None] - np.square(r)[:, None] / 2
    log_density += (1 - power) * math.log(2) - special.gammaln(power)
    return np.exp(log_density + log_weight).sum(axis=1)


def law_of_root(across: float, degrees: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and masses of ``R``: in its logarithm where it may be near zero, else in itself."""
    top = math.sqrt(across + degrees) + 9
    if top > 21:
        x, weights = np.polynomial.legendre.leggauss(400)
        r, weights = top - 18 + 9 * (1 + x), 9 * weights
    else:
        y = np.linspace(-22, math.log(top), 1200)
        r = np.exp(y)
        weights = r * (y[1] - y[0])
    mass = weights * chi_density(r, across, degrees)
    assert mass.sum() == pytest.approx(1, abs=1e-8)
    return r, mass


def reference(along, across, counts, winner: int, degrees: int) -> float:
    """P(one item of kind `winner` has the least angle), `counts` items being of each kind."""
    size = math.sqrt(along[winner] ** 2 + max(across[winner] + degrees - 1, 0))
    middle = math.atan2(math.sqrt(across[winner] + degrees), along[winner])
    half = min(math.pi, 8 / size)
    low, high = max(0.0, middle - half), min(math.pi, middle + half)
    x, weights = np.polynomial.legendre.leggauss(300)
    angle = low + (high - low) * (1 + x) / 2
    product = weights * (high - low) / 2
    for kind, count in enumerate(counts):
        r, mass = law_of_root(across[kind], degrees)
        at = r / np.tan(angle)[:, None] - along[kind]
        if kind == winner:
            density = np.exp(-np.square(at) / 2) @ (mass * r) / math.sqrt(2 * math.pi)
            product, count = product * density / np.square(np.sin(angle)), count - 1
        if count:
            before = np.minimum(special.ndtr(-at) @ mass, 1 - 1e-16)
            product = product * np.exp(count * np.log1p(-before))
    return float(product.sum())


def exact(along, across, counts, winner: int, degrees: int) -> float:
    along, across = np.repeat(along, counts), np.repeat(across, counts)
    lengths = np.sqrt(np.square(along) + across)
    column = torch.tensor([sum(counts[:winner])])
    sides = torch.tensor(along / lengths)[None], torch.tensor(lengths)[None]
    return float(_cosine.cosine_win(*sides, column, degrees + 1))


def crowds(items: int, length: float, cosine: float, degrees: int):
    """Ties, near ties, crowds some deviations behind, and rivals half and twice as long."""
    angle = math.acos(cosine)
    noisy = math.atan2(math.sqrt((length * math.sin(angle)) ** 2 + degrees), length * cosine)
    size = math.hypot(length, math.sqrt(degrees))

    def behind(deviations: float) -> tuple[float, float]:
        turned = noisy + deviations / size
        return size * math.cos(turned), size**2 * math.sin(turned) ** 2 - degrees

    kinds = [
        ([0], [items], 0),
        ([0, 0.01], [1, items - 1], 0),
        ([0, 4], [1, items - 1], 0),
        ([0, 5.5], [1, items - 1], 0),
        ([0, 1, 3.5], [1, 1, items - 2], 1),
    ]
    for places, counts, winner in kinds:
        points = np.array([behind(place) for place in places])
        if min(counts) and (points[:, 1] >= 0).all():
            yield points[:, 0], points[:, 1], counts, winner
    for longer in (0.5, 2.0):
        scale = np.array([1, longer]) * length
        yield scale * cosine, np.square(scale * math.sin(angle)), [1, items - 1], 0


def worst_error(dim: int, items: int, length: float, cosine: float) -> float:
    return max(
        abs(exact(*case, dim - 1) - reference(*case, dim - 1))
        for case in crowds(items, length, cosine, dim - 1)
    )
