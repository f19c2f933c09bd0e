"""Exact robustness beside batched Monte Carlo, and how both costs grow.

The Monte Carlo is what one would write for speed: all noise of a draw at once, one matrix product.
Its time to a standard error is extrapolated: seconds a draw, measured, times the draws that the
error measured between those draws asks for, as the error falls with their square root.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch

import gaputils as gu

SIZE = (848, 10, 512)
WANTED_ERROR = 2e-4
NOISE = gu.GaussianNoise(0.04)


@pytest.fixture(autouse=True)
def _only_when_timed(benchmark) -> None:
    if benchmark.disabled:
        pytest.skip("timings are taken with --benchmark-enable")


def clusters(n: int, m: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors about as far apart and as close to their item as real CLIP's."""
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.functional.normalize(torch.randn(m, d, generator=generator), dim=1)
    common = torch.nn.functional.normalize(torch.randn(2, d, generator=generator), dim=1)
    spread = torch.nn.functional.normalize(torch.randn(n, d, generator=generator), dim=1)
    gallery = 0.55 * base + 0.8 * common[0]
    queries = 0.2 * base[torch.arange(n) % m] + 0.5 * spread + 0.8 * common[1]
    return tuple(torch.nn.functional.normalize(side, dim=1) for side in (queries, gallery))


def best_of(call, rounds: int = 5) -> float:
    call()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def monte_carlo(queries: torch.Tensor, gallery: torch.Tensor, draws: int) -> tuple[float, float]:
    """Seconds a draw and the standard error of one draw's mean."""
    gu.estimate(queries, gallery, NOISE, draws=3)
    started = time.perf_counter()
    found, _ = gu.estimate(queries, gallery, NOISE, draws=draws)
    return (time.perf_counter() - started) / draws, found.standard_error * math.sqrt(draws)


def test_exact_beside_monte_carlo_of_equal_error(benchmark) -> None:
    queries, gallery = clusters(*SIZE)
    benchmark(gu.robustness, queries, gallery, NOISE)
    exact = benchmark.stats.stats.min
    a_draw, deviation = monte_carlo(queries, gallery, 200)
    draws = (deviation / WANTED_ERROR) ** 2
    benchmark.extra_info |= {
        "exact_s": exact,
        "monte_carlo_s_a_draw": a_draw,
        "draws_for_error": draws,
        "monte_carlo_s": draws * a_draw,
        "ratio": draws * a_draw / exact,
        "error": WANTED_ERROR,
        "note": "Monte Carlo extrapolated from 200 measured draws",
    }
    print(
        f"\nexact {exact * 1e3:.1f} ms; Monte Carlo {a_draw * 1e3:.2f} ms a draw x {draws:.0f} "
        f"draws for an error of {WANTED_ERROR}: {draws * a_draw / exact:.0f} times as long"
    )


GROWTH = {
    "n": [(n, 10, 512) for n in (200, 800, 3200)],
    "m": [(400, m, 512) for m in (10, 80, 640)],
    "d": [(800, 10, d) for d in (64, 256, 1024)],
}


@pytest.mark.parametrize("engine", ["exact", "monte-carlo"])
@pytest.mark.parametrize("axis", GROWTH)
def test_growth(axis: str, engine: str, benchmark) -> None:
    """Fitted slope of log time over log size; Monte Carlo per draw."""
    sizes = [size["nmd".index(axis)] for size in GROWTH[axis]]

    def measure() -> list[float]:
        seconds = []
        for size in GROWTH[axis]:
            queries, gallery = clusters(*size)
            if engine == "exact":
                seconds.append(best_of(lambda q=queries, g=gallery: gu.robustness(q, g, NOISE), 3))
            else:
                seconds.append(monte_carlo(queries, gallery, 20)[0])
        return seconds

    seconds = benchmark.pedantic(measure, rounds=1)
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    benchmark.extra_info |= {"sizes": sizes, "seconds": seconds, "slope": slope}
    print(f"\n{engine} over {axis}: {dict(zip(sizes, seconds, strict=True))}, slope {slope:.2f}")
