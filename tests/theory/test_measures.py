"""What is read off two point sets, against NumPy a run and a point at a time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

import gaputils as gu

Array = npt.NDArray[np.float64]


def gap_reference(x: Array, y: Array) -> dict[str, float]:
    gap = y.mean(0) - x.mean(0)
    unit = gap / np.linalg.norm(gap)
    centred = [x - x.mean(0), y - y.mean(0)]
    along = [np.var(side @ unit) for side in centred]
    total = [np.trace(np.cov(side.T, bias=True).reshape(len(gap), -1)) for side in centred]
    cosines = [abs(row @ unit) / np.linalg.norm(row) for side in centred for row in side]
    distances = np.linalg.norm(x[:, None] - y[None], axis=2)
    own = np.arange(len(x))
    across = (np.mean(total) - np.mean(along)) / (len(gap) - 1) if len(gap) > 1 else 0
    return {
        "gap": float(np.linalg.norm(gap)),
        "cosine_with_gap": float(np.mean(cosines)),
        "variance_along_gap": float(np.mean(along)),
        "variance_across": float(across),
        "share_along_gap": float(np.mean(along) / np.mean(total)),
        "matched": float(
            np.mean([distances.argmin(1) == own, distances.argmin(0) == own], dtype=float)
        ),
    }


def training_reference(x: Array, y: Array, tau: float) -> dict[str, float]:
    squared = np.square(x[:, None] - y[None]).sum(2)
    rows, columns = softmax(-squared / tau, axis=1), softmax(-squared / tau, axis=0)
    n = len(x)
    own = np.arange(n)
    deviation = np.abs(np.concatenate([columns.sum(1), rows.sum(0)]) - 1)
    pull = rows + columns - 2 * np.eye(n)
    slopes = [
        2 / (tau * n) * sum(pull[i, j] * (y[j] - x[i]) for j in range(n)) for i in range(n)
    ] + [2 / (tau * n) * sum(pull[i, j] * (x[i] - y[j]) for i in range(n)) for j in range(n)]
    return {
        "loss": float(-np.log(rows[own, own]).mean() - np.log(columns[own, own]).mean()),
        "gradient_norm": math.sqrt(sum(float(slope @ slope) for slope in slopes)),
        "mass_deviation": float(deviation.mean()),
        "largest_mass_deviation": float(deviation.max()),
        **gap_reference(x, y),
    }


def points(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Paired points, some of whose pairs are nearest, a gap of about 1 apart."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return x, 0.8 * x + 0.7 * noise + 0.4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 9), st.integers(1, 6), st.sampled_from([0.3, 1.0, 4]))
def test_measures_of_one_run(seed: int, n: int, d: int, tau: float) -> None:
    x, y = points(n, d, seed=seed)
    found = gu.theory.training_measures(x, y, tau)
    expected = training_reference(x.numpy(), y.numpy(), tau)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].shape == ()
        assert float(found[name]) == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_measures_of_a_batch_are_those_of_each_run() -> None:
    x, y = points(2, 3, 7, 4)
    tau = torch.tensor([[0.3, 1.0, 2.0], [0.5, 0.7, 4.0]], dtype=torch.float64)
    found = gu.theory.training_measures(x, y, tau)
    without = gu.theory.gap_measures(x, y)
    for run in np.ndindex(2, 3):
        expected = training_reference(x[run].numpy(), y[run].numpy(), float(tau[run]))
        for name, value in expected.items():
            assert found[name].shape == (2, 3)
            assert float(found[name][run]) == pytest.approx(value, rel=1e-9, abs=1e-12), name
            if name in without:
                assert torch.equal(without[name], found[name])


def test_matching_counts_both_directions() -> None:
    x = torch.tensor([[0.0, 0.0], [4.0, 0.0], [8.0, 0.0]])
    y = torch.tensor([[1.0, 0.0], [1.5, 0.0], [1.9, 0.0]])
    there, back = torch.cdist(x, y).argmin(1), torch.cdist(x, y).argmin(0)
    assert (there.tolist(), back.tolist()) == ([0, 2, 2], [0, 0, 0])
    assert gu.theory.gap_measures(x, y)["matched"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_without_a_gap_or_a_spread_the_shares_are_zero() -> None:
    x, _ = points(5, 3)
    found = gu.theory.gap_measures(x, x)
    assert [float(found[name]) for name in ("gap", "cosine_with_gap", "share_along_gap")] == [0] * 3
    x, _ = points(300, 7)
    found = gu.theory.gap_measures(x, x.roll(1, dims=0))  # summed up in another order
    along = ("cosine_with_gap", "variance_along_gap", "share_along_gap")
    assert [float(found[name]) for name in along] == [0] * 3
    still = torch.zeros(5, 3)
    found = gu.theory.gap_measures(still, still + 1)
    assert float(found["gap"]) == pytest.approx(math.sqrt(3))
    for name in ("cosine_with_gap", "variance_along_gap", "variance_across", "share_along_gap"):
        assert float(found[name]) == 0


def test_dtype_is_that_of_the_points() -> None:
    x, y = (side.float() for side in points(5, 3))
    assert {value.dtype for value in gu.theory.training_measures(x, y, 0.5).values()} == {x.dtype}
