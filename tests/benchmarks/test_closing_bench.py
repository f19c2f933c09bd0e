"""Finding the gallery's hull beside a plain decomposition and a Gram matrix."""

from __future__ import annotations

import pytest

import gaputils as gu
from gaputils.pages.example import clusters
from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import hull_calls


@pytest.mark.parametrize("shape", [(500, 512), (20_000, 512), (100_000, 512)])
def test_hull(shape: tuple[int, int], benchmark, record, device: str) -> None:
    calls = hull_calls(*shape, device=device)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    size, ours = f"hull of {shape[0]:,} × {shape[1]}", seconds["as in the package"]
    record(size, ours, "s")
    for rival in ("plain SVD", "Gram matrix", "randomised, a quarter"):
        record(f"{size}: {rival}", seconds[rival] / ours, "×")


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_the_number_of_components_is_chosen(benchmark, record, device: str) -> None:
    """Beside one search of the gallery by all queries, of which the choice needs several."""
    queries, gallery = (side.to(device) for side in clusters(2_000, 10_000, 512))
    calls = {
        "chosen": lambda: gu.HullProjection(n_components="auto").fit(queries, gallery),
        "one search": lambda: gu.scoring.nearest(queries.double(), gallery.double()),
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 3}, rounds=1)
    record("number of components for 2,000 × 10,000 × 512", seconds["chosen"], "s")
    record("the same in searches", seconds["chosen"] / seconds["one search"], "×")
