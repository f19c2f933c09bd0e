"""Clusters that are constant along a direction, and their identity."""

from __future__ import annotations

import pytest
import torch

from gaputils.pages import double_stochasticity as page


def test_clusters_are_constant_along_the_direction_and_apart_by_the_gap() -> None:
    v = page.random_direction(5, seed=1)
    assert v.norm().item() == pytest.approx(1)
    x, y = page.constant_along(v, runs=2, n=7, gap=0.8, spread=0.3)
    assert (x @ v).abs().max() < 1e-12
    torch.testing.assert_close(y @ v, torch.full((2, 7), 0.8, dtype=v.dtype))
    assert x.std() > 0.2


def test_identity_holds_there_and_not_elsewhere() -> None:
    v = page.random_direction(5)
    x, y = page.constant_along(v, runs=3, n=7, gap=0.8, spread=0.3)
    found = page.identity(x, y, 0.4, v)
    assert found["error"] < 1e-10
    assert found["mean"] < 1e-10
    assert 0 < found["low"] < 1 < found["high"]
    assert page.identity(x, y + torch.linspace(0, 1, 7)[:, None] * v, 0.4, v)["error"] > 1e-3


def test_both_spaces_start_from_the_same_clusters() -> None:
    table = page.both_spaces(runs=2, n=6, d=4, gap=1.0, spread=0.1, tau=0.3, lr=0.05, steps=5)
    first = table[table["step"] == 0].groupby("space")["gap"].median()
    assert first["free"] == pytest.approx(1.0, abs=0.1)
    assert set(table["space"]) == {"free", "sphere"}
    assert table.groupby(["space", "step"]).size().eq(2).all()
