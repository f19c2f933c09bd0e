"""Timings are taken only when asked for, by `make bench`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

PROGRAM = """
import time

def peak():
    # Not ru_maxrss, which a child process inherits from the parent that it was forked from.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

{setup}
before, started = peak(), time.perf_counter()
{call}
print(time.perf_counter() - started, before, peak())
"""

FULL = bool(os.environ.get("GAP_BENCH_FULL"))


@pytest.fixture(autouse=True)
def _only_when_timed(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--benchmark-enable"):
        pytest.skip("timings are taken with --benchmark-enable")


@pytest.fixture
def full() -> bool:
    """Whether to measure at full size (`GAP_BENCH_FULL=1`), which takes minutes and 20 GB."""
    return FULL


@pytest.fixture
def record(benchmark, full: bool) -> Callable[[str, float, str], None]:
    """Keep a measured quantity in the benchmark's record and print it."""

    def keep(quantity: str, value: float, unit: str) -> None:
        kept = benchmark.extra_info.setdefault("recorded", [])
        kept.append({"quantity": quantity, "value": value, "unit": unit, "full": full})
        print(f"\n{quantity}: {value:.4g} {unit}")

    return keep


@pytest.fixture
def alone() -> Callable[[str, str], tuple[float, float, float]]:
    """Runs code in a process of its own: seconds, and its peak in megabytes before and after."""

    def run(setup: str, call: str) -> tuple[float, float, float]:
        command = [sys.executable, "-c", PROGRAM.format(setup=setup, call=call)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, before, after = map(float, done.stdout.split())
        return seconds, before, after

    return run
