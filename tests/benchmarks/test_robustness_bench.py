"""Exact robustness beside batched Monte Carlo, and how both costs grow.

The Monte Carlo is what one would write for speed: a batch of draws at once, one matrix product.
Its time to a standard error is extrapolated: seconds a draw, measured, times the draws that the
error measured between those draws asks for, as the error falls with their square root.
"""

from __future__ import annotations

import pytest

import gaputils as gu
from gaputils import timing
from gaputils.example import clusters

WANTED_ERROR = 2e-4
NOISE = gu.GaussianNoise(0.04)


def test_exact_beside_monte_carlo_of_equal_error(benchmark, record) -> None:
    queries, gallery = clusters(848, 10, 512)
    found, _ = gu.estimate(queries, gallery, NOISE, draws=1000)
    draws = 1000 * (found.standard_error / WANTED_ERROR) ** 2
    calls = {
        "exact": lambda: gu.robustness(queries, gallery, NOISE),
        "sampled": lambda: gu.estimate(queries, gallery, NOISE, draws=1000),
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    ratio = timing.ratios(seconds, to="exact").loc["sampled", "ratio"] * draws / 1000
    record("exact robustness, 848 × 10 × 512", seconds["exact"].median(), "s")
    record("Monte Carlo to a standard error of 0.0002, extrapolated from 1,000 draws", ratio, "×")


GROWTH = {
    "queries": (200, 800, 3200),
    "items": (10, 80, 640),
    "dim": (64, 256, 1024),
}


@pytest.mark.parametrize("axis", GROWTH)
def test_growth(axis: str, benchmark, record) -> None:
    def make(size: int) -> dict[str, timing.Call]:
        queries, gallery = clusters(**{"queries": 400, "items": 10, "dim": 512, axis: size})
        return {
            "exact": lambda: gu.robustness(queries, gallery, NOISE),
            "Monte Carlo": lambda: gu.estimate(queries, gallery, NOISE, draws=100),
        }

    table = benchmark.pedantic(timing.growth, (make, GROWTH[axis]), {"rounds": 3}, rounds=1)
    for call, slope in timing.slopes(table)["slope"].items():
        record(f"{call}: exponent of the growth in {axis}", slope, "")
