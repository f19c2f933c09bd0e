"""Thirty-two seeds as one tensor beside one seed, a loop, and automatic differentiation."""

from __future__ import annotations

import torch

import gaputils as gu
from gaputils import timing

SETTING = {"tau": 0.5, "lr": 0.05, "steps": 300}


def test_seeds_at_once(benchmark, record) -> None:
    x, y = gu.theory.two_clusters(32, 64, 16, gap=2.0, spread=0.3)

    def autograd() -> None:
        a, b = x[0].clone().requires_grad_(), y[0].clone().requires_grad_()
        for _ in range(SETTING["steps"]):
            slopes = torch.autograd.grad(gu.theory.contrastive_loss(a, b, SETTING["tau"]), (a, b))
            with torch.no_grad():
                for side, slope in zip((a, b), slopes, strict=True):
                    side -= SETTING["lr"] * slope

    calls = {
        "batch": lambda: gu.theory.simulate(x, y, **SETTING, record=2),
        "one": lambda: gu.theory.simulate(x[0], y[0], **SETTING, record=2),
        "loop": lambda: [
            gu.theory.simulate(a, b, **SETTING, record=2) for a, b in zip(x, y, strict=True)
        ],
        "one by autograd": autograd,
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 7}, rounds=1)
    record("32 seeds beside one", timing.ratios(seconds, to="one").loc["batch", "ratio"], "×")
    beside = timing.ratios(seconds, to="batch")["ratio"]
    record("a loop over 32 seeds beside the batch", beside["loop"], "×")
    record("32 seeds beside one by autograd", 1 / beside["one by autograd"], "×")
