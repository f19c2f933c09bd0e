"""Coordinates of mean zero and variance one."""

from __future__ import annotations

import torch
from symmetries import MOVE, SPHERE

from closing.helpers import sides
from gaputils import closing

SYMMETRIES = [
    (closing.Standardizing(), "d", 0, {MOVE: SPHERE}),
]


def test_standardised_coordinates_have_mean_zero_and_variance_one():
    queries, gallery = sides()
    gallery[:, 3] = 0
    moved = closing.Standardizing("coordinate").fit_transform(queries, gallery)
    for values in moved:
        torch.testing.assert_close(values.mean(0), torch.zeros(12).double(), atol=1e-10, rtol=0)
    torch.testing.assert_close(moved[0].var(0, correction=0), torch.ones(12).double())
    assert not moved[1][:, 3].any()
