"""`gaputils close` on a million rows of half precision: seconds against a bare copy, and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gaputils.pages.speed.memory import PEAK

MEASURE = f"""
{PEAK}
import resource, sys, time
started = time.perf_counter()
from gaputils.cli import app
app(sys.argv[1:], standalone_mode=False)
used = resource.getrusage(resource.RUSAGE_SELF)
print(time.perf_counter() - started, peak() / 2**20, used.ru_utime + used.ru_stime)
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    "options", [["--closing", "HullProjection", "--center"], ["--normalize"]], ids=" ".join
)
def test_close_in_blocks(options: list[str], benchmark, record, full: bool, tmp_path: Path) -> None:
    rows = 1_000_000 if full else 300_000
    rng = np.random.default_rng(0)
    paths = [tmp_path / "queries.npy", tmp_path / "gallery.npy"]
    for path, count in zip(paths, (rows, 1000), strict=True):
        out = np.lib.format.open_memmap(path, "w+", np.float16, (count, 512))
        for start in range(0, count, 50_000):
            block = rng.standard_normal((min(50_000, count - start), 512), dtype=np.float32)
            out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
        out.flush()
    named = f"close {' '.join(options)}"
    options = [*options, "-o", str(tmp_path / "closed.npy")]
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, "close", *map(str, paths), *options]

    def measure() -> list[float]:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        started = time.perf_counter()
        for path in paths:
            np.save(tmp_path / "copy.npy", np.load(path))
        copied = time.perf_counter() - started
        return [*map(float, done.stdout.split()[-3:]), copied]

    found = [measure() for _ in range(1 if full else 3)]
    benchmark.pedantic(lambda: None, rounds=1)
    record(f"{named}, {rows:,} × 512 half precision on disk", [one[0] for one in found], "s")
    record(f"{named}, of the processor", [one[2] for one in found], "s")
    record(f"{named}, as a multiple of reading and writing", [one[0] / one[3] for one in found], "")
    peak = record(f"{named}, peak memory of the process", [one[1] for one in found], "GiB")
    assert peak < 3
