"""The table of all measures: which rows, which sample, which intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.geometry.catalogue import MEASURES
from gaputils.geometry.measure import _sample
from geometry.helpers import gaussian


def test_chosen_measures_in_their_order() -> None:
    chosen = ["wasserstein", "gap_norm"]
    everything = gu.measure_gap(gaussian())
    pd.testing.assert_series_equal(gu.measure_gap(gaussian(), chosen), everything[chosen])


def test_a_measure_asked_for_twice_has_two_rows() -> None:
    twice = gu.measure_gap(gaussian(), ["gap_norm", "l2i", "gap_norm"])
    assert list(twice.index) == ["gap_norm", "l2i", "gap_norm"]
    assert twice.nunique() == 2


def test_no_measures_are_a_column_of_numbers_without_rows() -> None:
    nothing = gu.measure_gap(gaussian(), [])
    assert len(nothing) == 0
    assert nothing.dtype == float


def test_the_seed_draws_the_random_directions_and_the_average_is_one_in_d() -> None:
    names = ["variance_share_average", "variance_share_random_queries", "emptier_than_gap_gallery"]
    usual, same, other = (
        gu.measure_gap(gaussian(d=5), names, **given) for given in ({}, {"seed": 0}, {"seed": 1})
    )
    assert usual["variance_share_average"] == pytest.approx(1 / 5)
    pd.testing.assert_series_equal(usual, same)
    assert usual[names[1]] != other[names[1]]


def test_sides_without_variance_or_gap_give_nan_not_errors() -> None:
    still = gu.Embeddings(np.ones((5, 3)), np.ones((5, 3)))
    measured = gu.measure_gap(still)
    assert measured["gap_norm"] == 0
    assert measured["uniformity_queries"] == 0
    for name in ("effective_rank_queries", "variance_share_gap_gallery", "rmg_centroid"):
        assert math.isnan(measured[name])


def test_measures_may_come_one_at_a_time() -> None:
    e, names = gaussian(), ["gap_norm", "linear_separability"]
    pd.testing.assert_series_equal(gu.measure_gap(e, iter(names)), gu.measure_gap(e, names))


def test_bad_arguments_are_named() -> None:
    e = gaussian()
    with pytest.raises(ValueError, match="measures: expected one of gap_norm"):
        gu.measure_gap(e, ["gap"])
    with pytest.raises(TypeError, match="measures: expected a list"):
        gu.measure_gap(e, "gap_norm")
    with pytest.raises(TypeError, match="measures: expected a list of names, got 5"):
        gu.measure_gap(e, 5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="embeddings: expected Embeddings"):
        gu.measure_gap(e.queries)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bootstrap"):
        gu.measure_gap(e, ["gap_norm"], bootstrap=1)
    with pytest.raises(ValueError, match="tau"):
        gu.measure_gap(e, tau=0)
    with pytest.raises(ValueError, match="level"):
        gu.measure_gap(e, level=2)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=f"seed: .* got {seed}"):
            gu.measure_gap(e, seed=seed)
    for wrong in ("a", 1.5, True, torch.Generator()):
        with pytest.raises(TypeError, match="seed: expected an integer"):
            gu.measure_gap(e, seed=wrong)  # type: ignore[call-overload]


def test_any_seed_of_a_generator_is_taken() -> None:
    assert not gu.measure_gap(gaussian(), seed=2**64 - 1).isna().any()


COSINES = [
    "matched_cosine",
    "unmatched_cosine",
    "rmg_schrodi",
    "rmg_few_dims",
    "neighborhood_kendall",
]


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_a_cosine_of_a_zero_row_is_not_defined_and_an_error_by_name(side: str) -> None:
    e = gaussian()
    getattr(e, side)[2] = 0
    measured = gu.measure_gap(e)
    assert list(measured.index[measured.isna()]) == COSINES
    for name in COSINES:
        with pytest.raises(ValueError, match=f"{side}: expected rows of norm above zero"):
            gu.measure_gap(e, [name])


def test_orders_of_neighbors_need_directions_of_the_items_asked_for_alone() -> None:
    e = gaussian(n=30, m=20, paired=False)
    assert e.targets is not None
    e.targets[e.targets == 7] = 8
    e.gallery[7] = 0
    ordered = gu.measure_gap(e)["neighborhood_kendall"]
    assert ordered == gu.measure_gap(e, ["neighborhood_kendall"])["neighborhood_kendall"]
    assert not math.isnan(ordered)


def test_neighbors_among_two_are_not_defined_and_an_error_by_name() -> None:
    e = gu.Embeddings(np.eye(4)[[0, 0, 1, 1]], np.eye(4), [0, 1, 0, 1])
    names = ["neighborhood_kendall", "intrinsic_dimension_queries"]
    assert gu.measure_gap(e)[names].isna().all()
    assert not math.isnan(gu.measure_gap(e)["intrinsic_dimension_gallery"])
    with pytest.raises(ValueError, match="targets: expected at least 3 different items, got 2"):
        gu.measure_gap(e, names[:1])
    with pytest.raises(ValueError, match="embeddings: expected at least 3 different rows, got 2"):
        gu.measure_gap(e, names[1:])


@pytest.mark.parametrize("rows", range(2, 8))
def test_what_half_of_the_rows_do_not_allow_has_no_interval(rows: int) -> None:
    e = gaussian(n=rows, m=rows)
    frame = gu.measure_gap(e, bootstrap=4)
    assert not frame.isna().to_numpy().any()
    left_out = [name for name, measure in MEASURES.items() if measure.rows > rows // 2]
    assert list(frame.index) == [name for name in MEASURES if name not in left_out]
    for name in left_out:
        with pytest.raises(ValueError, match=f"{name} needs .* rows in half of a side"):
            gu.measure_gap(e, [name], bootstrap=4)


def test_too_few_rows_are_counted_as_they_are() -> None:
    with pytest.raises(
        ValueError, match="intrinsic_dimension_queries needs at least 3 rows a side"
    ):
        gu.measure_gap(gaussian(n=2, m=2), ["intrinsic_dimension_queries"])


def test_a_shared_gallery_is_not_halved() -> None:
    frame = gu.measure_gap(gaussian(n=7, m=3, paired=False), bootstrap=4)
    assert "intrinsic_dimension_gallery" in frame.index


def test_one_row_has_no_half() -> None:
    with pytest.raises(ValueError, match="bootstrap: expected 2 rows a side"):
        gu.measure_gap(gaussian(n=1, m=1), bootstrap=4)


def test_the_sample_keeps_every_query_with_its_answer() -> None:
    e = gaussian(n=300, m=100, paired=False)
    few = _sample(e, 40, seed=0)
    assert len(few.queries) == len(few.gallery) == 40
    assert few.targets is not None
    assert e.targets is not None
    for query, target in zip(few.queries, few.targets, strict=True):
        row = int((e.queries == query).all(1).nonzero())
        torch.testing.assert_close(few.gallery[target], e.gallery[e.targets[row]])


def test_sampled_measures_are_close_to_those_of_all_rows() -> None:
    e = gaussian(n=900, m=900)
    names = ["matched_cosine", "l2i", "uniformity_queries", "gap_norm"]
    difference = gu.measure_gap(e, names) - gu.measure_gap(e, names, max_rows=400)
    assert difference["gap_norm"] == 0
    assert (difference.abs() < 0.15).all()
    assert (difference.drop("gap_norm") != 0).all()


def test_bootstrap_interval_has_the_width_of_theory_and_covers() -> None:
    """One coordinate varies: the first, with mean 6 apart; the other five are 5 apart, fixed."""
    truth, hits, widths = math.hypot(6.0, *([5.0] * 5)), 0, []
    for seed in range(60):
        e = gaussian(n=100, m=100, seed=seed)
        first = torch.eye(6)[0]
        e = gu.Embeddings(e.queries * first, (e.gallery - 5) * first - 5 * (1 - first))
        frame = gu.measure_gap(e, ["gap_norm"], bootstrap=60, level=0.9, seed=seed)
        low, high = frame.loc["gap_norm", ["low", "high"]]
        hits += low <= truth <= high
        widths.append(high - low)
    theory = 2 * 1.645 * (6 / truth) * math.sqrt(2 / 100)
    assert np.mean(widths) == pytest.approx(theory, rel=0.15)
    assert hits >= 60 * 0.9 - 4 * math.sqrt(60 * 0.9 * 0.1)


@pytest.mark.parametrize("n", [60, 90, 240])
def test_an_interval_of_some_rows_is_as_wide_as_their_error(n: int) -> None:
    """Whatever is left of the whole: the error of the value, over data drawn anew."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(60):
        x = rng.normal(size=(n, 4))
        e = gu.Embeddings(x, x + rng.normal(size=(n, 4)) + 0.3)
        frame = gu.measure_gap(e, ["matched_cosine"], bootstrap=40, max_rows=60, seed=seed)
        found.append(frame.loc["matched_cosine"])
    table = pd.DataFrame(found)
    told = ((table["high"] - table["low"]) / 2 / 1.96).mean()
    assert told == pytest.approx(table["value"].std(), rel=0.25)


