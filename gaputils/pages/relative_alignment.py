"""Configurations that isolate one thing: relative alignment, a constant direction, a tilt."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, integer, number
from gaputils.theory.dynamics import simulate
from gaputils.theory.objective import contrastive_loss


def paired_lines(n: int, *, gap: float, aligned: bool = True) -> tuple[Tensor, Tensor]:
    """Two columns of `n` points in the plane at unit spacing, (n, 2) each in float64.

    `gap` separates them across the columns. Unless `aligned`, each pair is moved one place on, so
    that no point's pair is its nearest neighbour. Raises `ValueError` for n below 2 or a negative
    gap.
    """
    n, gap = integer("n", n, low=2), number("gap", gap, low=0)
    heights = torch.arange(n, dtype=torch.float64)
    x = torch.stack([torch.zeros_like(heights), heights], 1)
    y = x if aligned else x.roll(1, 0)
    return x, y + gap * torch.tensor([1.0, 0.0], dtype=torch.float64)


def shifted_pairs(
    runs: int,
    n: int,
    d: int,
    *,
    gap: float,
    misalignment: float,
    across: bool = True,
    seed: Seed = 0,
) -> tuple[Tensor, Tensor]:
    """Isotropic unit-variance points and their disturbed copies, (runs, n, d) in float64.

    `misalignment` is the standard deviation of each coordinate of the disturbance. Points and
    disturbance leave the last coordinate at 0; `gap` shifts the copies along it (`across`, a
    direction orthogonal to both modalities) or along the first coordinate. Raises `ValueError`
    naming the argument that is out of range.
    """
    runs, n, d = integer("runs", runs, low=1), integer("n", n, low=2), integer("d", d, low=2)
    generator = as_generator(seed)
    points, noise = torch.randn(2, runs, n, d, generator=generator, dtype=torch.float64)
    points[..., -1], noise[..., -1] = 0, 0
    copies = points + number("misalignment", misalignment, low=0) * noise
    copies[..., -1 if across else 0] += number("gap", gap)
    return points, copies


def loss_over_gap(
    gaps: Sequence[float],
    misalignments: Sequence[float],
    *,
    runs: int,
    n: int,
    d: int,
    tau: float,
    seed: int = 0,
) -> pd.DataFrame:
    """The loss of disturbed copies, for a gap across both modalities and for one inside them.

    One row for each direction ("across", "inside"), gap, misalignment and run; every cell uses
    the same points and disturbances.
    """
    rows = []
    for direction in ("across", "inside"):
        for gap in gaps:
            for misalignment in misalignments:
                x, y = shifted_pairs(
                    runs,
                    n,
                    d,
                    gap=gap,
                    misalignment=misalignment,
                    across=direction == "across",
                    seed=seed,
                )
                rows.append(
                    pd.DataFrame(
                        {
                            "direction": direction,
                            "gap": gap,
                            "misalignment": misalignment,
                            "run": range(runs),
                            "loss": contrastive_loss(x, y, tau).numpy(),
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True)


def descent(
    *, runs: int, n: int, d: int, gap: float, misalignment: float, tau: float, lr: float, steps: int
) -> pd.DataFrame:
    """Gradient descent from disturbed copies with a gap across both modalities or inside them.

    The rows of `Trajectory.frame`, with a column `direction` ("across" or "inside").
    """
    starts = [
        shifted_pairs(runs, n, d, gap=gap, misalignment=misalignment, across=across)
        for across in (True, False)
    ]
    x, y = (torch.stack(side) for side in zip(*starts, strict=True))
    frame = simulate(x, y, tau=tau, lr=lr, steps=steps).frame()
    return frame.assign(direction=frame["run"].lt(runs).map({True: "across", False: "inside"}))
