"""Cosine in few dimensions under strong noise, beside quadrature and each query alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.noise import _chi
from noise.crowds import BOUND, crowds, exact, reference, worst_error


@pytest.mark.parametrize(("dim", "length", "cosine"), [(9, 15, 0.3), (9, 40, 0.95), (2, 3, 0.5)])
def test_keeps_its_bound_for_many_items_where_no_root_is_normal(
    dim: int, length: float, cosine: float
) -> None:
    """Where windows of a fixed width would cut off what thousands of items make likely."""
    items = 1_000
    case = list(crowds(items, length, cosine, dim - 1))[2]
    assert case[1].min() + dim - 1 < _chi.enough(items)
    assert abs(exact(*case, dim - 1) - reference(*case, dim - 1)) < BOUND / 10


@pytest.mark.parametrize("items", [1_000, 20_000, pytest.param(50_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    ("dim", "length", "cosine"),
    [(2, 3, 0.5), (3, 0.3, -0.3), (9, 3, 0.3), (9, 15, 0.9), (24, 9, 0)],
)
def test_keeps_its_bound_in_few_dimensions_for_thousands_of_items(
    dim: int, length: float, cosine: float, items: int
) -> None:
    assert worst_error(dim, items, length, cosine) < BOUND


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_many_queries_in_few_dimensions_are_answered_as_each_alone(dim: int, spread: float) -> None:
    """All of them share one table of their law; a query and its two items have none."""
    rng = np.random.default_rng(dim)
    gallery = rng.normal(size=(60, dim))
    gallery *= rng.uniform(1 - spread, 1 + spread, size=(60, 1)) / np.linalg.norm(
        gallery, axis=1, keepdims=True
    )
    queries, noise = rng.normal(size=(300, dim)), gu.GaussianNoise(0.4)
    found = gu.robustness(queries, gallery, noise, scoring="cosine")
    alone = torch.cat(
        [gu.robustness(one[None], gallery, noise, scoring="cosine") for one in queries[:8]]
    )
    torch.testing.assert_close(found[:8], alone, atol=4e-5, rtol=0)
