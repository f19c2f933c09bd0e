"""Streaming a memory-mapped file: how fast beside only summing it, and in how much memory.

Scaled down; `GAP_BENCH_FULL=1` takes ten million rows (20 GB on disk). Both start from a file that
is not in the page cache, as a file of the full size is not. The ratio is recorded and not asserted:
the covariance of 512 dimensions takes 128 operations for each byte that is read, so that it depends
on the arithmetic and the disk of the machine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaputils import timing

SETUP = """
import os
import numpy as np
import gaputils as gu

gu.GapStatistics(512).update(gallery=np.zeros((1, 512), np.float32))
# Pages that a mapping still holds would stay in the cache.
with open({path!r}, "rb") as file:
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
rows = np.load({path!r}, mmap_mode="r")
"""
STREAM = """
statistics = gu.GapStatistics(512)
for start in range(0, len(rows), 1_000_000):
    statistics.update(queries=rows[start : start + 1_000_000])
"""
SUM = """
total = np.zeros(512)
for start in range(0, len(rows), 4096):
    total += rows[start : start + 4096].sum(0, dtype=np.float64)
"""


@pytest.fixture
def mapped(tmp_path: Path, full: bool) -> Path:
    path = tmp_path / "rows.npy"
    part = np.random.default_rng(0).standard_normal((50_000, 512), dtype=np.float32)
    count = 10_000_000 if full else 500_000
    array = np.lib.format.open_memmap(path, "w+", np.float32, (count, 512))
    for start in range(0, count, len(part)):
        array[start : start + len(part)] = np.roll(part, start // len(part), axis=1)
    array.flush()
    return path


def test_time_and_memory_beside_summing(mapped: Path, benchmark, record, alone) -> None:
    setup = SETUP.format(path=str(mapped))
    runs = benchmark.pedantic(
        lambda: [(alone(setup, STREAM), alone(setup, SUM)) for _ in range(3)], rounds=1
    )
    rows = len(np.load(mapped, mmap_mode="r"))
    mapped.unlink()
    streamed = sorted(stream[0] for stream, _ in runs)[1]
    ratio = sorted(sums[0] / stream[0] for stream, sums in runs)[1]
    peak = max(stream[2] for stream, _ in runs)
    growth = max(stream[2] - stream[1] for stream, _ in runs)
    record(f"statistics of {rows:,} × 512 rows in a file", streamed, "s")
    record(f"statistics of {rows:,} × 512 rows: time of only summing them", ratio, "×")
    record(f"statistics of {rows:,} × 512 rows: peak memory", peak / 1000, "GB")
    assert peak < 1000
    assert growth < 200


def test_beside_numpy_in_memory(benchmark, record) -> None:
    import gaputils as gu

    rows = np.random.default_rng(0).standard_normal((100_000, 512), dtype=np.float32)

    def streamed() -> object:
        statistics = gu.GapStatistics(512)
        statistics.update(queries=rows)
        return statistics.moments("queries")

    calls = {"package": streamed, "numpy": lambda: (rows.mean(0), np.cov(rows, rowvar=False))}
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    beside = timing.ratios(seconds, to="package").loc["numpy", "ratio"]
    record("np.mean and np.cov beside GapStatistics, 100,000 × 512 rows in memory", beside, "×")
