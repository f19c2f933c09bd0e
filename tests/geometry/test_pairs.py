"""Which rows the table of measures looks at: its samples, and the halves of its intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.geometry import catalogue, pairs
from gaputils.geometry import measure as table


def numbered(n: int, m: int) -> gu.Embeddings:
    """Unpaired rows that say where they stand: query i is (i, 1), item j is (j, -1)."""
    queries = np.stack([np.arange(n), np.ones(n)], axis=1)
    items = np.stack([np.arange(m), -np.ones(m)], axis=1)
    e = gu.Embeddings(queries, items, np.zeros(n, dtype=int))
    e.targets = None
    return e


def asked(n: int, m: int, targets: list[int] | None = None) -> gu.Embeddings:
    """The same rows with an answer for each query, or in pairs."""
    e = numbered(n, m)
    return gu.Embeddings(e.queries, e.gallery, targets, {"model": "rows"})


def places(rows: torch.Tensor) -> list[int]:
    return rows[:, 0].long().tolist()


def draw(n: int, size: int, generator: torch.Generator) -> list[int]:
    return sorted(torch.randperm(n, generator=generator)[:size].tolist())


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("limit", [7, 8])
def test_what_fits_is_not_sampled(limit: int) -> None:
    for e in (numbered(7, 5), numbered(5, 7), asked(7, 7)):
        assert table._sample(e, limit, 0) is e


def test_pairs_are_sampled_together() -> None:
    few = table._sample(asked(9, 9), 4, seed=3)
    assert places(few.queries) == places(few.gallery) == draw(9, 4, seeded(3))
    assert few.paired
    assert few.info == {"model": "rows"}


def test_sides_without_answers_are_sampled_apart() -> None:
    few = table._sample(numbered(9, 12), 4, seed=3)
    generator = seeded(3)
    assert places(few.queries) == draw(9, 4, generator)
    assert places(few.gallery) == draw(12, 4, generator)
    assert few.targets is None
    short = table._sample(numbered(3, 12), 4, seed=3)
    assert places(short.queries) == [0, 1, 2]
    assert places(short.gallery) == draw(12, 4, seeded(3))


def test_a_sample_holds_the_answers_and_fills_up_with_others() -> None:
    targets = [5, 1, 5, 5, 1, 5]
    few = table._sample(asked(6, 40, targets), 7, seed=1)
    items = places(few.gallery)
    assert places(few.queries) == list(range(6))
    assert len(set(items)) == len(items) == 7
    assert {1, 5} < set(items)
    assert items == sorted(items)
    assert few.targets is not None
    assert [items[t] for t in few.targets] == targets
    assert few.info == {"model": "rows"}


def test_a_sample_follows_its_seed() -> None:
    e = asked(6, 40, [5, 1, 5, 5, 1, 5])
    first, again, other = (places(table._sample(e, 9, seed).gallery) for seed in (1, 1, 2))
    assert first == again != other


def test_an_interval_follows_its_seed_and_its_temperature() -> None:
    rng = np.random.default_rng(4)
    e = gu.Embeddings(rng.normal(size=(24, 3)) + 0.3, rng.normal(size=(24, 3)))
    names = ["double_stochastic_deviation", "linear_separability", "variance_share_random_queries"]
    how = {"bootstrap": 4, "tau": 0.5}
    first, again = (gu.measure_gap(e, names, seed=3, **how) for _ in range(2))
    assert np.isfinite(first.to_numpy()).all()
    pd.testing.assert_frame_equal(first, again)
    cold = gu.measure_gap(e, names[:1], bootstrap=4, tau=0.01, seed=3)
    width = first["high"] - first["low"]
    assert (cold["high"] - cold["low"])[names[0]] != width[names[0]]


def test_answers_are_kept_though_they_are_as_many_as_the_limit() -> None:
    few = table._sample(asked(4, 6, [0, 2, 3, 5]), 4, seed=1)
    assert places(few.gallery) == [0, 2, 3, 5]
    assert few.targets is not None
    assert few.targets.tolist() == [0, 1, 2, 3]


def test_half_of_the_pairs_of_the_queries_or_of_each_side() -> None:
    rows = draw(9, 4, seeded(2))
    pairs_ = table._half(asked(9, 9), seeded(2))
    assert places(pairs_.queries) == places(pairs_.gallery) == rows
    assert pairs_.paired
    assert pairs_.info == {"model": "rows"}

    targets = [2, 0, 1, 2, 0, 1, 2, 0, 1]
    shared = table._half(asked(9, 3, targets), seeded(2))
    assert places(shared.queries) == rows
    assert places(shared.gallery) == [0, 1, 2]
    assert shared.targets is not None
    assert shared.targets.tolist() == [targets[row] for row in rows]
    assert shared.info == {"model": "rows"}

    generator = seeded(2)
    apart = table._half(numbered(9, 7), generator)
    generator.manual_seed(2)
    assert places(apart.queries) == draw(9, 4, generator)
    assert places(apart.gallery) == draw(7, 3, generator)
    assert apart.targets is None


def test_an_interval_is_the_spread_of_halves_about_their_mean() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(21, 3)) + 1, rng.normal(size=(21, 3))
    names = ["l2i", "gap_norm"]
    frame = gu.measure_gap(gu.Embeddings(x, y), names, bootstrap=12, level=0.8, seed=5)
    generator, halves = seeded(5), []
    for _ in range(12):
        rows = draw(21, 10, generator)
        gap = x[rows] - y[rows]
        halves.append([np.linalg.norm(gap, axis=1).mean(), np.linalg.norm(gap.mean(0))])
    value = [np.linalg.norm(x - y, axis=1).mean(), np.linalg.norm((x - y).mean(0))]
    low, high = np.quantile(halves - np.mean(halves, axis=0), [0.1, 0.9], axis=0)
    expected = pd.DataFrame({"value": value, "low": value + low, "high": value + high}, names)
    pd.testing.assert_frame_equal(frame, expected)


def test_the_usual_interval_holds_95_percent_and_two_draws_are_enough() -> None:
    rng = np.random.default_rng(4)
    e = gu.Embeddings(rng.normal(size=(12, 3)), rng.normal(size=(12, 3)))
    usual, written = (
        gu.measure_gap(e, ["gap_norm"], bootstrap=2, **given) for given in ({}, {"level": 0.95})
    )
    pd.testing.assert_frame_equal(usual, written)


def test_measures_of_few_rows_are_those_of_the_sample_drawn_with_the_seed() -> None:
    rng = np.random.default_rng(0)
    e = gu.Embeddings(rng.normal(size=(60, 4)) + 0.4, rng.normal(size=(60, 4)))
    few = table._sample(e, 30, seed=7)
    geo = gu.geometry
    expected = {
        "uniformity_queries": geo.uniformity(few.queries),
        "intrinsic_dimension_gallery": geo.intrinsic_dimension(few.gallery),
        "linear_separability": geo.linear_separability(few.queries, few.gallery, seed=7),
        "gap_separability": geo.gap_separability(few.queries, few.gallery, seed=7),
        "double_stochastic_deviation": geo.double_stochastic_deviation(
            few.queries, few.gallery, 0.5
        ),
        "effective_rank_queries": geo.effective_rank(e.queries),
        "variance_gallery": float(e.gallery.double().var(0, correction=0).sum()),
    }
    measured = gu.measure_gap(e, list(expected), max_rows=30, seed=7, tau=0.5)
    pd.testing.assert_series_equal(measured, pd.Series(expected, name="value"))


def test_usual_temperature_and_sample() -> None:
    rng = np.random.default_rng(0)
    e = gu.Embeddings(rng.normal(size=(1001, 4)), rng.normal(size=(1001, 4)))
    names = ["double_stochastic_deviation", "l2i"]
    usual = gu.measure_gap(e, names)
    pd.testing.assert_series_equal(usual, gu.measure_gap(e, names, tau=0.02, max_rows=1000))
    assert usual["l2i"] != pairs.l2i(e.queries, e.gallery)


def test_a_sample_of_three_is_the_smallest() -> None:
    e = asked(9, 9)
    assert len(gu.measure_gap(e, ["l2i"], max_rows=3)) == 1
    with pytest.raises(ValueError, match="max_rows"):
        gu.measure_gap(e, ["l2i"], max_rows=2)


def test_only_what_is_not_defined_is_nan() -> None:
    still = gu.Embeddings(np.eye(3)[[0] * 4], np.eye(3)[[0, 1, 2, 0]])
    measured = gu.measure_gap(still)
    for name in ("intrinsic_dimension_queries", "effective_rank_queries"):
        assert math.isnan(measured[name])
    for name in ("gap_norm", "intrinsic_dimension_gallery", "rmg_schrodi", "uniformity_gallery"):
        assert not math.isnan(measured[name])
    assert measured.dtype == float
    assert measured.name == "value"


def test_a_measure_says_how_many_rows_it_needs() -> None:
    e = asked(2, 2)
    assert "neighborhood_kendall" not in gu.measure_gap(e)
    assert "rmg_schrodi" in gu.measure_gap(e)
    with pytest.raises(ValueError, match="neighborhood_kendall needs targets and at least 3 rows"):
        gu.measure_gap(e, ["neighborhood_kendall"])
    with pytest.raises(ValueError, match="measures: intrinsic_dimension_queries needs at least 3"):
        gu.measure_gap(e, ["intrinsic_dimension_queries"])


def test_a_description_has_a_meaning_and_a_source() -> None:
    described = gu.describe_measures()
    assert list(described.columns) == ["meaning", "source"]
    assert described.loc["l2i"].tolist() == [
        "mean distance of matched pairs",
        "Schrodi et al. 2025",
    ]
    for side in ("queries", "gallery"):
        assert described.loc[f"variance_{side}", "meaning"] == f"{side}: total variance"


def test_a_measure_of_one_side_is_two_rows_of_the_catalogue() -> None:
    sample = catalogue.Sample(torch.tensor(1.0), torch.tensor(2.0), None, 0.1, 0)
    rows = catalogue._sides("size", "how large", "here", compute=float, rows=3)
    assert list(rows) == ["size_queries", "size_gallery"]
    assert [row.meaning for row in rows.values()] == ["queries: how large", "gallery: how large"]
    assert [row.source for row in rows.values()] == ["here", "here"]
    assert [row.rows for row in rows.values()] == [3, 3]
    assert [row.compute and row.compute(sample) for row in rows.values()] == [1, 2]
    of_moments = catalogue._sides("size", "how large", "here")
    assert [(row.compute, row.rows) for row in of_moments.values()] == [(None, 2), (None, 2)]


def test_a_measure_of_pairs_gets_both_sides_and_the_answers() -> None:
    sample = catalogue.Sample(torch.ones(2), torch.zeros(3), torch.tensor([2, 0]), 0.1, 0)
    row = catalogue._of_pairs("how alike", "here", lambda *sides: sides, rows=1)
    assert (row.meaning, row.source, row.pairs, row.rows) == ("how alike", "here", True, 1)
    assert row.compute is not None
    assert row.compute(sample) == (sample.queries, sample.gallery, sample.targets)
