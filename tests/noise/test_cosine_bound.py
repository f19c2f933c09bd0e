"""Cosine's stated bound, in galleries to 100,000 items, beside quadrature over ``R`` and the angle.

A crowd of equal rivals enters the reference as a power, so that it costs no more than one of them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special

import gaputils as gu
from gaputils.noise import _chi, _cosine

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


@pytest.mark.parametrize(("dim", "length", "cosine"), [(9, 15, 0.3), (9, 40, 0.95), (2, 3, 0.5)])
def test_keeps_its_bound_for_many_items_where_no_root_is_normal(
    dim: int, length: float, cosine: float
) -> None:
    """Where windows of a fixed width would cut off what thousands of items make likely."""
    items = 1_000
    case = list(crowds(items, length, cosine, dim - 1))[2]
    assert case[1].min() + dim - 1 < _chi.enough(items)
    assert abs(exact(*case, dim - 1) - reference(*case, dim - 1)) < BOUND / 10


@pytest.mark.parametrize("items", [1_000, 20_000, 50_000])
@pytest.mark.parametrize(
    ("dim", "length", "cosine"),
    [(2, 3, 0.5), (3, 0.3, -0.3), (9, 3, 0.3), (9, 15, 0.9), (24, 9, 0)],
)
def test_keeps_its_bound_in_few_dimensions_for_thousands_of_items(
    dim: int, length: float, cosine: float, items: int
) -> None:
    assert worst_error(dim, items, length, cosine) < BOUND


@pytest.mark.parametrize("items", [400, 20_000])
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


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_many_queries_in_few_dimensions_are_answered_as_each_alone(dim: int, spread: float) -> None:
    """All of them share one table of their law; a query and its two items have none."""
    rng = np.random.default_rng(dim)
    gallery = rng.normal(size=(60, dim))
    gallery *= rng.uniform(1 - spread, 1 + spread, size=(60, 1)) / np.linalg.norm(
        gallery, axis=1, keepdims=True
    )
    queries, noise = rng.normal(size=(300, dim)), gu.GaussianNoise(0.4)
    found = gu.robustness(queries, gallery, noise, scoring="cosine")
    alone = torch.cat(
        [gu.robustness(one[None], gallery, noise, scoring="cosine") for one in queries[:20]]
    )
    torch.testing.assert_close(found[:20], alone, atol=4e-5, rtol=0)


@pytest.mark.parametrize("offset", [1e5, 1e6, 1e7])
@pytest.mark.parametrize("dim", [4, 512])
def test_a_common_offset_costs_no_digits(dim: int, offset: float) -> None:
    """A cosine rounds away what stands across; in higher precision it is there."""
    rng = np.random.default_rng(0)
    shift = offset * rng.normal(size=dim)
    queries = shift + 2 * rng.normal(size=(20, dim))
    gallery = shift + 2 * rng.normal(size=(30, dim))
    noise = gu.GaussianNoise(1.0, per="coordinate")
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
    lengths = torch.tensor(lengths).expand(20, -1)
    right = torch.tensor(np.array(across).astype(float))
    expected = _cosine.cosine_win(cosines, lengths, winner, dim, right)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    lower, upper = gu.noise.sandwich(queries, gallery, noise, scoring="cosine")
    assert bool(((lower - BOUND <= found) & (found <= upper + BOUND)).all())
