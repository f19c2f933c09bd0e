"""The exact engine beside quadrature and Monte Carlo: errors and times, as tidy frames."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from gaputils._checks import as_pair, integer, number
from gaputils.noise._exact import nodes
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import estimate, robustness
from gaputils.theory import survival


def quadrature_errors(dims: Sequence[int], trials: int = 30, seed: int = 0) -> pd.DataFrame:
    """Errors of `robustness`'s integral against SciPy's noncentral chi-square, at random distances.

    For each of `dims` there are `trials` queries with 2 to 12 items, from items on the query to
    items far beyond the noise, some tied. Columns: `dim`, `items`, `noncentrality` (the nearest's
    squared distance over the noise variance), `exact`, `quadrature` and `error` (absolute).
    """
    rng = np.random.default_rng(integer("seed", seed, low=0))
    rows = []
    for dim in dims:
        for _ in range(integer("trials", trials, low=1)):
            items, near = int(rng.integers(2, 13)), float(10 ** rng.uniform(-2, 4.5))
            spread = rng.uniform(0, 2) * math.sqrt(dim + near)
            distances = near + np.sort(rng.exponential(size=items)) * spread
            distances[1] = distances[0] if rng.random() < 0.2 else distances[1]
            costs = torch.from_numpy(distances)[None]
            first = torch.zeros(1, dtype=torch.int64)
            wins, one = ExactWins(dim, [1.0], "euclidean"), torch.ones(1)
            found = wins(costs, [first], one, one)[0][0]
            exact, expected = float(found), survival(distances, 1.0, dim, item=0)
            rows.append((dim, items, distances[0], exact, expected, abs(exact - expected)))
    columns = ["dim", "items", "noncentrality", "exact", "quadrature", "error"]
    return pd.DataFrame(rows, columns=columns)


def monte_carlo_errors(
    queries: Any, gallery: Any, variance: float, draws: Sequence[int], seed: int = 0
) -> pd.DataFrame:
    """Mean robustness by sampling, for several numbers of `draws`, beside the exact value.

    `queries` (n, d), `gallery` (m, d), total noise `variance`. Each row has noise of its own.
    Columns: `draws`, `monte_carlo`, `exact`, `error` (absolute), `standard_error`, `z` (the error
    in standard errors, signed) and `seconds`.
    """
    noise = GaussianNoise(variance)
    exact = float(robustness(queries, gallery, noise).double().mean())
    rows = []
    for row, count in enumerate(draws):
        started = time.perf_counter()
        found, _ = estimate(queries, gallery, noise, draws=count, seed=seed + row)
        seconds = time.perf_counter() - started
        error = found.mean - exact
        z = error / found.standard_error if found.standard_error else math.nan
        rows.append((count, found.mean, exact, abs(error), found.standard_error, z, seconds))
    columns = ["draws", "monte_carlo", "exact", "error", "standard_error", "z", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def cost_of_exactness(
    queries: Any,
    gallery: Any,
    variance: float,
    *,
    scoring: str = "euclidean",
    standard_error: float = 2e-4,
    draws: int = 100,
    rounds: int = 5,
) -> pd.Series[float]:
    """Seconds of the exact engine, and of sampling until the mean's error is `standard_error`.

    The latter is extrapolated: seconds a draw over `draws` measured draws, times the draws that
    their spread asks for. Best of `rounds` for the exact engine.
    """
    queries, gallery = as_pair(queries, gallery)
    noise = GaussianNoise(variance)
    wanted = number("standard_error", standard_error, low=0, strict=True)
    seconds = min(
        _seconds(queries, gallery, noise, scoring) for _ in range(integer("rounds", rounds, low=1))
    )
    estimate(queries, gallery, noise, scoring=scoring, draws=2)
    started = time.perf_counter()
    draws = integer("draws", draws, low=2)
    found, _ = estimate(queries, gallery, noise, scoring=scoring, draws=draws)
    a_draw = (time.perf_counter() - started) / draws
    needed = (found.standard_error / wanted) ** 2 * draws
    return pd.Series(
        {
            "exact (s)": seconds,
            "Monte Carlo, one draw (s)": a_draw,
            "draws needed": needed,
            "Monte Carlo, extrapolated (s)": a_draw * needed,
            "ratio": a_draw * needed / seconds,
        },
        name=scoring,
    )


def _seconds(queries: Any, gallery: Any, noise: GaussianNoise, scoring: str) -> float:
    started = time.perf_counter()
    robustness(queries, gallery, noise, scoring=scoring)
    return time.perf_counter() - started


def node_counts(items: Sequence[int]) -> pd.Series[int]:
    """How many nodes the engine integrates a win among so many `items` on."""
    return pd.Series({count: len(nodes(count)) for count in items}, name="nodes")
