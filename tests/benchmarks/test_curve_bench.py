"""A whole curve on many queries and items: 21 alphas, 3 variances, 512 dimensions, 1,000 items.

Two kinds of galleries: queries that each have a nearest item of their own, where hardly any other
item matters, and random directions, where hundreds do. `GAP_BENCH_FULL=1` takes 50,000 queries.
"""

from __future__ import annotations

import numpy as np
import pytest

import gaputils as gu
from gaputils import timing
from gaputils.example import clusters

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
noises = [gu.GaussianNoise(v) for v in (0.005, 0.01, 0.04)]
few = queries[:50], gallery, gu.MeanShift(), [0.0, 1.0], noises
gu.robustness_curve(*few)
"""
CALL = """
gu.robustness_curve(queries, gallery, gu.MeanShift(), np.linspace(0, 1, 21), noises)
"""


@pytest.mark.parametrize(("kind", "lean"), [("clear neighbours", 0.6), ("random directions", 0.0)])
def test_curve_of_many_queries(
    kind: str, lean: float, benchmark, record, full: bool, alone
) -> None:
    queries = 50_000 if full else 2_000
    setup = SETUP.format(queries=queries, lean=lean)
    seconds, _, after = benchmark.pedantic(alone, (setup, CALL), rounds=1)
    size = f"{queries:,} × 1,000 × 512, 21 alphas, 3 variances, {kind}"
    record(f"curve {size}", seconds, "s")
    record(f"curve {size}, peak memory", after / 1000, "GB")
    assert after < 4000


def test_curve_beside_a_loop(benchmark, record) -> None:
    queries, gallery = clusters(400, 1000, 512)
    alphas, variances = np.linspace(0, 1, 21), (0.005, 0.01, 0.04)

    def loop() -> None:
        for alpha in alphas:
            sides = gu.MeanShift(alpha=alpha).fit_transform(queries, gallery)
            for variance in variances:
                gu.robustness(*sides, gu.GaussianNoise(variance))

    def curve() -> None:
        noises = [gu.GaussianNoise(v) for v in variances]
        gu.robustness_curve(queries, gallery, gu.MeanShift(), alphas, noises)

    calls = {"curve": curve, "loop": loop}
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    record("a loop beside a curve", timing.ratios(seconds, to="curve").loc["loop", "ratio"], "×")
