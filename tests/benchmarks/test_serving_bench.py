"""A saved closing at work: starting without PyTorch, and one query however large the gallery is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gaputils as gu
from gaputils import serving

ITEMS, DIM, QUERIES = 100_000, 512, 200
START = r"""
import json, re, sys, time
start = time.perf_counter()
from gaputils import serving
serving.load(sys.argv[1])
wall, cpu = time.perf_counter() - start, time.process_time()
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) * 1024 / 1e6
print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "torch": "torch" in sys.modules}))
"""


def _unit_rows(rows: int, apart: float) -> np.ndarray:
    """Rows of norm 1 whose first coordinate is `apart`: all directions but that are in their hull.

    So nothing of the projection can be left out.
    """
    drawn = np.random.default_rng(rows).standard_normal((rows, DIM), dtype=np.float32)
    drawn[:, 0] = 0
    drawn *= (1 - apart**2) ** 0.5 / np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn[:, 0] = apart
    return drawn


def _milliseconds(move: Callable[[np.ndarray], object], queries: np.ndarray) -> list[float]:
    """The time of each query, moved alone."""
    taken = []
    for query in queries:
        start = time.perf_counter()
        move(query[None])
        taken.append(1000 * (time.perf_counter() - start))
    return taken


@pytest.mark.nightly
@pytest.mark.parametrize("options", [{"radius": 2}, {"center": True}], ids=str)
def test_one_query_of_a_large_gallery(
    options: dict[str, object], benchmark, record, tmp_path: Path
) -> None:
    queries = _unit_rows(QUERIES, -0.5)
    closing = gu.HullProjection(**options).fit(queries, _unit_rows(ITEMS, 0.5))
    assert closing.rank_ == DIM - 1
    served = serving.load(closing.save(tmp_path / "closing.safetensors"))
    benchmark.pedantic(lambda: None, rounds=1)
    for name, way in (("PyTorch", closing), ("NumPy alone", served)):
        taken = _milliseconds(way.transform_queries, queries)
        quantity = f"one query, {ITEMS:,} × {DIM}, {closing!r}, {name}"
        assert record(quantity, taken, "ms") < 1


def test_a_mixed_gallery_is_fitted_and_asked(benchmark, record) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 1000, 512)).astype(np.float32)
    queries, image, text = rows
    closing = gu.MixedGallery()
    fitting = []
    for _ in range(5):
        start = time.perf_counter()
        closing.fit(queries, {"image": image, "text": text})
        fitting.append(time.perf_counter() - start)
    benchmark.pedantic(lambda: None, rounds=1)
    assert record("mixed gallery fitted, 1,000 of each of two kinds × 512", fitting, "s") < 1
    taken = _milliseconds(closing.transform_queries, queries[:QUERIES])
    assert record("one query for a mixed gallery of two kinds", taken, "ms") < 1


@pytest.mark.nightly
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_start_without_pytorch(benchmark, record, tmp_path: Path) -> None:
    rows = _unit_rows(2 * DIM, 0.5)
    path = gu.HullProjection(radius=2).fit(rows, rows).save(tmp_path / "closing.safetensors")
    command = [sys.executable, "-c", START, str(path)]
    done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(7)]
    found = [json.loads(one.stdout) for one in done]
    benchmark.pedantic(lambda: None, rounds=1)
    assert not any(one["torch"] for one in found)
    record("import and load of gaputils.serving, fresh process", [o["wall"] for o in found], "s")
    cpu = record("the same, of the processor, Python's start too", [o["cpu"] for o in found], "s")
    peak = record("the same, peak memory", [o["peak"] for o in found], "MB")
    assert cpu < 0.2
    assert peak < 60
