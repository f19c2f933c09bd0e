"""Timings are taken only when asked for, by `make bench`, and recorded with their spread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import pandas as pd
import pytest

from gaputils.pages.speed import timing

FULL = bool(os.environ.get("GAP_BENCH_FULL"))
DEVICE = os.environ.get("GAP_BENCH_DEVICE", "cpu")
MACHINE = timing.machine_name(DEVICE)  # before any test takes a single thread

Record = Callable[[str, Iterable[float], str], float]


@pytest.fixture(autouse=True)
def _only_when_timed(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--benchmark-enable"):
        pytest.skip("timings are taken with --benchmark-enable")


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether to measure at full size (`GAP_BENCH_FULL=1`), which takes minutes and 20 GB."""
    return FULL


@pytest.fixture(scope="session")
def device() -> str:
    """Where what can run on a GPU runs: `GAP_BENCH_DEVICE`, "cpu" if that is not set."""
    return DEVICE


@pytest.fixture(scope="module")
def peaks(device: str) -> dict[str, float]:
    """The device's own peaks, measured in the same run on as many threads as the module's tests."""
    return timing.machine_peaks(device)


@pytest.fixture
def record(benchmark) -> Record:
    """Keep the median of a quantity's rounds with their quartiles, print it, and return it."""

    def keep(quantity: str, rounds: Iterable[float], unit: str) -> float:
        values = timing.quartiles(rounds)
        _keep(benchmark, quantity, values, unit)
        return values[1]

    return keep


@pytest.fixture
def record_growth(benchmark) -> Callable[[str, pd.DataFrame], None]:
    """Keep the exponent of each call's growth, with the least and greatest of a single round."""

    def keep(axis: str, table: pd.DataFrame) -> None:
        for call, row in timing.slopes(table).iterrows():
            values = row["slope_low"], row["slope"], row["slope_high"]
            _keep(benchmark, f"exponent of the growth in {axis}: {call}", values, "")

    return keep


def _keep(benchmark, quantity: str, values: tuple[float, float, float], unit: str) -> None:
    low, value, high = values
    kept = {"quantity": quantity, "value": value, "low": low, "high": high, "unit": unit}
    benchmark.extra_info.setdefault("recorded", []).append(kept | {"machine": MACHINE})
    print(f"\n{quantity}: {value:.4g} {unit} [{low:.4g}, {high:.4g}]")
