"""Blocks in which every query can be answered, and paired errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gaputils as gu
from gaputils.evaluation.protocol import bootstrap_means, paired_gain


@given(n=st.integers(1, 40), m=st.integers(2, 15), size=st.integers(2, 20), seed=st.integers(0, 99))
def test_blocks_are_disjoint_and_hold_each_query_with_its_item(
    n: int, m: int, size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.integers(m, size=n)
    queries = np.arange(n)[:, None] + np.zeros(3)
    gallery = np.arange(m)[:, None] + np.zeros(3)
    blocks = gu.answerable_blocks(gu.Embeddings(queries, gallery, targets), size)
    seen, items = [], []
    for block in blocks:
        assert len(block.gallery) == min(size, m)
        items += block.gallery[:, 0].tolist()
        for query, item in zip(block.queries[:, 0], block.targets, strict=True):
            assert block.gallery[item, 0] == targets[int(query)]
            seen.append(int(query))
    assert len(items) == len(set(items))
    step = min(size, m)
    answerable = [i for i in range(n) if targets[i] < m // step * step]
    assert sorted(seen) == answerable


def test_blocks_need_targets() -> None:
    with pytest.raises(ValueError, match="expected targets"):
        gu.answerable_blocks(gu.Embeddings(torch.eye(3), torch.eye(3)[:2]), 2)


def test_resamples_are_the_same_however_many_are_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=(30, 2))
    whole = bootstrap_means(values, 50, seed=3)
    monkeypatch.setattr("gaputils.evaluation.protocol._AT_ONCE", 70)
    np.testing.assert_allclose(bootstrap_means(values, 50, seed=3), whole, rtol=1e-12)
    np.testing.assert_allclose(
        bootstrap_means(values, 5000, seed=1).std(0), values.std(0) / 30**0.5, rtol=0.06
    )


def test_a_paired_gain_is_the_mean_difference_with_its_error() -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(size=200)
    after = before + 0.01 * rng.normal(size=200) + 0.1
    gain, error = paired_gain(after, before)
    assert gain == pytest.approx((after - before).mean())
    assert error == pytest.approx((after - before).std() / 200**0.5, rel=0.1)
    with pytest.raises(ValueError, match=r"baseline: expected shape \(200,\)"):
        paired_gain(after, before[:9])
