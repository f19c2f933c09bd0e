"""Exact robustness beside batched Monte Carlo of equal error.

The Monte Carlo is what one would write for speed: a batch of draws at once, one matrix product.
Its time to a standard error is extrapolated: seconds a draw, measured, times the draws that the
error measured between those draws asks for, as the error falls with their square root.
"""

from __future__ import annotations

import pytest

from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import robustness_calls

WANTED_ERROR = 2e-4
DRAWS = 1000


@pytest.mark.parametrize("scoring", ["euclidean", "cosine"])
def test_exact_beside_monte_carlo_of_equal_error(
    benchmark, record, device: str, scoring: str
) -> None:
    calls = robustness_calls(848, 10, 512, draws=DRAWS, device=device, scoring=scoring)
    found, _ = calls["Monte Carlo"]()
    more = (found.standard_error / WANTED_ERROR) ** 2
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    name = "" if scoring == "euclidean" else f", {scoring}"
    record(f"exact robustness, 848 × 10 × 512{name}", seconds["exact"], "s")
    beside = seconds["Monte Carlo"] / seconds["exact"] * more
    sampling = "Monte Carlo to a standard error of 0.0002, extrapolated from 1,000 draws"
    record(f"{sampling}{name}", beside, "×")
