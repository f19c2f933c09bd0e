"""Variance and covariance between two versions of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS, LedoitWolf

import gaputils as gu


def versions(m: int = 60, d: int = 8):
    rng = np.random.default_rng(0)
    before = rng.normal(size=(m, d))
    return before, before + rng.normal(size=(m, d)) * np.linspace(0.1, 1, d) + 0.3


def test_the_variance_is_that_of_the_gaussian_noise_that_changes_as_much() -> None:
    before = torch.zeros(20_000, 8, dtype=torch.float64)
    noise = gu.GaussianNoise(0.7)
    _, after = noise.apply(before, before, torch.Generator().manual_seed(0))
    assert gu.variance_between(before, after) == pytest.approx(0.7, rel=0.02)
    assert gu.variance_between(before, before) == 0


@pytest.mark.parametrize(("name", "estimator"), [("ledoit-wolf", LedoitWolf), ("oas", OAS)])
def test_the_covariance_is_scikit_learns_of_the_changes(name: str, estimator) -> None:
    before, after = versions()
    expected = estimator().fit(after - before).covariance_
    np.testing.assert_allclose(gu.covariance_between(before, after, name), expected)
    tensor = gu.covariance_between(torch.tensor(before), torch.tensor(after), name)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor, expected)


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_share_draws_the_covariance_towards_the_identity(share: float) -> None:
    before, after = versions()
    sample = np.cov((after - before).T, bias=True)
    level = np.trace(sample) / 8 * np.eye(8)
    found = gu.covariance_between(before, after, share)
    np.testing.assert_allclose(found, (1 - share) * sample + share * level)


def test_fewer_pairs_than_dimensions_still_give_a_noise_to_project_by() -> None:
    before, after = versions(5, 20)
    covariance = gu.covariance_between(before, after)
    assert np.linalg.eigvalsh(covariance).min() > 0
    gu.HullProjection(covariance=covariance).fit(before, before[:4])


@pytest.mark.parametrize(
    ("after", "shrinkage", "message"),
    [
        (np.zeros((3, 4)), 0.5, r"after: expected shape \(2, 4\) as before, got \(3, 4\)"),
        (np.ones((2, 4)), 0.5, "after: expected rows that change by different amounts"),
        (np.eye(2, 4), "lw", "shrinkage: expected one of ledoit-wolf, oas, got 'lw'"),
        (np.eye(2, 4), 0.0, "shrinkage: .* got 0.0"),
        (np.eye(2, 4), 1.5, "shrinkage: .* got 1.5"),
        (np.full((2, 4), np.nan), 0.5, "after: expected finite values"),
    ],
)
def test_what_gives_no_covariance_is_named(after, shrinkage, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        gu.covariance_between(np.zeros((2, 4)), after, shrinkage)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.1, 100.0])
def test_rows_that_change_alike_up_to_rounding_give_no_covariance(
    dtype: type, shift: float
) -> None:
    before = versions(200)[0].astype(dtype) * np.geomspace(1, 1e6, 8).astype(dtype)
    with pytest.raises(ValueError, match=r"^after: expected rows that change by different amounts"):
        gu.covariance_between(before, before + dtype(shift))
    other = before + dtype(shift)
    other[0, 0] += dtype(8 * np.finfo(dtype).eps * np.abs(other[:, 0]).max())
    assert np.isfinite(gu.covariance_between(before, other)).all()


@pytest.mark.parametrize("between", [gu.variance_between, gu.covariance_between])
def test_the_side_that_is_no_matrix_is_named(between) -> None:
    for name, sides in {"before": (None, np.eye(2)), "after": (np.eye(2), None)}.items():
        with pytest.raises(TypeError, match=f"^{name}: "):
            between(*sides)


def test_the_variance_is_that_of_the_change_wherever_the_rows_lie() -> None:
    before, after = versions()
    expected = np.square(after - before).sum() / len(before)
    assert gu.variance_between(before, after) == pytest.approx(expected)
    assert gu.variance_between(after, before) == pytest.approx(expected)


def test_rows_that_do_not_change_where_they_are_zero_give_no_covariance() -> None:
    rows = np.eye(3, 4)
    with pytest.raises(ValueError, match=r"^after: .* all change alike"):
        gu.covariance_between(rows, rows)


def test_one_pair_is_too_few() -> None:
    with pytest.raises(ValueError, match="before: expected at least 2 rows"):
        gu.covariance_between(np.zeros((1, 4)), np.ones((1, 4)))
