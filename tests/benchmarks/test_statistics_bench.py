"""Streaming a memory-mapped file: how fast beside only summing it, and in how much memory.

Scaled down; `GAP_BENCH_ROWS=10000000` runs the full size (20 GB on disk). Both start from a file
that is not in the page cache, as a file of the full size is not. The ratio is printed and not
asserted: the covariance of 512 dimensions takes 64 multiplications for each byte that is read, so
that it depends on the arithmetic and the disk of the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROWS = int(os.environ.get("GAP_BENCH_ROWS", "200000"))

PROGRAM = """
import os, sys, time
import numpy as np
import gaputils as gu

path, repeats = sys.argv[1], int(sys.argv[2])

def cold():
    # Pages that a mapping still holds would stay in the cache.
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return np.load(path, mmap_mode="r")

def peak():
    # Not ru_maxrss, which a child process inherits from the parent that it was forked from.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

gu.GapStatistics(512).update(gallery=np.zeros((1, 512), np.float32))
before = peak()
streaming = []
for _ in range(repeats):
    rows, statistics, started = cold(), gu.GapStatistics(512), time.perf_counter()
    for start in range(0, len(rows), 1_000_000):
        statistics.update(queries=rows[start : start + 1_000_000])
    streaming.append(time.perf_counter() - started)
    del rows
after = peak()
summing = []
for _ in range(repeats):
    rows, total, started = cold(), np.zeros(512), time.perf_counter()
    for start in range(0, len(rows), 4096):
        total += rows[start : start + 4096].sum(0, dtype=np.float64)
    summing.append(time.perf_counter() - started)
    del rows
print(min(streaming), min(summing), before, after)
"""


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    array = np.lib.format.open_memmap(path, "w+", np.float32, (ROWS, 512))
    generator = np.random.default_rng(0)
    for start in range(0, ROWS, 50_000):
        part = array[start : start + 50_000]
        part[:] = generator.standard_normal(part.shape, dtype=np.float32)
    array.flush()
    return path


def measure(path: Path, repeats: int) -> tuple[float, float, float, float]:
    """Seconds of streaming and of summing; peak resident megabytes before and after streaming."""
    command = [sys.executable, "-c", PROGRAM, str(path), str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    streaming, summing, before, after = map(float, done.stdout.split())
    return streaming, summing, before, after


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(mapped: Path) -> None:
    _, _, before, after = measure(mapped, repeats=1)
    assert after < 1000
    assert after - before < 150


def test_time_beside_summing(mapped: Path, benchmark) -> None:
    if benchmark.disabled:
        pytest.skip("timings are taken with --benchmark-enable")
    streaming, summing, _, _ = benchmark.pedantic(measure, (mapped, 3), rounds=1)
    benchmark.extra_info["ratio"] = summing / streaming
    print(f"\nsumming {summing:.2f} s, statistics {streaming:.2f} s: {summing / streaming:.2f}")
