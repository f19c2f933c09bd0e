"""A whole curve on many queries and items: 21 alphas, 3 variances, 512 dimensions, 1,000 items.

Two kinds of galleries: queries that each have a nearest item of their own, where hardly any other
item matters, and random directions, where hundreds do. `GAP_BENCH_FULL=1` takes 50,000 queries.
"""

from __future__ import annotations

import pytest

from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import curve_calls
from gaputils.pages.speed.memory import peak_memory

SETUP = """
import numpy as np, torch
import gaputils as gu
from torch.nn.functional import normalize
generator = torch.Generator().manual_seed(0)
gallery = normalize(torch.randn(1000, 512, generator=generator), dim=1)
own = normalize(torch.randn({queries}, 512, generator=generator), dim=1)
gap = 0.8 * torch.eye(512)[0]
queries = normalize(own + {lean} * gallery[torch.arange({queries}) % 1000], dim=1)
queries = normalize(queries + gap, dim=1)
queries, gallery = queries.to({device!r}), gallery.to({device!r})
noises = [gu.GaussianNoise(v) for v in (0.005, 0.01, 0.04)]
few = queries[:50], gallery, gu.MeanShift(), [0.0, 1.0], noises
gu.robustness_curve(*few)
"""
CALL = """
gu.robustness_curve(queries, gallery, gu.MeanShift(), np.linspace(0, 1, 21), noises)
if queries.is_cuda:
    torch.cuda.synchronize()
"""


@pytest.mark.parametrize(("kind", "lean"), [("clear neighbours", 0.6), ("random directions", 0.0)])
def test_curve_of_many_queries(kind: str, lean: float, benchmark, record, full, device) -> None:
    queries = 50_000 if full else 2_000
    setup = SETUP.format(queries=queries, lean=lean, device=device)
    runs = benchmark.pedantic(lambda: [peak_memory(CALL, setup) for _ in range(3)], rounds=1)
    size = f"{queries:,} × 1,000 × 512, 21 alphas, 3 variances, {kind}"
    record(f"curve {size}", (run.seconds for run in runs), "s")
    record(f"curve {size}, peak memory", (run.after / 1000 for run in runs), "GB")
    assert device != "cpu" or max(run.after for run in runs) < 4000


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_curve_beside_a_loop(benchmark, record, device: str) -> None:
    calls = curve_calls(21, 400, 1000, 512, device=device)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    record("a loop beside a curve", seconds["a loop"] / seconds["one curve"], "×")
