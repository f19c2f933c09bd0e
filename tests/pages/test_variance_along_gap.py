"""Scans that hold theorems against measurement."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from gaputils.pages import variance_along_gap as variance_page
from gaputils.pages.variance_along_gap import expansion_error, growth_along_gap


def test_expansion_error_is_that_of_the_two_gradients() -> None:
    table = expansion_error([0.01], runs=2, n=6, d=3, gap=1.0, tau=0.4)
    shape, _ = gu.theory.two_clusters(2, 12, 3, gap=0, spread=1, dtype=torch.float64)
    x, y = 0.01 * shape[:, :6], 0.01 * shape[:, 6:]
    y[..., 0] += 1.0
    off = gu.theory.gradient(x, y, 0.4) - gu.theory.tight_cluster_gradient(x, y, 0.4)
    remainder, exact = (v.norm(dim=(-2, -1)) for v in (off, gu.theory.gradient(x, y, 0.4)))
    assert table["remainder"].to_numpy() == pytest.approx(remainder.numpy(), rel=1e-9)
    assert table["relative"].to_numpy() == pytest.approx((remainder / exact).numpy(), rel=1e-9)


def test_growth_crosses_zero_where_the_squared_gap_is_the_temperature() -> None:
    table = growth_along_gap([0.5, 1.0, 2.0], runs=4, n=16, d=4, tau=0.2, lr=0.01, spread=1e-4)
    assert table["measured"].to_numpy() == pytest.approx(table["predicted"].to_numpy(), abs=0.02)
    assert table.groupby("ratio")["predicted"].first().to_numpy() == pytest.approx([0.5, 0, -1])


def test_growth_is_that_of_each_run_alone() -> None:
    """So tight that rounding in single precision would show, and with unlike runs."""
    how = {"n": 6, "d": 3, "spread": 1e-4, "dtype": torch.float64, "seed": 4}
    flow = {"tau": 0.2, "lr": 0.05}
    table = growth_along_gap([1.5], runs=3, n=6, d=3, spread=1e-4, seed=4, **flow)
    x, y = gu.theory.two_clusters(3, gap=(1.5 * 0.2) ** 0.5, **how)
    for run, measured in zip(range(3), table["measured"], strict=True):
        step = gu.theory.simulate(x[run], y[run], **flow, steps=1, record=2)
        gap = (y[run] - x[run]).mean(0)
        before, after = ((side - side.mean(0)) @ gap for side in step.x + step.y)
        factor = (before @ after) / (before @ before)
        assert measured == pytest.approx((factor.item() - 1) / (4 * 0.05 / (0.2 * 6)), rel=1e-6)


def test_closed_form_is_autograd_and_decay_is_foretold_step_by_step() -> None:
    error = variance_page.gradient_error((0.01, 0.3), (0.1, 1.0), runs=2, n=6, d=3, gap=1.0)
    assert 0 < error < 1e-10
    x, y = gu.theory.two_clusters(2, 6, 3, gap=1.0, spread=0.01, dtype=torch.float64)
    told = variance_page.predicted_decay(x, y, 0.2, 0.01, [0, 5])
    for row, steps in zip(told, (0, 5), strict=True):
        expected = gu.theory.predicted_variance_along_gap(x, y, 0.2, 0.01, steps)
        torch.testing.assert_close(row, expected)
    how = {"runs": 2, "n": 6, "d": 3, "tau": 0.2, "lr": 0.01}
    found = variance_page.growth_by_spread({"a": 0.01, "b": 0.1}, [0.5, 2.0], **how)
    for name, spread in (("a", 0.01), ("b", 0.1)):
        assert found[name].equals(growth_along_gap([0.5, 2.0], spread=spread, **how))


def test_along_and_across_are_medians_of_the_recorded_variances() -> None:
    flow = {"tau": 0.2, "lr": 0.05}
    found = variance_page.along_and_across(0.5, 40, runs=3, n=8, d=4, spread=1e-3, **flow)
    x, y = gu.theory.two_clusters(3, 8, 4, gap=0.1**0.5, spread=1e-3, dtype=torch.float64)
    run = gu.theory.simulate(x, y, steps=40, **flow)
    measures = gu.theory.gap_measures(run.x, run.y)
    along, across = measures["variance_along_gap"], measures["variance_across"]
    assert list(found.index) == list(run.steps)
    left, share = (along / along[0]).median(1).values, (along / across).median(1).values
    assert found["left"].to_numpy() == pytest.approx(left.numpy(), rel=1e-6)
    assert found["of_across"].to_numpy() == pytest.approx(share.numpy(), rel=1e-6)
