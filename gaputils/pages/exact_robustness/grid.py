"""The exact engine beside independent quadrature, on a grid of galleries under every scoring.

A case has items of a few kinds, many of each: a crowd of equals enters a reference as a power and
the engine one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import special, stats

from gaputils.noise._cone import gauss_legendre
from gaputils.noise._wins import ExactWins
from gaputils.pages import typeset

Array = npt.NDArray[np.float64]

POINTS = 300
_REACH = 8.5

# Kinds of items by how many deviations each lies behind the nearest, how many there are of each in
# a gallery of `m` (0 for the rest), and whose chance is asked for.
_CROWDS = {
    "all tied": ([0.0], [0], 0),
    "nearly tied": ([0.0, 0.01], [1, 0], 0),
    "a crowd behind": ([0.0, 4.0], [1, 0], 0),
    "second of two before a crowd": ([0.0, 1.0, 3.5], [1, 1, 0], 1),
}


class Case(NamedTuple):
    """Kinds of items: where each stands, `counts` of each, and the kind whose item is to win.

    `places` (kinds, 2): without noise, in its deviations, each item's component along the query
    (or its score) and its squared length across (or its squared distance).
    """

    places: Array
    counts: list[int]
    winner: int


def errors_on_a_grid(
    dims: Sequence[int] = (1, 2, 8, 64, 512, 4096),
    items: Sequence[int] = (2, 100, 20_000),
    lengths: Sequence[float] = (0.3, 5.0, 60.0),
) -> pd.DataFrame:
    """Absolute errors of the exact engine under each scoring, a row a case.

    `lengths` are the nearest item's, or its distance, in the noise's deviations. Columns:
    `scoring`, `dim`, `items`, `length`, `crowd`, `exact`, `quadrature`, `error`. Under inner
    products dimension and length cancel, and under cosine one dimension has no ranking.
    """
    cases: list[tuple[str, int, int, float, str, Case]] = []
    for count in items:
        for crowd, (behind, counts, winner) in _CROWDS.items():
            rest = count - sum(counts)
            if rest < 1:
                continue
            full = [one or rest for one in counts]
            scores = np.array([[-step, 0.0] for step in behind])
            near = Case(scores, full, winner)
            cases.append(("inner-product", 1, count, 1.0, crowd, near))
            for dim in dims:
                for length in lengths:
                    near = Case(_distances(behind, length, dim), full, winner)
                    cases.append(("euclidean", dim, count, length, crowd, near))
                    turned = _turned(behind, length, dim)
                    if dim > 1 and turned is not None:
                        case = Case(turned, full, winner)
                        cases.append(("cosine", dim, count, length, crowd, case))
    rows = joblib.Parallel(-1, prefer="threads")(joblib.delayed(_row)(*case) for case in cases)
    names = ["scoring", "dim", "items", "length", "crowd", "exact", "quadrature"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(error=(frame["exact"] - frame["quadrature"]).abs())


def errors_and_times(frame: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """The worst of `errors_on_a_grid` for each number of items, and what exactness costs, as text.

    `costs` has a row of `cost_of_exactness` for each scoring, which is a column here.
    """
    worst = frame.pivot_table(index="items", columns="scoring", values="error", aggfunc="max")
    rows = {
        f"worst error, {items:,} items": [typeset(f"{errors[name]:.0e}") for name in costs.index]
        for items, errors in worst.iterrows()
    }
    rows["exact (ms)"] = [f"{1000 * value:.1f}" for value in costs["exact (s)"]]
    rows["sampling (s)"] = [f"{value:.1f}" for value in costs["Monte Carlo, extrapolated (s)"]]
    rows["times as long"] = [f"{round(value, -2):.0f}" for value in costs["ratio"]]
    return pd.DataFrame(rows, index=list(costs.index)).T


def _row(
    scoring: str, dim: int, items: int, length: float, crowd: str, case: Case
) -> tuple[str, int, int, float, str, float, float]:
    found, expected = _exact(scoring, dim, case), reference(scoring, dim, case)
    return scoring, dim, items, length, crowd, found, expected


def _distances(behind: list[float], length: float, dim: int) -> Array:
    near = length**2
    deviation = math.sqrt(2 * (dim + 2 * near))
    return np.array([[0.0, near + step * deviation] for step in behind])


def _turned(behind: list[float], length: float, dim: int) -> Array | None:
    """Items turned away from the query by deviations of the noisy angle; None if that is too far.

    All noisy items are about as long; the nearest one's cosine is 0.3.
    """
    degrees = dim - 1
    size = math.hypot(length, math.sqrt(degrees))
    across = math.sqrt(length**2 * (1 - 0.09) + degrees)
    angles = math.atan2(across, 0.3 * length) + np.array(behind) / size
    places = np.stack([size * np.cos(angles), (size * np.sin(angles)) ** 2 - degrees], axis=1)
    return places if bool((places[:, 1] >= -1e-9).all()) else None


def _exact(scoring: str, dim: int, case: Case) -> float:
    along, across = torch.from_numpy(np.repeat(case.places, case.counts, axis=0)).T
    across = across.clamp_min(0)
    lengths = (along.square() + across).sqrt()
    costs = {
        "euclidean": across,
        "inner-product": -along,
        "cosine": -along / lengths.clamp_min(1e-300),
    }[scoring]
    winner = torch.tensor([sum(case.counts[: case.winner])])
    wins = ExactWins(dim, [1.0], scoring)
    return float(wins(costs[None], [winner], torch.ones(1), lengths[None])[0][0])


def reference(scoring: str, dim: int, case: Case) -> float:
    """The chance that one item of the winner's kind is first, by Gauss-Legendre quadrature."""
    span, law = {
        "euclidean": (_radii, _radial),
        "inner-product": (_scores, _normal),
        "cosine": (_angles, _angular),
    }[scoring]
    low, high = span(dim, case.places[case.winner])
    points, weights = gauss_legendre(POINTS)
    share = (points + 1) / 2
    t = low + (high - low) * share**3  # the first of many may be next to the least there is
    product = weights * (high - low) * 1.5 * share**2
    for kind, (place, count) in enumerate(zip(case.places, case.counts, strict=True)):
        density, before = law(t, dim, place)
        if kind == case.winner:
            product, count = product * density, count - 1
        product = product * np.exp(count * np.log1p(-np.minimum(before, 1 - 1e-16)))
    return float(product.sum())


