"""Nearest-neighbour normalisation beside the published package, and what it does to hubs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from closing.helpers import sides
from gaputils import closing
from gaputils.scoring import cost, nearest


@pytest.mark.parametrize(("k", "weight"), [(1, 0.5), (5, 0.75), (20, 1.0)])
def test_nnn_equals_nnn_retrieval(k, weight, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nnn = pytest.importorskip("nnn")
        queries, gallery = (values.float() for values in sides(40, 30))
        ranker = nnn.NNNRanker(
            nnn.NNNRetriever(12), gallery.numpy(), queries.numpy(), k, 16, weight
        )
        scores, indices = ranker.search(queries.numpy(), 30)
    capsys.readouterr()
    method = closing.NearestNeighborNormalization(k=k, weight=weight)
    moved = method.fit_transform(queries, gallery)
    ours = -cost(*moved, "inner-product")
    best = ours.topk(30, dim=1)
    np.testing.assert_allclose(best.values.numpy(), scores, atol=2e-6)
    rows = np.arange(40)[:, None]
    np.testing.assert_allclose(ours.numpy()[rows, indices], scores, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 20), k=st.integers(1, 60))
def test_nnn_ranks_alike_under_the_three_scorings(seed, m, k):
    queries, gallery = sides(25, m, 12, seed)
    moved = closing.NearestNeighborNormalization(k=k, weight=0.8).fit_transform(queries, gallery)
    norms = moved[1].norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand(m))
    order = [cost(*moved, scoring) for scoring in ("inner-product", "cosine", "euclidean")]
    product = order[0]
    torch.testing.assert_close(order[1] * norms[0], product, atol=1e-9, rtol=0)
    torch.testing.assert_close(
        order[2], moved[0].square().sum(1, keepdim=True) + norms[0] ** 2 + 2 * product
    )


def test_nnn_without_weight_is_the_plain_ranking():
    queries, gallery = sides()
    moved = closing.NearestNeighborNormalization(k=5, weight=0.0).fit_transform(queries, gallery)
    assert torch.equal(nearest(*moved), nearest(queries, gallery))


def test_nnn_lowers_a_hub():
    queries, gallery = sides(60, 10)
    hub = F.normalize(queries.mean(0, keepdim=True), dim=1)
    gallery = torch.cat([gallery, hub])
    before = float((nearest(queries, gallery) == 10).double().mean())
    method = closing.NearestNeighborNormalization(k=60, weight=1.0)
    after = float((nearest(*method.fit_transform(queries, gallery)) == 10).double().mean())
    assert after < before
