"""Finding the gallery's hull beside a plain decomposition and a Gram matrix."""

from __future__ import annotations

import pytest

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
