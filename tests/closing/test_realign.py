"""ReAlign beside its published formula in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from symmetries import MOVE, SCALE, SPHERE

import gaputils as gu
from closing.helpers import sides
from gaputils import closing

SYMMETRIES = [
    (closing.ReAlign(), "p", 1, {MOVE: SPHERE, SCALE: SPHERE}),
]


def test_realign_is_the_published_formula_and_closes_the_gap():
    queries, gallery = sides(50, 30)
    moved_queries, moved = closing.ReAlign().fit_transform(queries, gallery)
    x, y = queries.numpy(), gallery.numpy()
    scale = np.sqrt(np.trace(np.cov(x.T, bias=True)) / np.trace(np.cov(y.T, bias=True)))
    traced = x.mean(0) + scale * (y - y.mean(0))
    sphere = traced / np.linalg.norm(traced, axis=1, keepdims=True)
    np.testing.assert_allclose(moved.numpy(), sphere - sphere.mean(0) + x.mean(0), atol=1e-12)
    assert torch.equal(moved_queries, queries)
    assert float(gu.gap_vector(queries, moved).norm()) < 1e-12
