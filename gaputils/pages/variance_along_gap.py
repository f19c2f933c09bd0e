"""Sweeps of the two-cluster experiment, and scans that hold a theorem against measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils.theory.dynamics import simulate
from gaputils.theory.objective import contrastive_loss, gradient
from gaputils.theory.predictions import (
    predicted_variance_along_gap,
    step_factors,
    tight_cluster_gradient,
)
from gaputils.theory.starts import two_clusters


def expansion_error(
    radii: Sequence[float], *, runs: int, n: int, d: int, gap: float, tau: float, seed: int = 0
) -> pd.DataFrame:
    """How far the tight-cluster expansion is from the exact gradient at each radius, in float64.

    One row for each radius and run: `remainder`, the norm of the difference, and `relative`, the
    same over the norm of the exact gradient. Every radius scales the same points.
    """
    shape, _ = two_clusters(runs, 2 * n, d, gap=0, spread=1, dtype=torch.float64, seed=seed)
    step = torch.zeros(d, dtype=torch.float64)
    step[0] = gap
    rows = []
    for radius in radii:
        x, y = radius * shape[:, :n], radius * shape[:, n:] + step
        exact = gradient(x, y, tau)
        remainder = _norms(exact - tight_cluster_gradient(x, y, tau))
        rows.append(
            pd.DataFrame(
                {
                    "radius": radius,
                    "run": range(runs),
                    "remainder": remainder.numpy(),
                    "relative": (remainder / _norms(exact)).numpy(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def growth_along_gap(
    ratios: Sequence[float],
    *,
    runs: int,
    n: int,
    d: int,
    tau: float,
    lr: float,
    spread: float,
    seed: int = 0,
) -> pd.DataFrame:
    """By what one step multiplies the spread of pairs' sums along the gap, over `gap^2 / tau`.

    One row for each ratio and run, in float64: `measured`, the factor of the standard deviation
    less 1 and divided by the step's unit `4 lr / (tau n)`, and `predicted`, `1 - gap^2 / tau`.
    """
    rows = []
    for ratio in ratios:
        gap = (ratio * tau) ** 0.5
        x, y = two_clusters(runs, n, d, gap=gap, spread=spread, dtype=torch.float64, seed=seed)
        run = simulate(x, y, tau=tau, lr=lr, steps=1, record=2)
        sums = run.x + run.y
        direction = (run.y[0] - run.x[0]).mean(-2, keepdim=True)
        along = ((sums - sums.mean(-2, keepdim=True)) * direction).sum(-1)
        start, end = along
        factor = (start * end).sum(-1) / start.square().sum(-1)
        predicted = step_factors(gap, tau, lr, n).along_sum
        unit = 4 * lr / (tau * n)
        rows.append(
            pd.DataFrame(
                {
                    "ratio": ratio,
                    "run": range(runs),
                    "measured": ((factor - 1) / unit).numpy(),
                    "predicted": (predicted - 1) / unit,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _norms(values: Tensor) -> Tensor:
    return values.square().sum((-2, -1)).sqrt()


def gradient_error(
    spreads: Sequence[float],
    temperatures: Sequence[float],
    *,
    runs: int,
    n: int,
    d: int,
    gap: float,
) -> float:
    """Largest relative difference of the closed form and automatic differentiation, in float64."""
    errors = []
    for seed, spread in enumerate(spreads):
        x, y = two_clusters(runs, n, d, gap=gap, spread=spread, dtype=torch.float64, seed=seed)
        y.requires_grad_()
        for tau in temperatures:
            (automatic,) = torch.autograd.grad(contrastive_loss(x, y, tau).sum(), y)
            off = _norms(gradient(x, y.detach(), tau) - automatic)
            errors.append(float((off / _norms(automatic)).max()))
    return max(errors)


def growth_by_spread(
    spreads: dict[str, float], ratios: Sequence[float], **how: Any
) -> dict[str, pd.DataFrame]:
    """`growth_along_gap` for clusters of each of the named spreads."""
    return {
        name: growth_along_gap(ratios, spread=spread, **how) for name, spread in spreads.items()
    }


def along_and_across(
    ratio: float, steps: int, *, runs: int, n: int, d: int, tau: float, lr: float, spread: float
) -> pd.DataFrame:
    """Variance along the gap during training from tight clusters with this `gap^2 / tau`.

    By step the median over runs, in float64: `left`, over its start, and `of_across`, over the
    variance of an average direction across the gap.
    """
    gap = (ratio * tau) ** 0.5
    x, y = two_clusters(runs, n, d, gap=gap, spread=spread, dtype=torch.float64)
    frame = simulate(x, y, tau=tau, lr=lr, steps=steps).frame()
    along = frame["variance_along_gap"]
    start = along.groupby(frame["run"]).transform("first")
    found = frame.assign(left=along / start, of_across=along / frame["variance_across"])
    return found.groupby("step")[["left", "of_across"]].median()


def predicted_decay(x: Tensor, y: Tensor, tau: float, lr: float, steps: Sequence[int]) -> Tensor:
    """The variance along the gap that linear dynamics foretell at each of `steps`, a row a step."""
    return torch.stack([predicted_variance_along_gap(x, y, tau, lr, step) for step in steps])
