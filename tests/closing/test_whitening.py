"""Moments after whitening and CORAL, and CORAL beside its published product of roots."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch

from closing.helpers import sides
from gaputils import closing

SYMMETRIES = [
    (closing.Whitening(), "d", 0),
    (closing.Coral(), "p", 1),
]


def test_whitening_leaves_no_mean_and_the_identity():
    queries, gallery = sides(400, 300)
    moved = closing.Whitening(1e-9).fit_transform(queries, gallery)
    for values in moved:
        covariance = torch.cov(values.mT, correction=0)
        torch.testing.assert_close(covariance, torch.eye(12).double(), atol=1e-4, rtol=0)
        assert float(values.mean(0).abs().max()) < 1e-10


def test_coral_gives_the_gallery_the_queries_first_two_moments():
    queries, gallery = sides(400, 300)
    same, moved = closing.Coral(1e-9).fit_transform(queries, gallery)
    assert torch.equal(same, queries)
    torch.testing.assert_close(moved.mean(0), queries.mean(0))
    expected = torch.cov(queries.mT, correction=0)
    torch.testing.assert_close(torch.cov(moved.mT, correction=0), expected, atol=1e-7, rtol=1e-5)


def test_coral_is_the_published_product_of_roots():
    queries, gallery = sides(400, 300)
    method = closing.Coral(0.2).fit(queries, gallery)

    def regular(values: torch.Tensor) -> np.ndarray:
        covariance = np.cov(values.numpy().T, bias=True)
        return covariance + 0.2 * np.trace(covariance) / 12 * np.eye(12)

    root = scipy.linalg.sqrtm(regular(queries))
    expected = np.linalg.inv(scipy.linalg.sqrtm(regular(gallery))) @ root
    np.testing.assert_allclose(method.map_.numpy(), expected.real, atol=1e-8)
