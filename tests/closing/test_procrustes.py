"""The rotation beside SciPy's, and what it needs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

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
