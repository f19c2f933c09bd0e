"""Initial configurations of two modalities, many runs at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, flag, integer, number


def two_clusters(
    runs: int,
    n: int,
    d: int,
    *,
    gap: float,
    spread: float,
    rank: int | None = None,
    sphere: bool = False,
    dtype: torch.dtype = torch.float32,
    seed: Seed = 0,
) -> tuple[Tensor, Tensor]:
    """Two Gaussian clusters of `n` points in `d` dimensions, (runs, n, d) each, x and y unpaired.

    The means lie `gap` apart, symmetric about the origin, or on the unit sphere (`sphere`, where
    every point is scaled to norm 1 and `gap` is at most 2). `spread` is the standard deviation of
    each coordinate; with `rank` both clusters vary only in one random subspace of that dimension.
    Raises `ValueError` naming the argument that is out of range.
    """
    runs, n, d = integer("runs", runs, low=1), integer("n", n, low=2), integer("d", d, low=2)
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"dtype: expected torch.float32 or torch.float64, got {dtype!r}")
    longest = math.sqrt(torch.finfo(dtype).max) / 4
    gap = number("gap", gap, low=0, high=2 if flag("sphere", sphere) else longest)
    spread = number("spread", spread, low=0, high=longest)
    generator = as_generator(seed)
    noise = spread * torch.randn(2, runs, n, d, generator=generator, dtype=dtype)
    if rank is not None:
        if integer("rank", rank, low=1) > d:
            raise ValueError(f"rank: expected at most d = {d}, got {rank}")
        basis = torch.linalg.qr(torch.randn(runs, d, rank, generator=generator, dtype=dtype))[0]
        noise = noise @ basis @ basis.mT
    mean = torch.zeros(2, 1, 1, d, dtype=dtype)
    mean[0, ..., 0], mean[1, ..., 0] = -gap / 2, gap / 2
    if not sphere:
        points = mean + noise
        return points[0], points[1]
    mean[..., 1] = (1 - gap**2 / 4) ** 0.5
    points = torch.nn.functional.normalize(mean + noise, dim=-1)
    return points[0], points[1]
