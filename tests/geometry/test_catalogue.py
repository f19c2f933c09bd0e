"""Every measure by name: each is described, asked for as it needs, and found by its name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from gaputils.geometry import MEASURES
from geometry.helpers import gaussian


def test_every_measure_is_a_described_row() -> None:
    measured = gu.measure_gap(gaussian())
    assert isinstance(measured, pd.Series)
    assert list(measured.index) == list(MEASURES) == list(gu.describe_measures().index)
    assert np.isfinite(measured).all()


def test_unpaired_embeddings_leave_the_measures_of_pairs_out() -> None:
    e = gaussian(n=50, m=40)
    e.targets = None
    measured = gu.measure_gap(e)
    assert set(MEASURES) - set(measured.index) == {k for k, v in MEASURES.items() if v.pairs}
    assert measured.notna().all()
    with pytest.raises(ValueError, match="measures: l2i needs targets"):
        gu.measure_gap(e, ["l2i"])


def test_a_side_of_one_row_still_has_a_gap() -> None:
    measured = gu.measure_gap(gaussian(n=1, m=1))
    assert {"gap_norm", "l2i", "wasserstein"} <= set(measured.index)
    assert "uniformity_queries" not in measured.index


def test_of_a_larger_side_a_multiple_is_drawn_with_the_seed() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 4))
    e = gu.Embeddings(rows[:7], rows[7:] + 1)
    found = [gu.measure_gap(e, ["wasserstein"], seed=seed)["wasserstein"] for seed in range(8)]
    some = [
        gu.geometry.wasserstein(np.delete(rows[:7], left, 0), rows[7:] + 1) for left in range(7)
    ]
    assert all(min(abs(value - other) for other in some) < 1e-9 for value in found)
    assert len({round(value, 9) for value in found}) > 2
    again = [gu.measure_gap(e, ["wasserstein"], seed=seed)["wasserstein"] for seed in range(8)]
    assert again == found
