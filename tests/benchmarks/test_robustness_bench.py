"""Exact robustness beside Monte Carlo of equal error, and the scorings beside each other.

The Monte Carlo is what one would write for speed: in single precision, a batch of noisy galleries
at once, one matrix product. Its time to a standard error is extrapolated: seconds a draw, measured,
times the draws that the error measured between those draws asks for, as the error falls with their
square root. The error is the one that the exact engine promises for every query, here asked of the
mean alone.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

import gaputils as gu
from gaputils.noise import _exact
from gaputils.pages.exact_robustness import sampled_distances
from gaputils.pages.example import clusters
from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import robustness_calls
from gaputils.scoring import SCORINGS

WANTED_ERROR = 1e-4
CHEAPER = 300  # times that exactness is to be cheaper than draws
DEARER = 3  # times that cosine may cost what distance costs
SHAPES = [((848, 10, 512), 1000, 10), ((500, 500, 512), 50, 1)]
REPEATS = 10
VARIANCE = 0.04


def repeated(call, times: int = REPEATS):
    """As often in a row as draws are."""
    return lambda: [call() for _ in range(times)]


def words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize(("shape", "draws", "times"), SHAPES)
def test_exact_beside_monte_carlo_of_equal_error(
    benchmark, record, device: str, scoring: str, shape, draws: int, times: int
) -> None:
    calls = robustness_calls(*shape, draws=draws, device=device, scoring=scoring)
    found, _ = calls["Monte Carlo"]()
    more = (found.standard_error / WANTED_ERROR) ** 2
    calls["exact"] = repeated(calls["exact"], times)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    name = words(shape) + ("" if scoring == "euclidean" else f", {scoring}")
    record(f"exact robustness, {name}", seconds["exact"] / times, "s")
    beside = seconds["Monte Carlo"] / seconds["exact"] * times * more
    sampling = f"Monte Carlo to a standard error of 0.0001, extrapolated from {draws:,} draws"
    assert record(f"{sampling}, {name}", beside, "×") > CHEAPER


def by_scipy(queries, gallery) -> np.ndarray:
    """The same integral on the same nodes with SciPy's noncentral chi-square, item by item."""
    dim, z = queries.shape[1], _exact.nodes(len(gallery)).numpy()
    places = cdist(queries.numpy(), gallery.numpy(), "sqeuclidean") * (dim / VARIANCE)
    places.sort(axis=1)
    t = stats.ncx2.ppf(stats.norm.cdf(z), dim, places[:, :1])
    above = stats.ncx2.sf(t[:, None], dim, places[:, 1:, None])
    return above.prod(axis=1) @ stats.norm.pdf(z) * (z[1] - z[0])


@pytest.mark.parametrize("items", [2, 10, 30, 100])
def test_small_galleries_beside_scipys_distribution(
    benchmark, record, device: str, items: int
) -> None:
    if device != "cpu":
        pytest.skip("SciPy computes there")
    sides = clusters(100, items, 512)
    calls = {
        "exact": repeated(lambda: gu.robustness(*sides, gu.GaussianNoise(VARIANCE))),
        "SciPy": lambda: by_scipy(*sides),
    }
    found = gu.robustness(*sides, gu.GaussianNoise(VARIANCE))
    np.testing.assert_allclose(found, by_scipy(*sides), atol=1e-4)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    size = words((100, items, 512))
    record(f"exact robustness, {size}", seconds["exact"] / REPEATS, "s")
    beside = seconds["SciPy"] / seconds["exact"] * REPEATS
    assert record(f"the integral with SciPy's distribution, {size}", beside, "×") > 1


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
    times = 1 if shape[0] * shape[1] > 100_000 else REPEATS
    calls = {
        scoring: repeated(lambda s=scoring: gu.robustness(*sides, noise, scoring=s), times)
        for scoring in ("euclidean", "cosine")
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    size = f"{words(shape)}, variance {variance:g}"
    record(f"exact robustness by distance, {size}", seconds["euclidean"] / times, "s")
    dearer = record(f"the same by cosine, {size}", seconds["cosine"] / seconds["euclidean"], "×")
    assert dearer < DEARER or shape not in [one for one, *_ in SHAPES]
