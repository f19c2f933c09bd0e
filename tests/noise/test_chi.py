"""The norm of a Gaussian vector: its cumulants and normal scores beside its law, integrated."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gaputils.noise import _chi
from noise.helpers import law

NEARLY_NORMAL = [
    (dim, noncentrality)
    for dim in (1, 2, 20, 64, 512, 4096)
    for noncentrality in (0.0, 10.0, 60.0, 1000.0)
    if dim + noncentrality >= _chi.enough(2)
]


@pytest.mark.parametrize(("dim", "noncentrality"), NEARLY_NORMAL)
def test_cumulants_are_those_of_the_norm(dim: int, noncentrality: float) -> None:
    """Integrated numerically, wherever the engine uses them."""
    middle = math.sqrt(dim + noncentrality)
    x, weights = np.polynomial.legendre.leggauss(200)
    low, high = max(middle - 9, 0.0), middle + 9
    r = low + (high - low) * (x + 1) / 2
    mass = weights * (high - low) * r * law(np.square(r), noncentrality, dim)[1]
    mean = mass @ r
    central = [mass @ (r - mean) ** power for power in range(6)]
    deviation = math.sqrt(central[2])
    cumulants = [central[3], central[4] - 3 * central[2] ** 2]
    cumulants.append(central[5] - 10 * central[3] * central[2])
    found = _chi.root(torch.tensor([noncentrality], dtype=torch.float64), dim)
    assert float(found.mean) == pytest.approx(mean, abs=1e-5)
    assert float(found.deviation) == pytest.approx(deviation, rel=1e-4)
    for power, value, expected in zip((3, 4, 5), found[2:], cumulants, strict=True):
        assert float(value) == pytest.approx(expected / deviation**power, abs=4e-3)


@pytest.mark.parametrize(("dim", "noncentrality"), NEARLY_NORMAL)
def test_normal_score_is_the_distributions(dim: int, noncentrality: float) -> None:
    root = _chi.root(torch.tensor([noncentrality], dtype=torch.float64), dim)
    z = torch.linspace(-4.5, 4.5, 31, dtype=torch.float64)
    polynomial = _chi.score_polynomial(*root[2:])
    score = _chi.evaluate(polynomial, z)
    above, _ = law(np.square((root.mean + z * root.deviation).numpy()), noncentrality, dim)
    np.testing.assert_allclose(stats.norm.sf(score), above, atol=1.2e-5)
    step = 1e-6
    nearby = _chi.evaluate(polynomial, z + step), _chi.evaluate(polynomial, z - step)
    torch.testing.assert_close(
        _chi.slope(polynomial, z), (nearby[0] - nearby[1]) / (2 * step), atol=1e-7, rtol=1e-7
    )
