"""Clusters that are constant along one direction, and trainings of two clusters in both spaces."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from gaputils.theory import (
    constant_direction_gradient,
    gradient,
    received_mass,
    simulate,
    two_clusters,
)


def constant_along(
    direction: Tensor, *, runs: int, n: int, gap: float, spread: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Two clusters (runs, n, d) with a gap along the unit vector `direction` (d,) and no variance
    there, in float64."""
    d = len(direction)
    x, y = two_clusters(runs, n, d, gap=0, spread=spread, dtype=torch.float64, seed=seed)
    x, y = (side - (side @ direction).unsqueeze(-1) * direction for side in (x, y))
    return x, y + gap * direction


def random_direction(d: int, seed: int = 0) -> Tensor:
    """A unit vector (d,) in float64."""
    drawn = torch.randn(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=0)


def identity(x: Tensor, y: Tensor, tau: float, direction: Tensor) -> dict[str, float]:
    """How well the gradient along a constant direction is told by the received mass.

    "error", the largest difference over the largest gradient; "mean", the largest mean over the
    mean size; "low" and "high", the range of the mass.
    """
    measured = gradient(x, y, tau) @ direction
    told = constant_direction_gradient(x, y, tau, direction)
    mass = received_mass(x, y, tau)[1]
    return {
        "error": float((measured - told).abs().max() / measured.abs().max()),
        "mean": float((measured.mean(-1).abs() / measured.abs().mean(-1)).max()),
        "low": float(mass.min()),
        "high": float(mass.max()),
    }


def both_spaces(
    *, runs: int, n: int, d: int, gap: float, spread: float, tau: float, lr: float, steps: int
) -> pd.DataFrame:
    """Trainings from two clusters in free space and on the sphere: `Trajectory.frame`s, `space`."""
    parts = []
    for space in ("free", "sphere"):
        on = space == "sphere"
        width = min(gap, 2.0) if on else gap
        start = two_clusters(runs, n, d, gap=width, spread=spread, sphere=on)
        run = simulate(*start, tau=tau, lr=lr, steps=steps, sphere=on)
        parts.append(run.frame().assign(space=space))
    return pd.concat(parts, ignore_index=True)
