"""The sweeps and scans of the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import gaputils as gu
from gaputils.pages import two_clusters as clusters_page
from gaputils.pages.relative_alignment import loss_over_gap, paired_lines, shifted_pairs
from gaputils.pages.variance_along_gap import expansion_error, growth_along_gap

BASE = {"n": 8, "d": 4, "tau": 0.3, "lr": 0.05, "gap": 1.0, "spread": 0.1, "steps": 6}
SCANS: dict[str, tuple[Callable[..., pd.DataFrame], tuple[Any, ...], dict[str, Any], list[str]]] = {
    "loss_over_gap": (
        loss_over_gap,
        ([0.0, 1.0], [0.1, 0.5]),
        {"n": 6, "d": 3, "tau": 0.4},
        ["direction", "gap", "misalignment", "run", "loss"],
    ),
    "expansion_error": (
        expansion_error,
        ([0.1, 0.01],),
        {"n": 6, "d": 3, "gap": 1.0, "tau": 0.4},
        ["radius", "run", "remainder", "relative"],
    ),
    "growth_along_gap": (
        growth_along_gap,
        ([0.5, 2.0],),
        {"n": 6, "d": 3, "tau": 0.2, "lr": 0.01, "spread": 1e-3},
        ["ratio", "run", "measured", "predicted"],
    ),
}
scans = pytest.mark.parametrize(
    ("scan", "values", "how", "columns"), SCANS.values(), ids=SCANS.keys()
)


@scans
def test_scans_are_tidy(
    scan: Callable[..., pd.DataFrame], values: tuple[Any, ...], how: dict[str, Any], columns: Any
) -> None:
    """A row for each cell and run under the documented names, in order, numbered through."""
    table = scan(*values, runs=3, **how)
    assert list(table.columns) == columns
    assert table.index.equals(pd.RangeIndex(len(table)))
    cells = [name for name in columns[: columns.index("run")] if name != "direction"]
    for name, wanted in zip(cells, values, strict=True):
        assert list(dict.fromkeys(table[name])) == list(wanted)
    assert table["run"].tolist() == [0, 1, 2] * (len(table) // 3)
    assert not table[columns[: columns.index("run") + 1]].duplicated().any()
    assert len(table) == 3 * table[columns[: columns.index("run")]].drop_duplicates().shape[0]


@scans
def test_scans_draw_what_the_seed_says(
    scan: Callable[..., pd.DataFrame], values: tuple[Any, ...], how: dict[str, Any], columns: Any
) -> None:
    table = scan(*values, runs=2, **how)
    assert table.equals(scan(*values, runs=2, **how, seed=0))
    measured = columns[columns.index("run") + 1]
    other = scan(*values, runs=2, **how, seed=1)
    assert not (table[measured] == other[measured]).any()
    more = scan(*values, runs=4, **how)
    assert len(more) == 2 * len(table)


@pytest.mark.parametrize(
    ("name", "values"), [("gap", [0.2, 1.0]), ("tau", [0.1, 0.5]), ("d", [3, 6]), ("rank", [1, 3])]
)
@pytest.mark.parametrize("sphere", [False, True])
def test_sweep_is_each_value_alone(name: str, values: list[float], sphere: bool) -> None:
    settings = {key: value for key, value in BASE.items() if key != name} | {"sphere": sphere}
    table = clusters_page.sweep(name, values, runs=3, **settings)
    assert table.columns[0] == "value"
    assert table.index.equals(pd.RangeIndex(3 * len(values)))
    assert table["run"].tolist() == [0, 1, 2] * len(values)
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


def test_sweep_is_in_free_space_unless_asked_otherwise() -> None:
    how = {key: value for key, value in BASE.items() if key != "gap"}
    plain = clusters_page.sweep("gap", [0.5], runs=2, **how)
    assert plain.equals(clusters_page.sweep("gap", [0.5], runs=2, **how, sphere=False))
    assert not plain.equals(clusters_page.sweep("gap", [0.5], runs=2, **how, sphere=True))


def test_sweep_refuses_an_unknown_setting() -> None:
    with pytest.raises(ValueError, match=r"^name: expected one of"):
        clusters_page.sweep("colour", [1], runs=2, **BASE)


def test_loss_is_constant_over_a_gap_across_and_not_inside() -> None:
    table = loss_over_gap([0.0, 2.0, 6.0], [0.5], runs=4, n=10, d=5, tau=1.0)
    wide = table.pivot_table(index=["direction", "run"], columns="gap", values="loss")
    spread = (wide.max(axis=1) - wide.min(axis=1)).groupby("direction")
    assert spread.max()["across"] < 1e-9
    assert spread.min()["inside"] > 0.1


def test_loss_over_gap_is_that_of_disturbed_copies() -> None:
    table = loss_over_gap([0.5, 2.0], [0.3], runs=3, n=6, d=4, tau=0.7, seed=2)
    for (direction, gap), part in table.groupby(["direction", "gap"]):
        how = {"gap": gap, "misalignment": 0.3, "across": direction == "across", "seed": 2}
        expected = gu.theory.contrastive_loss(*shifted_pairs(3, 6, 4, **how), 0.7)
        assert part["loss"].to_numpy() == pytest.approx(expected.numpy(), rel=1e-12)


def test_lines_are_matched_when_aligned() -> None:
    for aligned in (True, False):
        x, y = paired_lines(5, gap=0.4, aligned=aligned)
        assert (gu.theory.gap_measures(x, y)["matched"] == 1) == aligned
        assert (y - x).mean(0).norm().item() == pytest.approx(0.4)


def test_both_spaces_are_two_sweeps() -> None:
    table = clusters_page.both_spaces("gap", [0.2, 1.0], runs=2, **{**BASE, "gap": 1.0})
    for on, space in ((False, "free"), (True, "sphere")):
        alone = clusters_page.sweep("gap", [0.2, 1.0], runs=2, **BASE, sphere=on)
        part = table[table["space"] == space].drop(columns="space").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone)


def test_temperatures_scale_the_learning_rate_with_their_square() -> None:
    table = clusters_page.temperatures([0.1, 0.3, 0.9], runs=2, sphere=False, **BASE)
    settings = {key: value for key, value in BASE.items() if key not in ("tau", "lr")}
    for tau, lr in ((0.1, 0.05 / 9), (0.3, 0.05), (0.9, 0.05)):
        alone = clusters_page.sweep("tau", [tau], runs=2, **settings, lr=lr)
        part = table[table["value"] == tau]["loss"].to_numpy()
        assert part == pytest.approx(alone["loss"].to_numpy(), rel=1e-6)


def test_melting_starts_whole_and_falls() -> None:
    how = {key: BASE[key] for key in ("n", "d", "gap", "spread", "tau", "lr")}
    table = clusters_page.melting([10, 400], runs=2, **how)
    kept = table.groupby("step")["kept"].median()
    assert list(kept.index) == [0, 10, 400]
    assert kept[0] == 1
    assert kept[400] < kept[10] < 1


def test_collapse_takes_all_four_combinations() -> None:
    how = {**BASE, "n": 16, "d": 6, "steps": 300, "lr": 0.2}
    table = clusters_page.collapse(runs=3, **how)
    assert table["separation"].tolist() == [1.0, 0.0, 1.0, 0.0]
    gap, rank = table["gap after training"], table["rank in use"]
    assert min(gap[0], gap[2]) > 2 * max(gap[1], gap[3])
    assert max(rank[2], rank[3]) < 2.5 < min(rank[0], rank[1])
