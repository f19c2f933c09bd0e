"""The norm of a Gaussian vector: its cumulants and normal scores beside its law, integrated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermeval
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


def edgeworth(z: np.ndarray, third: Any, fourth: Any, fifth: Any) -> Any:
    """What Edgeworth's series to its third order takes from the normal law at `z`, over the normal
    density (Kendall and Stuart, *The Advanced Theory of Statistics*, 6.42)."""
    hermite = [torch.as_tensor(hermeval(z, [0] * n + [1])) for n in range(9)]
    first = third * hermite[2] / 6
    second = fourth * hermite[3] / 24 + third**2 * hermite[5] / 72
    return (
        first
        + second
        + fifth * hermite[4] / 120
        + third * fourth * hermite[6] / 144
        + third**3 * hermite[8] / 1296
    )


@pytest.mark.parametrize("cumulants", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (-2, 3, 1.5)])
def test_the_normal_score_is_edgeworths_to_the_third_order(
    cumulants: tuple[float, float, float],
) -> None:
    """Of cumulants that fall as those of a sum do, what is left is of the fourth order."""
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)

    def difference(small: float) -> torch.Tensor:
        standardised = [
            torch.tensor(value * small**n, dtype=z.dtype)
            for n, value in enumerate(cumulants, start=1)
        ]
        polynomial = _chi.score_polynomial(*standardised)
        ahead = sum(c * z**power for power, c in enumerate(polynomial)) - z
        law_ahead = ahead - z * ahead**2 / 2 + (z**2 - 1) * ahead**3 / 6
        return law_ahead + edgeworth(z.numpy(), *standardised)

    small = 1e-3
    odd, even = (difference(small) + sign * difference(-small) for sign in (-1, 1))
    assert float(odd.abs().max()) < 2e-4 * small**3
    assert float(even.abs().max()) < 2e-4 * small**2


CUMULANTS = [(0.3, -0.2, 0.1), (1e-3, 2e-6, 0.0), (0.0, 0.3, 0.0)]


def of_normal_part(cumulants: tuple[float, ...]) -> _chi.Root:
    """A root of mean 10 and deviation 0.7 with these standardised cumulants."""
    return _chi.Root(*(torch.tensor([[c]], dtype=torch.float64) for c in (10.0, 0.7, *cumulants)))


@pytest.mark.parametrize("cumulants", CUMULANTS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_score_of_a_share_is_the_polynomials(
    cumulants: tuple[float, ...], share: float
) -> None:
    """Of ``k R - Z``, whose n-th cumulant is that of ``R`` times the share's n-th power; the
    probability is that of exceeding a value."""
    z = torch.linspace(-4, 4, 17, dtype=torch.float64)[:, None]
    found = _chi.score_of_share(z.clone(), torch.full_like(z, share), of_normal_part(cumulants))
    shared = [torch.full_like(z, c * share**n) for n, c in enumerate(cumulants, start=3)]
    expected = -_chi.evaluate(_chi.score_polynomial(*shared), -z)
    exact = max(cumulants[0] ** 3, cumulants[0] * cumulants[1], cumulants[2]) > 1e-8
    torch.testing.assert_close(found, expected, atol=1e-12 if exact else 1e-6, rtol=0)


@pytest.mark.parametrize("along", [-1e4, -60, 60, 1e4])
def test_what_is_far_out_stays_far_out(along: float) -> None:
    """Beyond where the series holds, a score is that of the last value where it does."""
    root = of_normal_part((0.3, -0.2, 0.1))
    value, diagonal = (torch.tensor([[v]], dtype=torch.float64) for v in (along, 1.0))
    score = float(_chi.cotangent_score(diagonal, value, root))
    assert math.copysign(1, score) == -math.copysign(1, along)
    assert 5 < abs(score) < 30
