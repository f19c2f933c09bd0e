"""faiss indexes of closed embeddings: rankings, memory, and that compression hurts less."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.noise.perturbations import ScalarQuantization
from gaputils.pages import vector_index


def sides(n: int = 60, m: int = 24, d: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    gallery = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(m, d))) + 0.7)
    queries = gallery[torch.arange(n) % m] + 0.12 * torch.tensor(rng.normal(size=(n, d)))
    return torch.nn.functional.normalize(queries - 0.15), gallery


def test_every_representation_keeps_the_ranking_under_both_metrics() -> None:
    queries, gallery = sides()
    truth = torch.cdist(queries, gallery).argsort(dim=1)[:, :10]
    every = vector_index.representations(queries, gallery)
    for name, (x, y) in every.items():
        assert torch.equal(torch.cdist(x, y).argsort(dim=1)[:, :10], truth), name
        if name in ("hull projection, scaled", "hull coordinates", "hull projection"):
            assert torch.equal((x @ y.T).argsort(dim=1, descending=True)[:, :10], truth), name
    assert every["hull coordinates"][1].shape == (24, 23)
    assert torch.equal(every["hull projection, scaled"][1], gallery)


def test_flat_is_exact_and_compression_is_as_large_as_it_says() -> None:
    queries, gallery = sides()
    frame = vector_index.compare_indexes(vector_index.representations(queries, gallery))
    assert len(frame) == 5 * 2 * 5
    flat = frame[frame["index"] == "flat"]
    assert (flat["recall@1"] == 1).all()
    assert (flat["recall@10"] > 0.999).all()
    size = frame[frame.vectors == "original"].set_index(["metric", "index"])["bytes"]["l2"]
    assert size.to_dict() == {"flat": 256, "SQ8": 64, "SQ6": 48, "SQ4": 32, "PQ": 4}
    assert (frame.microseconds > 0).all()
    l2 = frame[(frame.metric == "l2") & (frame["index"] == "SQ4")].set_index("vectors")["recall@1"]
    assert l2["original"] <= l2["mean shift"] <= l2["hull projection, scaled"]


def test_recall_by_decoding_the_codes() -> None:
    queries, gallery = sides()
    truth = torch.cdist(queries, gallery).argsort(dim=1)[:, :3]
    index = vector_index.build(gallery, "SQ4", "l2")
    decoded = torch.tensor(index.reconstruct_n(0, len(gallery))).double()
    found = vector_index.measure_index(queries, gallery, truth, "SQ4", "l2", rounds=1)
    best = torch.cdist(queries, decoded).argsort(dim=1)[:, :3]
    assert found["recall@1"] == pytest.approx(float((best[:, 0] == truth[:, 0]).double().mean()))
    shared = [len(set(a.tolist()) & set(b.tolist())) / 3 for a, b in zip(best, truth, strict=True)]
    assert found["recall@3"] == pytest.approx(np.mean(shared))
    ours = ScalarQuantization(4).quantize(gallery)
    assert (
        float((ours - decoded).abs().max()) < float((gallery.amax(0) - gallery.amin(0)).max()) / 15
    )


def test_bad_arguments() -> None:
    _, gallery = sides()
    with pytest.raises(ValueError, match=r"kind: expected one of flat, .* got 'HNSW'"):
        vector_index.build(gallery, "HNSW", "l2")
    with pytest.raises(ValueError, match=r"metric: expected one of l2, .* got 'cosine'"):
        vector_index.build(gallery, "flat", "cosine")
    few = gallery[:, :8]
    with pytest.raises(ValueError, match="normalise the rows first"):
        vector_index.representations(few, few * torch.arange(1, 25)[:, None])
    assert gu.HullProjection().preserves_ranking
