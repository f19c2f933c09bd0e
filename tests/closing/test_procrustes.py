"""The rotation beside SciPy's, and what it needs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closing.helpers import sides
from gaputils import closing

SYMMETRIES = [
    (closing.Procrustes(), "p", 1),
]


def test_procrustes_finds_scipys_rotation():
    queries, gallery = sides()
    x, y = (values.numpy() - values.numpy().mean(0) for values in (queries, gallery))
    expected, values_sum = scipy.linalg.orthogonal_procrustes(y, x)
    method = closing.Procrustes(scale=True).fit(queries, gallery)
    np.testing.assert_allclose(method.rotation_.numpy(), expected, atol=1e-10)
    assert method.scale_ == pytest.approx(values_sum / np.square(y).sum())


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), pairs=st.integers(1, 11))
def test_what_no_pair_tells_is_turned_as_little_as_can_be(seed: int, pairs: int) -> None:
    queries, gallery = sides(pairs, pairs, seed=seed)
    found = closing.Procrustes().fit(queries, gallery).rotation_.numpy()
    np.testing.assert_allclose(found @ found.T, np.eye(12), atol=1e-12)
    x, y = (values.numpy() - values.numpy().mean(0) for values in (queries, gallery))
    best, _ = scipy.linalg.orthogonal_procrustes(y, x)
    residual = np.linalg.norm(y @ best - x)
    np.testing.assert_allclose(np.linalg.norm(y @ found - x), residual, atol=1e-10)
    # Others that do as well: turned further where no pair is.
    free = scipy.linalg.null_space(x)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(free.shape[1],) * 2))[0]
    other = found + found @ free @ (turn - np.eye(len(turn))) @ free.T
    np.testing.assert_allclose(other @ other.T, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(y @ other - x), residual, atol=1e-10)
    assert np.linalg.norm(found - np.eye(12)) <= np.linalg.norm(other - np.eye(12)) + 1e-9


def test_pairs_that_agree_turn_nothing() -> None:
    queries, _ = sides(5, 5)
    np.testing.assert_allclose(
        closing.Procrustes().fit(queries, queries).rotation_, np.eye(12), atol=1e-12
    )


def test_procrustes_recovers_a_turned_and_moved_copy():
    queries, _ = sides()
    turn = torch.linalg.qr(
        torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ).Q
    copy = 0.5 * (queries - 0.3) @ turn
    _, moved = closing.Procrustes(scale=True).fit_transform(queries, copy)
    torch.testing.assert_close(moved, queries)


def test_procrustes_needs_pairs_and_then_takes_any_gallery():
    queries, gallery = sides(40, 10)
    with pytest.raises(ValueError, match="fitted on pairs, expected 40 rows"):
        closing.Procrustes().fit(queries, gallery)
    targets = torch.arange(40) % 10
    fitted = closing.Procrustes().fit(queries, gallery[targets])
    moved = fitted.transform(queries, gallery)[1]
    torch.testing.assert_close(torch.cdist(moved, moved), torch.cdist(gallery, gallery))
