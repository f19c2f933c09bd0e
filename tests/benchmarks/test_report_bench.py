"""The report on a million rows of half precision that stay on disk: seconds, and peak memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaputils.pages.speed.memory import PEAK

ITEMS = 1000
MEASURE = f"""
{PEAK}
import resource, sys, time
started = time.perf_counter()
import numpy as np
import gaputils as gu
sides = [np.load(path, mmap_mode="r") for path in sys.argv[1:]]
gu.report(tuple(sides))
used = resource.getrusage(resource.RUSAGE_SELF)
print(time.perf_counter() - started, peak() / 2**20, used.ru_utime + used.ru_stime)
"""


def _unit_rows(path: Path, rows: int, shift: float) -> Path:
    out = np.lib.format.open_memmap(path, "w+", np.float16, (rows, 512))
    rng = np.random.default_rng(rows)
    for start in range(0, rows, 50_000):
        block = rng.standard_normal((min(50_000, rows - start), 512), dtype=np.float32)
        block[:, 0] += shift
        out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()
    return path


@pytest.mark.nightly
def test_report_on_a_memory_map(benchmark, record, full: bool, tmp_path: Path) -> None:
    rows = 1_000_000 if full else 100_000
    paths = [
        _unit_rows(tmp_path / "queries.npy", rows, 3.0),
        _unit_rows(tmp_path / "gallery.npy", ITEMS, -3.0),
    ]

    def measure() -> list[float]:
        command = [sys.executable, "-c", MEASURE, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return [float(word) for word in done.stdout.split()]

    found = [measure() for _ in range(1 if full else 3)]
    benchmark.pedantic(lambda: None, rounds=1)
    record(f"report, {rows:,} × 512 half precision on disk", [one[0] for one in found], "s")
    record("report, of the processor", [one[2] for one in found], "s")
    peak = record("report, peak memory of the process", [one[1] for one in found], "GiB")
    assert peak < 2
