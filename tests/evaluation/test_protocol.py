"""Answerable blocks, and paired errors over queries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gaputils as gu
from gaputils.evaluation.protocol import (
    answerable_blocks,
    bootstrap_means,
    mean_and_error,
    mean_over_groups,
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


def test_the_bootstrap_error_is_that_of_a_mean_and_seeded() -> None:
    values = np.random.default_rng(0).standard_normal((400, 2))
    means = bootstrap_means(values, 2000, seed=3)
    np.testing.assert_allclose(means.std(0), values.std(0) / 20, rtol=0.08)
    np.testing.assert_array_equal(means, bootstrap_means(values, 2000, seed=3))
    assert (means != bootstrap_means(values, 2000, seed=4)).any()


def test_the_error_of_a_mean_is_its_spread_over_the_root_of_their_number() -> None:
    values = np.random.default_rng(0).normal(2, 3, size=500)
    mean, error = mean_and_error(values, resamples=20_000)
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std() / np.sqrt(500), rel=0.03)


def test_a_paired_gain_has_no_error_where_every_query_gains_alike() -> None:
    before = np.random.default_rng(1).random(50)
    gain, error = paired_gain(before + 0.25, before)
    assert gain == pytest.approx(0.25)
    assert error == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match=r"baseline: expected shape \(50,\) as values, got \(49,"):
        paired_gain(before, before[1:])


def test_a_mean_is_as_sure_as_its_groups_are_many() -> None:
    values = pd.Series([0.1, 0.1, 0.3, 0.3])
    apart, together = (
        mean_over_groups(values, pd.Series(list(models))) for models in ("abcd", "aabb")
    )
    assert apart[0] == together[0] == pytest.approx(0.2)
    assert apart[1] == pytest.approx(0.1 / 2, rel=0.1)
    assert together[1] == pytest.approx(0.1 / 2**0.5, rel=0.1)
