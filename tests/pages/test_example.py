"""Embeddings to try things on."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.pages import example
from gaputils.scoring import top_k


def test_clusters_have_a_gap_and_each_query_an_item() -> None:
    queries, gallery = example.clusters(40, 10, 512)
    for side in (queries, gallery):
        torch.testing.assert_close(side.norm(dim=1), torch.ones(len(side)))
    assert 0.8 < float(gu.gap_vector(queries, gallery).norm()) < 1
    found = top_k(queries, gallery)[:, 0]
    assert float((found == torch.arange(40) % 10).double().mean()) > 0.6
    assert torch.equal(queries, example.clusters(40, 10, 512)[0])
    with pytest.raises(ValueError, match=r"items: .*got 0"):
        example.clusters(40, 0, 256)


def test_without_the_published_ones_the_shipped_model_is_asked(monkeypatch) -> None:
    def unavailable(name: str) -> gu.Embeddings:
        raise DataUnavailable(name)

    monkeypatch.setattr(example, "published", unavailable)
    e = example.example_embeddings(queries=30)
    assert e.queries.shape == e.gallery.shape == (30, 256)
    assert "OpenMoji" in e.info["title"]
    assert e.targets.tolist() == list(range(30))
    assert gu.zero_shot(e)["top1"] > 0.5
