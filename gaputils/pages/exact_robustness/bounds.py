"""The exact robustness over the noise's variance, between its bounds, and certified radii."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from gaputils.closing.catalogue import Closings, fitted, moved
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks
from gaputils.noise.bounds import sandwich
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import certified_radius, robustness


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
    blocks: Sequence[Embeddings], closings: Closings, variances: Sequence[float]
) -> pd.DataFrame:
    """`compare_blocks` by Euclidean distance with the total `variance` of each noise beside it."""
    noises = {str(v): GaussianNoise(float(v)) for v in variances}
    frame = compare_blocks(blocks, closings, noises, scorings=["euclidean"])
    return frame.assign(variance=[noises[name].variance for name in frame["noise"]])


def radii(blocks: Sequence[Embeddings], closings: Closings) -> pd.DataFrame:
    """Certified radius of each query of all blocks, a row, after each of `closings`, a column."""
    sides = [(block.queries, block.gallery) for block in blocks]
    found = {
        name: torch.cat([certified_radius(*moved(fitted(closing, *s), *s)) for s in sides])
        for name, closing in closings.items()
    }
    return pd.DataFrame({name: radius.numpy() for name, radius in found.items()})