def test_half_of_the_rows_that_are_measured_must_allow_a_measure() -> None:
    names = gu.measure_gap(gaussian(n=50, m=50), bootstrap=3, max_rows=3).index
    assert "gap_norm" in names
    assert "unmatched_cosine" not in names
    assert "effective_rank_queries" in names


def test_bootstrap_is_reproducible_and_contains_the_value() -> None:
    e = gaussian(n=40, m=10, paired=False)
    names = ["gap_norm", "uniformity_gallery", "matched_cosine"]
    first = gu.measure_gap(e, names, bootstrap=20, seed=3)
    pd.testing.assert_frame_equal(first, gu.measure_gap(e, names, bootstrap=20, seed=3))
    assert (first["low"] <= first["value"] + 1e-12).all()
    assert (first["value"] <= first["high"] + 1e-12).all()
    width = first["high"] - first["low"]
    assert width["uniformity_gallery"] == pytest.approx(0, abs=1e-12)
    assert (width.drop("uniformity_gallery") > 0.01).all()


def test_published_clip_has_the_known_figures(published) -> None:
    measured = gu.measure_gap(
        published("liang2022-clip-coco"),
        [
            "gap_norm",
            "gap_separability",
            "variance_share_gap_queries",
            "variance_share_gap_gallery",
        ],
    )
    assert measured["gap_norm"] == pytest.approx(0.851, abs=5e-4)
    assert measured["gap_separability"] == 1
    assert measured["variance_share_gap_queries"] == pytest.approx(0.005, abs=5e-4)
    assert measured["variance_share_gap_gallery"] == pytest.approx(0.007, abs=5e-4)
