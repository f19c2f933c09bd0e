"""Embeddings for the tests of the measures."""

from __future__ import annotations

import numpy as np

import gaputils as gu


def gaussian(n: int = 60, m: int = 60, d: int = 6, seed: int = 0, paired: bool = True):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)) + 1, rng.normal(size=(m, d))
    return gu.Embeddings(x, y, None if paired else np.arange(n) % m)
