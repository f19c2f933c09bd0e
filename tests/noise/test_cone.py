"""The law of a noisy item's angle, where a closed form or another library has it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from gaputils.noise import _cone
from gaputils.noise._few_cosine import reach

FAR = reach(2)
ERROR = 1e-5  # a tenth of what a win's probability may be wrong by
ANGLES = np.linspace(0.02, math.pi - 0.02, 41)


def behind(along: float, across: float, degrees: int, angle: np.ndarray = ANGLES) -> np.ndarray:
    return _cone.behind(np.array([along]), np.array([across]), angle[None], degrees, FAR)[0]


@pytest.mark.parametrize("degrees", [1, 2, 7, 40])
def test_without_an_item_every_direction_is_as_likely(degrees: int) -> None:
    cap = special.betainc(degrees / 2, 0.5, np.square(np.sin(ANGLES))) / 2
    expected = np.where(math.pi / 2 > ANGLES, 1 - cap, cap)
    np.testing.assert_allclose(behind(0.0, 0.0, degrees), expected, atol=ERROR)


@pytest.mark.parametrize("along", [-6.0, -2.0, -0.4, 0.7])
@pytest.mark.parametrize("degrees", [1, 3, 20])
def test_an_item_on_the_query_has_the_cotangent_of_a_noncentral_t(
    along: float, degrees: int
) -> None:
    cotangent = math.sqrt(degrees) / np.tan(ANGLES)
    expected = stats.nct.cdf(cotangent, degrees, along)
    np.testing.assert_allclose(behind(along, 0.0, degrees), expected, atol=ERROR)


@pytest.mark.parametrize(("along", "side"), [(0.5, 0.2), (-1.0, 2.0), (4.0, 3.0), (-8.0, 5.0)])
def test_in_the_plane_it_is_a_wedge_of_a_normal(along: float, side: float) -> None:
    for angle in (0.3, 0.8, 1.5):
        borders = np.array(
            [[math.sin(angle), -math.cos(angle)], [math.sin(angle), math.cos(angle)]]
        )
        inside = stats.multivariate_normal.cdf(
            borders @ [along, side], cov=borders @ borders.T, abseps=1e-9, releps=1e-9
        )
        found = behind(along, side**2, 1, np.array([angle]))[0]
        assert found == pytest.approx(1 - inside, abs=ERROR)


@pytest.mark.parametrize(("across", "degrees"), [(0.0, 2), (3.0, 5), (400.0, 11)])
def test_it_falls_and_a_mirrored_item_has_the_mirrored_law(across: float, degrees: int) -> None:
    found = behind(1.7, across, degrees)
    assert (np.diff(found) <= ERROR).all()
    mirrored = behind(-1.7, across, degrees, math.pi - ANGLES)
    np.testing.assert_allclose(found + mirrored, 1, atol=ERROR)


def test_many_items_are_answered_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    along, across = rng.normal(size=300) * 4, rng.exponential(size=300) * 9
    angle = rng.uniform(0.1, 3.0, size=(300, 30))
    together = _cone.behind(along, across, angle, 6, FAR)
    for item in (0, 137, 299):
        alone = behind(along[item], across[item], 6, angle[item])
        np.testing.assert_allclose(together[item], alone, atol=1e-12)