def _radii(dim: int, place: Array) -> tuple[float, float]:
    middle = math.sqrt(place[1] + dim)
    return max(0.0, middle - _REACH), middle + _REACH


def _radial(r: Array, dim: int, place: Array) -> tuple[Array, Array]:
    """Density of a noisy distance at `r`, and the probability of one below it."""
    law = stats.ncx2(dim, place[1])
    return 2 * r * law.pdf(r * r), law.cdf(r * r)


def _scores(_: int, place: Array) -> tuple[float, float]:
    return place[0] - _REACH, place[0] + _REACH


def _normal(score: Array, _: int, place: Array) -> tuple[Array, Array]:
    return stats.norm.pdf(score - place[0]), stats.norm.sf(score - place[0])


def _angles(dim: int, place: Array) -> tuple[float, float]:
    across = place[1] + dim - 1
    middle = math.atan2(math.sqrt(across), place[0])
    half = _REACH / math.sqrt(place[0] ** 2 + max(across - 1, 1e-9))
    return max(0.0, middle - half), min(math.pi, middle + half)


def _angular(angle: Array, dim: int, place: Array) -> tuple[Array, Array]:
    """Density of a noisy angle and the probability of one below it, summed over the length across.

    Lengths are spaced by their logarithm where they may be near 0.
    """
    top = math.sqrt(place[1] + dim - 1) + _REACH
    if top > 20:
        points, weights = gauss_legendre(POINTS)
        r, weights = top - _REACH + _REACH * points, _REACH * weights
    else:
        steps = np.linspace(-22, math.log(top), 4 * POINTS)
        r = np.exp(steps)
        weights = r * (steps[1] - steps[0])
    mass = weights * 2 * r * stats.ncx2.pdf(r * r, dim - 1, place[1])
    at = r / np.tan(angle)[:, None] - place[0]
    density = np.exp(-np.square(at) / 2) @ (mass * r) / math.sqrt(2 * math.pi)
    return density / np.square(np.sin(angle)), special.ndtr(-at) @ mass
