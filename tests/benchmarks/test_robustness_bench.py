"""Exact robustness beside Monte Carlo of equal error, and the scorings beside each other.

The Monte Carlo is what one would write for speed: a batch of draws at once, one matrix product.
Its time to a standard error is extrapolated: seconds a draw, measured, times the draws that the
error measured between those draws asks for, as the error falls with their square root. The error is
the one that the exact engine promises for every query, here asked of the mean alone.
"""

from __future__ import annotations

import pytest

import gaputils as gu
from gaputils.pages.exact_robustness import sampled_distances
from gaputils.pages.example import clusters
from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import robustness_calls
from gaputils.scoring import SCORINGS

WANTED_ERROR = 1e-4
DRAWS = 1000
REPEATS = 10
VARIANCE = 0.04


def repeated(call):
    """As often in a row as draws are."""
    return lambda: [call() for _ in range(REPEATS)]


@pytest.mark.parametrize("scoring", SCORINGS)
def test_exact_beside_monte_carlo_of_equal_error(
    benchmark, record, device: str, scoring: str
) -> None:
    calls = robustness_calls(848, 10, 512, draws=DRAWS, device=device, scoring=scoring)
    found, _ = calls["Monte Carlo"]()
    more = (found.standard_error / WANTED_ERROR) ** 2
    calls["exact"] = repeated(calls["exact"])
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    name = "" if scoring == "euclidean" else f", {scoring}"
    record(f"exact robustness, 848 × 10 × 512{name}", seconds["exact"] / REPEATS, "s")
    beside = seconds["Monte Carlo"] / seconds["exact"] * REPEATS * more
    sampling = "Monte Carlo to a standard error of 0.0001, extrapolated from 1,000 draws"
    record(f"{sampling}{name}", beside, "×")


def test_exact_beside_the_cheapest_draws(benchmark, record, device: str) -> None:
    """Each query's noisy distances alone, of the law that the exact engine integrates."""
    if device != "cpu":
        pytest.skip("NumPy draws them")
    sides = clusters(848, 10, 512)
    found = sampled_distances(*sides, VARIANCE, 200)
    more = (found.standard_error / WANTED_ERROR) ** 2
    calls = {
        "exact": repeated(lambda: gu.robustness(*sides, gu.GaussianNoise(VARIANCE))),
        "draws": lambda: sampled_distances(*sides, VARIANCE, 200),
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    beside = seconds["draws"] / seconds["exact"] * REPEATS * more
    record("drawn distances to a standard error of 0.0001", beside, "×")


@pytest.mark.parametrize(
    ("shape", "variance"),
    [
        ((848, 10, 512), VARIANCE),
        ((500, 500, 512), VARIANCE),
        ((500, 10, 8), VARIANCE),
        ((500, 10, 8), 0.4),
        ((100, 200, 8), 0.4),
        ((20, 2000, 8), 0.4),
    ],
)
def test_cosine_beside_euclidean(benchmark, record, device: str, shape, variance: float) -> None:
    sides = [side.to(device) for side in clusters(*shape)]
    noise = gu.GaussianNoise(variance)
    calls = {
        scoring: repeated(lambda s=scoring: gu.robustness(*sides, noise, scoring=s))
        for scoring in ("euclidean", "cosine")
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    size = f"{' × '.join(map(str, shape))}, variance {variance:g}"
    record(f"exact robustness by distance, {size}", seconds["euclidean"] / REPEATS, "s")
    record(f"the same by cosine, {size}", seconds["cosine"] / seconds["euclidean"], "×")
