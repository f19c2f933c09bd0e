"""The coordinates in which the means differ most are left out, and no others."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from symmetries import COORDINATES, MOVE, SPHERE, TURN

import gaputils as gu
from closing.helpers import sides
from gaputils import closing

SYMMETRIES = [
    (closing.DimensionAblation(), "d", 0, {TURN: COORDINATES, MOVE: SPHERE}),
]


def test_ablation_takes_the_coordinates_with_the_greatest_difference_of_means():
    queries, gallery = sides()
    method = closing.DimensionAblation(4).fit(queries, gallery)
    gap = (queries.mean(0) - gallery.mean(0)).abs()
    assert set(method.dims_.tolist()) == set(gap.topk(4).indices.tolist())
    kept = [i for i in range(12) if i not in method.dims_.tolist()]
    moved = method.transform(queries, gallery)
    for values, original in zip(moved, (queries, gallery), strict=True):
        assert not values[:, method.dims_].any()
        torch.testing.assert_close(values[:, kept], F.normalize(original[:, kept], dim=1))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_ablation_by_share_takes_the_fewest_coordinates(share):
    queries, gallery = sides()
    method = closing.DimensionAblation(share, renormalize=False).fit(queries, gallery)
    squares = gu.gap_vector(queries, gallery).square()
    carried = squares[method.dims_]
    assert float(carried.sum() / squares.sum()) >= share - 1e-9
    if len(carried):
        assert float(carried[:-1].sum() / squares.sum()) < share
