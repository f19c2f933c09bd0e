"""The part of a large pair that is measured: what is drawn, kept and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gaputils as gu
from evaluation.helpers import two_sides
from gaputils.evaluation.sample import Sample


def test_a_large_pair_is_measured_on_a_sample_and_said_so(tmp_path: Path) -> None:
    e = two_sides(gap=4.0, n=300, m=40, d=8)
    sides = []
    for name, side in (("q", e.queries), ("g", e.gallery)):
        np.save(tmp_path / name, side.numpy().astype(np.float16))
        sides.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    found = gu.report((*sides, e.targets), rows=12, items=20)
    assert "Measured with 12 of 300 queries among 20 of 40 items." in found.verdict
    whole = gu.measure_gap(gu.Embeddings(*sides, e.targets), max_rows=12)
    for name in ("gap_norm", "variance_queries", "effective_rank_gallery"):
        assert found.measures[name] == pytest.approx(whole[name], rel=1e-6), "of all rows"


def test_the_sample_keeps_each_querys_right_item() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(90, 3)), rng.normal(size=(40, 3))
    targets = rng.integers(40, size=90)
    for rows, items in ((90, 40), (10, 15), (5, 2)):
        part = Sample.of((queries, gallery, targets), rows, items, seed=1).embeddings
        assert len(part.queries) == min(rows, 90)
        found = {tuple(row): i for i, row in enumerate(queries)}
        for query, target in zip(part.queries.numpy(), part.targets.numpy(), strict=True):
            expected = gallery[targets[found[tuple(query)]]]
            np.testing.assert_array_equal(part.gallery[target].numpy(), expected)
        assert len(part.gallery) == max(items, len(set(part.targets.tolist())))


def test_rows_are_drawn_with_the_seed() -> None:
    e = two_sides(gap=3.0)
    first, again, other = (gu.benefits(e, 0.3, rows=20, seed=s) for s in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_a_side_that_is_no_plain_tensor_is_named() -> None:
    sparse = torch.eye(3).to_sparse()
    with pytest.raises(TypeError, match=r"^gallery: .* got layout torch.sparse_coo"):
        Sample.of((np.eye(3), sparse), rows=2, items=2, seed=0)
