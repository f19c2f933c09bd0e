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

from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import moments_calls, random_rows
from gaputils.pages.speed.memory import peak_memory

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
def mapped(tmp_path: Path, full: bool, device: str) -> Path:
    if device != "cpu":
        pytest.skip("a file is read and summed on the CPU")
    path = tmp_path / "rows.npy"
    part = np.random.default_rng(0).standard_normal((50_000, 512), dtype=np.float32)
    count = 10_000_000 if full else 500_000
    array = np.lib.format.open_memmap(path, "w+", np.float32, (count, 512))
    for start in range(0, count, len(part)):
        array[start : start + len(part)] = np.roll(part, start // len(part), axis=1)
    array.flush()
    return path


def test_time_and_memory_beside_summing(mapped: Path, benchmark, record) -> None:
    setup = SETUP.format(path=str(mapped))
    runs = benchmark.pedantic(
        lambda: [(peak_memory(STREAM, setup), peak_memory(SUM, setup)) for _ in range(3)], rounds=1
    )
    rows = len(np.load(mapped, mmap_mode="r"))
    mapped.unlink()
    of = f"statistics of {rows:,} × 512 rows"
    record(f"{of} in a file", (stream.seconds for stream, _ in runs), "s")
    record(f"{of}: time of only summing them", (s.seconds / t.seconds for t, s in runs), "×")
    record(f"{of}: peak memory", (stream.after / 1000 for stream, _ in runs), "GB")
    # What is held before is the libraries: 870 MB of one installation, 1,100 of another.
    assert max(stream.after - stream.before for stream, _ in runs) < 200


def test_in_memory(benchmark, record, device: str, peaks: dict[str, float]) -> None:
    rows = random_rows(100_000, 512, device=device)
    calls = moments_calls(rows)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    of, ours = "statistics of 100,000 × 512 rows in memory", seconds["GapStatistics"]
    record(f"{of}: time of mean and cov", seconds["mean and cov"] / ours, "×")
    record(f"{of}: time of only summing them", seconds["only the sum"] / ours, "×")
    record(f"{of}: share of peak bandwidth", rows.nbytes / ours / peaks["bytes"], "")
    record(f"{of}: share of peak FLOP/s", 100_000 * 512 * 513 / ours / peaks["flops"], "")
