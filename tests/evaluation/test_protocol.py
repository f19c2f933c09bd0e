"""Answerable blocks, doubles made one, and paired errors over queries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gaputils as gu
from gaputils.evaluation.protocol import (
    answerable_blocks,
    bootstrap_means,
    correlation,
    distinct_items,
    paired_gain,
)


def pairs(rows: int, dim: int = 5, seed: int = 0) -> gu.Embeddings:
    generator = torch.Generator().manual_seed(seed)
    sides = torch.randn(2, rows, dim, generator=generator, dtype=torch.float64)
    return gu.Embeddings(sides[0], sides[1], info={"model": "m"})


@given(rows=st.integers(2, 40), size=st.integers(2, 50))
def test_blocks_are_disjoint_whole_and_in_order(rows: int, size: int) -> None:
    e = pairs(rows)
    blocks = answerable_blocks(e, size)
    step = min(size, rows)
    assert [len(block.queries) for block in blocks] == [step] * (rows // step)
    together = torch.cat([block.gallery for block in blocks])
    assert torch.equal(together, e.gallery[: len(together)])
    assert all(block.paired and block.info == e.info for block in blocks)


def test_blocks_need_pairs() -> None:
    e = gu.Embeddings(torch.eye(3), torch.eye(3), info={"paired": False})
    with pytest.raises(ValueError, match="target"):
        answerable_blocks(e, 2)
    with pytest.raises(ValueError, match="size: expected an integer of at least 2"):
        answerable_blocks(pairs(4), 1)


@given(copies=st.lists(st.integers(0, 5), min_size=2, max_size=12), seed=st.integers(0, 20))
def test_doubles_are_one_item_that_answers_for_all(copies: list[int], seed: int) -> None:
    e = pairs(6, seed=seed)
    double = gu.Embeddings(e.queries[: len(copies)].repeat(2, 1)[: len(copies)], e.gallery[copies])
    one = distinct_items(double)
    assert len(one.gallery) == len(set(copies))
    assert torch.equal(one.gallery[one.targets], double.gallery)


def test_an_item_and_its_double_share_their_wins_and_one_item_has_them_all() -> None:
    noise = gu.GaussianNoise(0.1)
    gallery = torch.eye(4, dtype=torch.float64)[[0, 0, 1]]
    double = gu.Embeddings(gallery[:1], gallery, torch.tensor([0]))
    one = distinct_items(double)
    before = gu.robustness(double.queries, double.gallery, noise)
    after = gu.robustness(one.queries, one.gallery, noise)
    assert float(before) == pytest.approx(float(after) / 2, abs=1e-2)
    with pytest.raises(ValueError, match="embeddings: expected targets"):
        distinct_items(gu.Embeddings(gallery[:1], gallery))


def test_the_bootstrap_error_is_that_of_a_mean_and_seeded() -> None:
    values = np.random.default_rng(0).standard_normal((400, 2))
    means = bootstrap_means(values, 2000, seed=3)
    np.testing.assert_allclose(means.std(0), values.std(0) / 20, rtol=0.08)
    np.testing.assert_array_equal(means, bootstrap_means(values, 2000, seed=3))
    assert (means != bootstrap_means(values, 2000, seed=4)).any()


def test_a_paired_gain_has_no_error_where_every_query_gains_alike() -> None:
    before = np.random.default_rng(1).random(50)
    gain, error = paired_gain(before + 0.25, before)
    assert gain == pytest.approx(0.25)
    assert error == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match=r"baseline: expected shape \(50,\) as values, got \(49,"):
        paired_gain(before, before[1:])


@given(n=st.integers(4, 40), seed=st.integers(0, 30))
def test_correlation_is_pearsons_and_within_its_interval(n: int, seed: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, n))
    r, low, high = correlation(x, y + x, np.arange(n), resamples=200)
    assert r == pytest.approx(np.corrcoef(x, x + y)[0, 1], abs=1e-9)
    assert -1 - 1e-9 <= low <= high <= 1 + 1e-9


def test_points_of_one_group_are_no_independent_evidence() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 20))
    y = y + x
    twice = np.concatenate([x, x]), np.concatenate([y, y])
    alone = correlation(x, y, np.arange(20))
    grouped = correlation(*twice, np.tile(np.arange(20), 2))
    apart = correlation(*twice, np.arange(40))
    assert grouped == pytest.approx(alone, abs=1e-9)
    assert apart[2] - apart[1] < 0.85 * (alone[2] - alone[1])
