"""Cosine's stated bound, in galleries to 100,000 items, beside quadrature over root and angle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.noise import _cosine
from noise.crowds import BOUND, exact, reference, worst_error


@pytest.mark.parametrize("cosine", [0.9, -0.3])
@pytest.mark.parametrize("items", [2, 100])
@pytest.mark.parametrize(
    ("dim", "length"), [(2, 0.3), (2, 40), (3, 5), (5, 40), (9, 5), (17, 40), (64, 5), (512, 20)]
)
def test_keeps_its_bound(dim: int, length: float, cosine: float, items: int) -> None:
    """`length` of the winner over the noise's deviation in a coordinate, `cosine` of its own."""
    assert worst_error(dim, items, length, cosine) < BOUND


@pytest.mark.parametrize("items", [1_000, 20_000, 100_000])
@pytest.mark.parametrize(("dim", "length"), [(9, 60), (512, 3), (512, 30), (4096, 30)])
def test_keeps_its_bound_in_large_galleries(dim: int, length: float, items: int) -> None:
    assert worst_error(dim, items, length, 0.3) < BOUND


@pytest.mark.parametrize("items", [400, 4_000, pytest.param(20_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("longer", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize(("dim", "length"), [(2, 4), (4, 12), (9, 1.5), (17, 7)])
def test_keeps_its_bound_among_items_of_many_places(
    dim: int, length: float, longer: float, items: int
) -> None:
    """Of lengths that are equal, nearly equal and not; the winner is one of the nearest kind."""
    kinds = 20
    rng = np.random.default_rng(dim)
    angle = 0.4 + np.sort(rng.exponential(size=kinds)) * 2 / length
    size = length * (1 + longer * rng.uniform(-1, 1, size=kinds))
    along, across = size * np.cos(angle), np.square(size * np.sin(angle))
    counts = [items // kinds] * kinds
    winner = int((along / size).argmax())
    error = exact(along, across, counts, winner, dim - 1)
    error -= reference(along, across, counts, winner, dim - 1)
    assert abs(error) < BOUND


@pytest.mark.parametrize(
    ("degrees", "length", "angles", "longer", "items"),
    [
        (126, 3.88, [0.956, 1.782, 1.848], 1.12, 1288),
        (122, 3.65, [1.016, 1.842, 1.910], 0.99, 1556),
        (47, 10, [0.852, 1.040, 1.093], 1.0, 100),
        (104, 17.19, [3.0, 3.1, 3.12], 2.84, 1554),
    ],
)
def test_keeps_its_bound_before_two_crowds(
    degrees: int, length: float, angles: list[float], longer: float, items: int
) -> None:
    """Of crowds that stand where a grid of places ends, and of long ones opposite to the query."""
    size = length * np.array([1, longer, longer])
    along, across = size * np.cos(angles), np.square(size * np.sin(angles))
    case = along, across, [1, items // 2, items - 1 - items // 2], 0, degrees
    assert abs(exact(*case) - reference(*case)) < BOUND / 5


@pytest.mark.parametrize("cotangent", [3, 10])
@pytest.mark.parametrize("behind", [-1.5, 8])
def test_keeps_its_bound_beside_a_longer_rival_near_the_query(
    cotangent: float, behind: float
) -> None:
    """Its probability changes five times as fast as the winner's, which nearly all comes from the
    lengths across. It stands `behind` the winner by so many of its deviations."""
    across, degrees = np.array([10.0, 50.0]), 64
    along = cotangent * across
    along[1] -= behind * np.hypot(1, cotangent)
    case = along, np.square(across) - degrees, [1, 1], 0, degrees
    assert abs(exact(*case) - reference(*case)) < BOUND


@pytest.mark.parametrize("offset", [1e5, 1e6, 1e7])
@pytest.mark.parametrize(("dim", "deviation"), [(4, 1), (4, 3), (512, 1)])
def test_a_common_offset_costs_no_digits(dim: int, deviation: float, offset: float) -> None:
    """A cosine rounds away what stands across; in higher precision it is there."""
    rng = np.random.default_rng(0)
    shift = deviation * offset * rng.normal(size=dim)
    queries = shift + 2 * deviation * rng.normal(size=(20, dim))
    spread = deviation * np.repeat([2, 200], [20, 10])[:, None]
    gallery = shift + spread * rng.normal(size=(30, dim))
    noise = gu.GaussianNoise(deviation**2, per="coordinate")
    found = gu.robustness(queries, gallery, noise, scoring="cosine")
    winner = gu.scoring.nearest(queries, gallery, "cosine")
    wide, sides = gallery.astype(np.longdouble), queries.astype(np.longdouble)
    units = sides / np.sqrt(np.square(sides).sum(axis=1, keepdims=True))
    along = units @ wide.T
    across = [
        np.square(wide - a[:, None] * u).sum(axis=1) for a, u in zip(along, units, strict=True)
    ]
    lengths = np.sqrt(np.square(wide).sum(axis=1)).astype(float)
    cosines = torch.tensor((along / lengths).astype(float))
    lengths = torch.tensor(lengths / deviation).expand(20, -1)
    right = torch.tensor(np.array(across).astype(float)) / deviation**2
    expected = _cosine.cosine_win(cosines, lengths, winner, dim, right)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    lower, upper = gu.noise.sandwich(queries, gallery, noise, scoring="cosine")
    assert bool(((lower - BOUND <= found) & (found <= upper + BOUND)).all())
    others = gu.scoring.top_k(queries, gallery, 2, "cosine")[:, 1]
    others[::2] = cosines[::2].argmin(dim=1)
    found = gu.accuracy_under_noise(queries, gallery, others, noise, scoring="cosine")
    expected = _cosine.cosine_win(cosines, lengths, others, dim, right)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
