"""Subtracting the difference of the means: closed, opened again, and where rankings stay."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from closing.helpers import sides
from gaputils import closing
from gaputils.scoring import nearest

SYMMETRIES = [
    (closing.NaiveShift(), "p", 1),
]


@pytest.mark.parametrize("side", ["gallery", "queries", "both"])
def test_the_naive_shift_closes_the_gap_and_renormalising_opens_it_again(side):
    queries, gallery = sides()
    moved = closing.NaiveShift(side=side).fit_transform(queries, gallery)
    assert float(gu.gap_vector(*moved).norm()) < 1e-12
    on_sphere = closing.NaiveShift(side=side, renormalize=True).fit_transform(queries, gallery)
    assert float(gu.gap_vector(*on_sphere).norm()) > 1e-3
    for values in on_sphere:
        torch.testing.assert_close(values.norm(dim=1), torch.ones(len(values)).double())


def test_alpha_zero_changes_nothing():
    queries, gallery = sides()
    moved = closing.NaiveShift(alpha=0.0).fit_transform(queries, gallery)
    assert torch.equal(moved[0], queries)
    assert torch.equal(moved[1], gallery)


def test_the_naive_shift_keeps_the_ranking_where_the_gap_is_orthogonal_to_the_hull():
    queries, gallery = sides(50, 6, 30)
    naive = closing.NaiveShift().fit(queries, gallery)
    paper = closing.MeanShift().fit(queries, gallery)
    assert not torch.allclose(naive.gap_, paper.shift_)
    orthogonal = queries - (naive.gap_ - paper.shift_)
    moved = closing.NaiveShift().fit_transform(orthogonal, gallery)
    assert torch.equal(nearest(*moved), nearest(orthogonal, gallery))
