"""The exact robustness over the noise's variance, between its bounds, and certified radii."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gaputils.closing.base import Closing
from gaputils.closing.catalogue import fitted, moved
from gaputils.evaluation.compare import compare_closings
from gaputils.noise.bounds import sandwich
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import certified_radius, robustness
from gaputils.pages.survival import plus_minus


def sandwiches(queries: Any, gallery: Any, variances: Sequence[float]) -> pd.DataFrame:
    """Means over the queries of the robustness and of `sandwich`, a row a total variance.

    `queries` (n, d), `gallery` (m, d). Columns: `variance`, `lower`, `exact`, `upper`, and
    `outside`, how far a single query's exact value lies outside of its bounds at most.
    """
    rows = []
    for variance in variances:
        noise = GaussianNoise(variance)
        exact = robustness(queries, gallery, noise).double()
        lower, upper = (bound.double() for bound in sandwich(queries, gallery, noise))
        outside = max(float((lower - exact).max()), float((exact - upper).max()), 0.0)
        means = (float(value.mean()) for value in (lower, exact, upper))
        rows.append((variance, *means, outside))
    return pd.DataFrame(rows, columns=["variance", "lower", "exact", "upper", "outside"])


def falling(
    queries: Any, gallery: Any, closings: Mapping[str, Closing | None], variances: Sequence[float]
) -> pd.DataFrame:
    """Mean Euclidean robustness of each closing: `closing`, `variance` (total), `robustness`."""
    noises = {str(v): GaussianNoise(float(v)) for v in variances}
    frame = compare_closings(queries, gallery, closings, noises, scorings=["euclidean"])
    frame["variance"] = frame["noise"].map({name: noise.variance for name, noise in noises.items()})
    return frame[["closing", "variance", "robustness"]]


def radii(queries: Any, gallery: Any, closings: Mapping[str, Closing | None]) -> pd.DataFrame:
    """Certified radius of each query, a row, after each of `closings`, a column."""
    sides = queries, gallery
    found = {
        name: certified_radius(*moved(fitted(closing, *sides), *sides))
        for name, closing in closings.items()
    }
    return pd.DataFrame({name: radius.numpy() for name, radius in found.items()})


def over_original(frame: pd.DataFrame) -> pd.DataFrame:
    """What each closing of `falling` adds to the original at each variance, as `gain`."""
    original = frame[frame["closing"] == "original"].set_index("variance")["robustness"]
    gained = frame.assign(gain=frame["robustness"] - frame["variance"].map(original))
    return gained[gained["closing"] != "original"]


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of `compare_closings` for readers: robustness and gain with their errors."""
    return pd.DataFrame(
        {
            "closing": frame["closing"],
            "robustness": plus_minus(frame["robustness"], frame["robustness_error"]),
            "gain": plus_minus(frame["gain"], frame["gain_error"], signed=True),
        }
    )
