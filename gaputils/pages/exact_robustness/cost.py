"""The exact engine beside Monte Carlo: errors and times, as tidy frames."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_pair, integer, number
from gaputils.noise._exact import nodes
from gaputils.noise._monte_carlo import Estimate
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import estimate, robustness
from gaputils.pages.speed.timing import Call, compare_times
from gaputils.scoring import centered, precise_costs

_REPEATS = 10


def monte_carlo_errors(
    queries: Any, gallery: Any, variance: float, draws: Sequence[int], seed: int = 0
) -> pd.DataFrame:
    """Mean robustness by sampling, for several numbers of `draws`, beside the exact value.

    `queries` (n, d), `gallery` (m, d), total noise `variance`. Each row has noise of its own.
    Columns: `draws`, `monte_carlo`, `exact`, `error` (absolute), `standard_error`, `z` (the error
    in standard errors, signed) and `seconds`, the least of three.
    """
    noise = GaussianNoise(variance)
    exact = float(robustness(queries, gallery, noise).double().mean())
    rows = []
    for row, count in enumerate(draws):
        taken = []
        for _ in range(3):
            started = time.perf_counter()
            found, _ = estimate(queries, gallery, noise, draws=count, seed=seed + row)
            taken.append(time.perf_counter() - started)
        seconds = min(taken)
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
    standard_error: float = 1e-4,
    draws: int = 300,
    rounds: int = 5,
) -> pd.Series[float]:
    """Seconds of the exact engine, and of sampling until the mean's error is `standard_error`.

    The latter is extrapolated: seconds a draw over `draws` measured draws, times the draws that
    their spread asks for. Both take turns, and each is the median of `rounds`; the ratio is the
    median of the rounds' own.
    """
    queries, gallery = as_pair(queries, gallery)
    noise = GaussianNoise(variance)
    wanted = number("standard_error", standard_error, low=0, strict=True)
    draws = integer("draws", draws, low=2)
    found, _ = estimate(queries, gallery, noise, scoring=scoring, draws=draws)
    needed = (found.standard_error / wanted) ** 2 * draws
    calls: dict[str, Call] = {
        "exact": lambda: _repeated(queries, gallery, noise, scoring),
        "draws": lambda: estimate(queries, gallery, noise, scoring=scoring, draws=draws),
    }
    seconds = compare_times(calls, rounds=rounds)
    seconds["exact"] /= _REPEATS
    sampled = seconds["draws"] / draws * needed
    return pd.Series(
        {
            "exact (s)": seconds["exact"].median(),
            "draws needed": needed,
            "Monte Carlo, extrapolated (s)": sampled.median(),
            "ratio": (sampled / seconds["exact"]).median(),
        },
        name=scoring,
    )


def sampled_distances(
    queries: Any, gallery: Any, variance: float, draws: int, seed: int = 0
) -> Estimate:
    """Robustness from draws of the noisy distances alone, each query's and each item's own.

    What one may draw who knows their law, in single precision: ``(Z + sqrt(lambda))^2`` plus a
    central chi-square of one degree less. Queries are independent, so that their mean needs fewer
    draws than one noisy gallery for all; it is for Euclidean scoring and isotropic noise only.
    """
    queries, gallery = as_pair(queries, gallery)
    dim, (middle, wide) = queries.shape[1], centered(gallery, "euclidean")
    costs = precise_costs(queries, wide, "euclidean", middle)[0].clamp_min(0).numpy()
    winner = costs.argmin(axis=1)
    root = np.sqrt(costs * (dim / variance)).astype(np.float32)
    rng = np.random.default_rng(integer("seed", seed, low=0))
    hits = []
    for _ in range(integer("draws", draws, low=1)):
        noisy = np.square(rng.standard_normal(root.shape, dtype=np.float32) + root)
        shape = np.float32((dim - 1) / 2)
        noisy += 2 * rng.standard_gamma(shape, size=root.shape, dtype=np.float32)
        hits.append(noisy.argmin(axis=1) == winner)
    found = torch.from_numpy(np.array(hits)).double()
    return Estimate.sampled(found.sum(dim=0), found.mean(dim=1), random=True)


def cost_of_distances(
    queries: Any,
    gallery: Any,
    variance: float,
    *,
    standard_error: float = 1e-4,
    draws: int = 100,
    rounds: int = 5,
    seed: int = 0,
) -> float:
    """How many times as long as the exact engine `sampled_distances` takes to `standard_error`."""
    found = sampled_distances(queries, gallery, variance, draws, seed)
    needed = (
        found.standard_error / number("standard_error", standard_error, low=0, strict=True)
    ) ** 2
    calls: dict[str, Call] = {
        "exact": lambda: _repeated(queries, gallery, GaussianNoise(variance)),
        "draws": lambda: sampled_distances(queries, gallery, variance, draws, seed),
    }
    seconds = compare_times(calls, rounds=rounds)
    seconds["exact"] /= _REPEATS
    return float((seconds["draws"] * needed / seconds["exact"]).median())


def seconds_of_exact(queries: Any, gallery: Any, variance: float, rounds: int = 5) -> float:
    """Seconds of `robustness`, the median of `rounds`."""
    calls = {"exact": lambda: _repeated(queries, gallery, GaussianNoise(variance))}
    return float(compare_times(calls, rounds=rounds)["exact"].median()) / _REPEATS


def _repeated(
    queries: Tensor, gallery: Tensor, noise: GaussianNoise, scoring: str = "euclidean"
) -> None:
    """As often in a row as draws are: once alone would be timed with what was in its way before."""
    for _ in range(_REPEATS):
        robustness(queries, gallery, noise, scoring=scoring)


def node_counts(items: Sequence[int]) -> pd.Series[int]:
    """How many nodes the engine integrates a win among so many `items` on."""
    return pd.Series({count: len(nodes(count)) for count in items}, name="nodes")
