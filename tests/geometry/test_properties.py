"""What every measure of the gap must do whatever the data: rotate, translate, swap the sides."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

import gaputils as gu
from gaputils import geometry as geo

ROTATED = [
    "gap_norm", "l2i", "matched_cosine", "unmatched_cosine", "gap_separability", "rmg_schrodi",
    "rmg_few_dims", "rmg_centroid", "neighborhood_kendall", "alignment", "uniformity_queries",
    "effective_rank_queries", "effective_rank_gallery", "intrinsic_dimension_gallery",
    "variance_queries", "variance_share_gap_queries", "variance_share_leading_gallery",
    "gap_angle_queries", "double_stochastic_deviation", "wasserstein",
]  # fmt: skip
MOVED = [
    "gap_norm", "l2i", "rmg_centroid", "alignment", "uniformity_gallery", "variance_gap_gallery",
    "effective_rank_queries", "gap_angle_gallery", "double_stochastic_deviation", "wasserstein",
]  # fmt: skip
SYMMETRIC = [
    "gap_norm", "l2i", "matched_cosine", "unmatched_cosine", "rmg_schrodi", "rmg_few_dims",
    "rmg_centroid", "neighborhood_kendall", "alignment", "double_stochastic_deviation",
    "wasserstein",
]  # fmt: skip


def sides(seed: int, n: int = 25, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(n, d)) * rng.uniform(0.1, 1, size=d)
    queries = gallery + 0.5 * rng.normal(size=(n, d)) + rng.normal(size=d)
    return queries, gallery


def measure(x: np.ndarray, y: np.ndarray, names: list[str]) -> pd.Series:
    return gu.measure_gap(gu.Embeddings(x, y), names, tau=0.5)


seeds = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None)


@few
@given(seeds)
def test_rotations_change_nothing(seed: int) -> None:
    x, y = sides(seed)
    turn = ortho_group.rvs(6, random_state=seed)
    pd.testing.assert_series_equal(
        measure(x @ turn, y @ turn, ROTATED), measure(x, y, ROTATED), rtol=1e-7
    )


@few
@given(seeds, st.floats(-3, 3))
def test_moving_both_sides_together_changes_no_distance(seed: int, length: float) -> None:
    x, y = sides(seed)
    pd.testing.assert_series_equal(
        measure(x + length, y + length, MOVED), measure(x, y, MOVED), rtol=1e-6
    )


@few
@given(seeds)
def test_exchanging_the_sides_changes_no_symmetric_measure(seed: int) -> None:
    x, y = sides(seed)
    pd.testing.assert_series_equal(measure(y, x, SYMMETRIC), measure(x, y, SYMMETRIC), rtol=1e-7)


@few
@given(seeds, st.floats(0.1, 10))
def test_lengths_scale_and_ratios_do_not(seed: int, factor: float) -> None:
    x, y = sides(seed)
    before = measure(x, y, ["gap_norm", "wasserstein", "rmg_schrodi", "rmg_centroid"])
    after = measure(factor * x, factor * y, list(before.index))
    scaled = before * [factor, factor, 1, 1]
    pd.testing.assert_series_equal(after, scaled, rtol=1e-9)


@few
@given(seeds)
def test_bounds(seed: int) -> None:
    x, y = sides(seed)
    found = gu.measure_gap(gu.Embeddings(x, y))
    assert found["gap_norm"] <= found["wasserstein"] + 1e-9 <= math.sqrt(found["alignment"]) + 2e-9
    assert found["gap_norm"] <= found["l2i"] + 1e-9
    assert 1 <= found["effective_rank_queries"] <= 6
    for name in ("rmg_schrodi", "rmg_few_dims", "neighborhood_kendall", "linear_separability"):
        assert 0 <= found[name] <= 1
    assert found["rmg_few_dims"] >= found["rmg_schrodi"]
    assert found["variance_share_leading_queries"] >= found["variance_share_gap_queries"] - 1e-12
    assert found["variance_gap_gallery"] <= found["variance_gallery"]


@few
@given(seeds, st.floats(0.5, 20))
def test_opening_the_gap_moves_only_the_gap(seed: int, length: float) -> None:
    """A shift orthogonal to both hulls adds in squares and is seen by no measure of spread."""
    x, y = (np.pad(side, ((0, 0), (0, 1))) for side in sides(seed))
    away = x + length * np.eye(7)[6]
    names = ["gap_norm", "wasserstein", "effective_rank_queries", "variance_queries"]
    before, after = measure(x, y, names), measure(away, y, names)
    for name in names[:2]:
        assert after[name] ** 2 == pytest.approx(before[name] ** 2 + length**2)
    pd.testing.assert_series_equal(after[names[2:]], before[names[2:]])
    assert geo.hull_angle(x, np.eye(7)[6]) == pytest.approx(90)
