"""Thirty-two seeds as one tensor beside one seed, a loop, and automatic differentiation."""

from __future__ import annotations

from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import simulation_calls

SEEDS, STEPS, N, DIM = 32, 300, 64, 16


def test_seeds_at_once(benchmark, record, device: str, peaks: dict[str, float]) -> None:
    calls = simulation_calls(SEEDS, STEPS, N, DIM, device=device)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    batch = seconds["all seeds"]
    record("32 seeds beside one", batch / seconds["one seed"], "×")
    record("a loop over 32 seeds beside the batch", seconds["a loop over seeds"] / batch, "×")
    record("32 seeds beside one by autograd", batch / seconds["one seed, autograd"], "×")
    products = 3 * 2 * N * N * DIM * SEEDS * STEPS
    record("32 seeds: share of peak FLOP/s", products / batch / peaks["flops"], "")
