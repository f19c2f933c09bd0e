"""Embeddings to try things on."""

from __future__ import annotations

import sys

import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.pages import example
from gaputils.scoring import top_k

published = sys.modules["gaputils.datasets.published"]


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
    def unavailable(*_args) -> None:
        raise DataUnavailable("nothing is there")

    monkeypatch.setattr(published, "_pair", unavailable)
    asked = example.shipped()
    e = gu.datasets.published("liang2022-clip-coco", asked, rows=30, normalize=True)
    assert e.queries.shape == e.gallery.shape == (30, 256)
    assert e.info["title"].startswith("tiny-openmoji on OpenMoji (the published embeddings")
    assert e.info["missing"] == "nothing is there"
    assert e.targets.tolist() == list(range(30))
    torch.testing.assert_close(e.gallery.norm(dim=1), torch.ones(30).double())
    assert gu.zero_shot(e)["top1"] > 0.5


def test_what_is_missing_is_left_out_and_told(monkeypatch, capsys) -> None:
    made = gu.Embeddings(torch.eye(3), torch.eye(3))
    monkeypatch.setattr(example, "load_sets", lambda _: ({"a": made}, {"b": "b: no route"}))
    assert example.at_hand(["a", "b"]) == {"a": made}
    assert capsys.readouterr().out == "Left out here: b: no route\n"
