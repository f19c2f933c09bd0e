"""The sweeps and scans of the pages."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu

BASE = {"n": 8, "d": 4, "tau": 0.3, "lr": 0.05, "gap": 1.0, "spread": 0.1, "steps": 6}


@pytest.mark.parametrize(
    ("name", "values"), [("gap", [0.2, 1.0]), ("tau", [0.1, 0.5]), ("d", [3, 6]), ("rank", [1, 3])]
)
@pytest.mark.parametrize("sphere", [False, True])
def test_sweep_is_each_value_alone(name: str, values: list[float], sphere: bool) -> None:
    settings = {key: value for key, value in BASE.items() if key != name} | {"sphere": sphere}
    table = gu.theory.sweep(name, values, runs=3, **settings)
    assert list(table["value"]) == [value for value in values for _ in range(3)]
    for value in values:
        case = settings | {name: value}
        start = {k: case[k] for k in ("n", "d", "gap", "spread", "rank", "sphere") if k in case}
        x, y = gu.theory.two_clusters(3, **start)
        flow = {key: case[key] for key in ("tau", "lr", "steps", "sphere")}
        last = gu.theory.simulate(x, y, **flow).final()
        part = table[table["value"] == value].reset_index()
        assert part["loss"].to_numpy() == pytest.approx(last["loss"].to_numpy(), rel=1e-4)
        assert part["gap_start"].to_numpy() == pytest.approx(
            gu.theory.gap_measures(x, y)["gap"].numpy(), rel=1e-4
        )


def test_sweep_refuses_an_unknown_setting() -> None:
    with pytest.raises(ValueError, match=r"^name: expected one of"):
        gu.theory.sweep("colour", [1], runs=2, **BASE)


def test_loss_is_constant_over_a_gap_across_and_not_inside() -> None:
    table = gu.theory.loss_over_gap([0.0, 2.0, 6.0], [0.5], runs=4, n=10, d=5, tau=1.0)
    wide = table.pivot_table(index=["direction", "run"], columns="gap", values="loss")
    spread = (wide.max(axis=1) - wide.min(axis=1)).groupby("direction")
    assert spread.max()["across"] < 1e-9
    assert spread.min()["inside"] > 0.1


def test_expansion_error_is_that_of_the_two_gradients() -> None:
    table = gu.theory.expansion_error([0.01], runs=2, n=6, d=3, gap=1.0, tau=0.4)
    shape, _ = gu.theory.two_clusters(2, 12, 3, gap=0, spread=1, dtype=torch.float64)
    x, y = 0.01 * shape[:, :6], 0.01 * shape[:, 6:]
    y[..., 0] += 1.0
    off = gu.theory.gradient(x, y, 0.4) - gu.theory.tight_cluster_gradient(x, y, 0.4)
    assert table["remainder"].to_numpy() == pytest.approx(off.norm(dim=(-2, -1)).numpy())


def test_growth_crosses_zero_where_the_squared_gap_is_the_temperature() -> None:
    table = gu.theory.growth_along_gap(
        [0.5, 1.0, 2.0], runs=4, n=16, d=4, tau=0.2, lr=0.01, spread=1e-4
    )
    assert table["measured"].to_numpy() == pytest.approx(table["predicted"].to_numpy(), abs=0.02)
    assert table.groupby("ratio")["predicted"].first().to_numpy() == pytest.approx([0.5, 0, -1])


@pytest.mark.parametrize("along", [False, True])
def test_lines_are_matched_when_aligned(along: bool) -> None:
    for aligned in (True, False):
        x, y = gu.theory.paired_lines(5, gap=0.4, aligned=aligned, along=along)
        assert (gu.theory.gap_measures(x, y)["matched"] == 1) == aligned
        assert (y - x).mean(0).norm().item() == pytest.approx(0.4)
