"""Two sides with a gap, drawn for the tests of this room."""

from __future__ import annotations

import numpy as np

import gaputils as gu


def two_sides(gap: float, n: int = 80, m: int = 6, d: int = 24, scale: float = 1) -> gu.Embeddings:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(m, d))
    targets = rng.integers(m, size=n)
    queries = gallery[targets] + 0.7 * rng.normal(size=(n, d))
    queries[:, 0] += gap
    unit = [scale * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    return gu.Embeddings(*unit, targets)


def sides(seed: int = 0, n: int = 30, m: int = 6, d: int = 12):
    """Unit rows with a gap, and each query's right item."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d))
    targets = rng.integers(m, size=n)
    queries = gallery[targets] + rng.normal(size=(n, d))
    queries[:, 0] += 3
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    return unit[0], unit[1], targets
