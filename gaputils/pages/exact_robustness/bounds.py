"""The exact robustness between its bounds from pairs, over the noise's variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gaputils.noise.bounds import sandwich
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import robustness


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
