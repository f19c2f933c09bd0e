"""Timings of calls whose cost is known."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import torch

from gaputils.pages.speed import timing


def test_calls_take_turns_and_are_warmed_up() -> None:
    made: list[str] = []
    table = timing.compare_times(
        {"a": lambda: made.append("a"), "b": lambda: made.append("b")}, rounds=3
    )
    assert made == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert list(table.columns) == ["a", "b"]
    assert len(table) == 3
    assert (table > 0).all(axis=None)


def test_a_call_that_sleeps_is_timed_as_long_as_it_sleeps() -> None:
    assert timing.seconds_of(lambda: time.sleep(0.02)) >= 0.02


def test_ratios_are_taken_within_each_round() -> None:
    seconds = pd.DataFrame({"fast": [1.0, 2.0, 10.0], "slow": [3.0, 6.0, 20.0]})
    found = timing.ratios(seconds, to="fast").loc["slow"]
    assert found["ratio"] == 3.0
    assert found["ratio_low"] == 2.5
    assert found["ratio_high"] == 3.0
    assert found["median_s"] == 6.0
    with pytest.raises(ValueError, match=r"to: .*got 'other'"):
        timing.ratios(seconds, to="other")


def test_a_spread_is_the_median_between_its_quartiles() -> None:
    assert timing.quartiles([4.0, 0.0, 2.0, 1.0, 3.0]) == (1.0, 2.0, 3.0)
    assert timing.spread(pd.Series([4.0, 0.0, 2.0, 1.0, 3.0]), "{:.2f}") == "2.00 [1.00–3.00]"


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_slope_of_a_power_law_is_its_exponent(power: float) -> None:
    rows = [
        {"size": size, "call": "it", "round": n, "seconds": (n + 1) * size**power}
        for size in (10, 100, 1000)
        for n in range(3)
    ]
    found = timing.slopes(pd.DataFrame(rows)).loc["it"]
    np.testing.assert_allclose(found.to_numpy(dtype=float), power)


def test_growth_measures_every_size_call_and_round() -> None:
    sizes: list[int] = []
    table = timing.growth(lambda n: {"it": lambda: sizes.append(n)}, [4, 8], rounds=2)
    assert sizes == [4] * 3 + [8] * 3
    assert table.groupby("size").size().to_dict() == {4: 2, 8: 2}


def test_the_machine_has_a_name_and_peaks() -> None:
    about = timing.machine()
    assert about["cpu"]
    assert about["cores"] >= 1
    assert timing.machine_name() == f"{about['cpu']}, {about['cores']} cores"
    assert timing.machine_name("cuda:0").endswith(f" cores, {about['gpu']}")
    peaks = timing.machine_peaks(rounds=1)
    assert peaks["flops"] > 1e8
    assert peaks["flops_double"] > 1e8
    assert peaks["bytes"] > 1e7


def test_products_and_convolutions_are_counted_and_nothing_else() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    image, kernel = torch.ones(1, 2, 6, 6), torch.ones(4, 2, 3, 3)
    assert timing.operations(lambda: a @ b) == 2 * 3 * 5 * 7
    assert timing.operations(lambda: torch.exp(a).sum()) == 0
    with torch.inference_mode():
        assert timing.operations(lambda: torch.conv2d(image, kernel)) == 2 * 4 * 4 * 4 * 2 * 3 * 3


def test_what_is_shipped_has_its_spread() -> None:
    shipped = timing.recorded()
    assert list(shipped) == ["quantity", "value", "low", "high", "unit", "machine"]
    assert (shipped["low"] <= shipped["value"]).all()
    assert (shipped["value"] <= shipped["high"]).all()
    assert not shipped.isna().drop(columns="unit").any(axis=None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: timing.compare_times({}), "calls: expected at least one"),
        (lambda: timing.compare_times({"a": int}, rounds=0), "rounds: .*got 0"),
        (lambda: timing.growth(lambda _: {"a": int}, []), "sizes: expected at least one"),
        (lambda: timing.growth(lambda _: {"a": int}, [0]), "sizes: .*got 0"),
        (
            lambda: timing.slopes(pd.DataFrame({"size": [1], "call": "a", "seconds": 1.0})),
            "table: expected at least two sizes",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
