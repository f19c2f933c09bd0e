"""Configurations of the pages: each differs from its plain copy in the one thing it is made for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaputils.pages.relative_alignment import descent, paired_lines, shifted_pairs


@pytest.mark.parametrize("aligned", [True, False])
def test_lines(aligned: bool) -> None:
    x, y = paired_lines(4, gap=0.25, aligned=aligned)
    heights = torch.arange(4.0, dtype=torch.float64)
    pairs = heights if aligned else torch.tensor([3.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    zero = torch.zeros_like(heights)
    assert torch.equal(x, torch.stack([zero, heights], 1))
    assert torch.equal(y, torch.stack([zero + 0.25, pairs], 1))


def test_lines_are_aligned_and_apart_across_unless_asked_otherwise() -> None:
    plain = paired_lines(3, gap=1.0)
    told = paired_lines(3, gap=1.0, aligned=True)
    assert all(torch.equal(*sides) for sides in zip(plain, told, strict=True))


@pytest.mark.parametrize("gap", [1, 0.1])
def test_lines_are_in_double_precision(gap: float) -> None:
    x, y = paired_lines(3, gap=gap)
    assert x.dtype == y.dtype == torch.float64
    assert y[0, 0].item() == gap


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6), st.floats(-3, 3), st.booleans())
def test_copies_without_misalignment_are_the_points_shifted(
    seed: int, d: int, gap: float, across: bool
) -> None:
    how = {"gap": gap, "misalignment": 0, "across": across, "seed": seed}
    x, y = shifted_pairs(2, 5, d, **how)
    step = torch.zeros(d, dtype=torch.float64)
    step[d - 1 if across else 0] = gap
    torch.testing.assert_close(y, x + step)
    assert x.dtype == y.dtype == torch.float64
    assert (x[..., -1] == 0).all()


def test_misalignment_is_the_disturbance_of_each_coordinate_but_the_last() -> None:
    x, y = shifted_pairs(3, 4000, 4, gap=2.0, misalignment=0.3, seed=3)
    assert x.shape == y.shape == (3, 4000, 4)
    off = y - x
    assert (off[..., -1] == 2.0).all()
    assert x[..., :-1].std().item() == pytest.approx(1, abs=0.03)
    for run in off[..., :-1]:
        assert run.std(0).tolist() == pytest.approx([0.3] * 3, abs=0.02)
        assert torch.corrcoef(run.T).fill_diagonal_(0).abs().max() < 0.08
    assert not torch.equal(x[0], x[1])


def test_copies_are_shifted_across_unless_asked_otherwise() -> None:
    plain = shifted_pairs(1, 3, 4, gap=1.0, misalignment=0.2)
    told = shifted_pairs(1, 3, 4, gap=1.0, misalignment=0.2, across=True)
    assert all(torch.equal(*sides) for sides in zip(plain, told, strict=True))


def test_disturbances_of_one_seed_are_scaled_alike() -> None:
    """So that cells of a scan differ only in what is scanned."""
    x, small = shifted_pairs(2, 6, 3, gap=0.0, misalignment=0.1)
    again, large = shifted_pairs(2, 6, 3, gap=0.0, misalignment=0.4)
    assert torch.equal(x, again)
    torch.testing.assert_close(large - x, 4 * (small - x))


def test_descent_keeps_the_gap_inside_and_takes_the_variance_along_it() -> None:
    table = descent(runs=3, n=32, d=16, gap=8.0, misalignment=1.0, tau=1.0, lr=0.5, steps=300)
    ends = table[table["step"].isin([0, 300])].pivot_table(
        index=["direction", "run"], columns="step", values=["gap", "variance_along_gap"]
    )
    assert list(ends.index.levels[0]) == ["across", "inside"]
    assert len(ends) == 6
    kept = ends["gap"][300] / ends["gap"][0]
    assert kept["across"].min() > 0.98
    assert kept["inside"].min() > 0.9
    variance = ends["variance_along_gap"]
    assert variance[0]["across"].max() < 0.1 * variance[0]["inside"].min()
    assert (variance[300]["inside"] < 0.5 * variance[0]["inside"]).all()
