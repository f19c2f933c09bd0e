"""Rows of a Gram matrix: its very products, in the dimension asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaputils.datasets._published_files import rows_of_gram


@given(n=st.integers(1, 12), own=st.integers(1, 8), more=st.integers(0, 5), seed=st.integers(0, 99))
def test_rows_have_the_products_of_those_behind_the_matrix(n, own, more, seed) -> None:
    rows = np.random.default_rng(seed).standard_normal((n, own))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = rows_of_gram(rows @ rows.T, own + more)
    assert found.shape == (n, own + more)
    np.testing.assert_allclose(found @ found.T, rows @ rows.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("gram", "dim", "reason"),
    [
        (np.eye(3), 2, "cosines of vectors in 2 dimensions"),
        (np.ones((2, 3)), 3, r"square matrix, got shape \(2, 3\)"),
        (np.full((2, 2), np.nan), 2, "finite square matrix"),
        (np.array([[1, 0.5], [0.2, 1]]), 2, "symmetric"),
        (2 * np.eye(2), 2, "ones on its diagonal"),
        (np.array([[1, 2], [2, 1.0]]), 2, "no negative eigenvalue, got -1"),
    ],
)
def test_what_is_no_matrix_of_cosines_is_refused(gram, dim, reason) -> None:
    with pytest.raises(ValueError, match=f"gram: expected .*{reason}"):
        rows_of_gram(gram, dim)


def test_rounding_of_single_precision_is_taken() -> None:
    rows = np.random.default_rng(0).standard_normal((30, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gram = (rows @ rows.T).astype(np.float32).astype(np.float64)
    found = rows_of_gram(gram, 5)
    np.testing.assert_allclose(found @ found.T, gram, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-14)
