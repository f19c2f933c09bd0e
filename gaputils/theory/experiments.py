"""Sweeps of the two-cluster experiment, and scans that hold a theorem against measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import choice, integer
from gaputils.theory.dynamics import simulate
from gaputils.theory.objective import contrastive_loss, gradient
from gaputils.theory.predictions import step_factors, tight_cluster_gradient
from gaputils.theory.shapes import shifted_pairs
from gaputils.theory.starts import two_clusters

STARTS = ("gap", "spread", "rank")
SIZES = ("n", "d")
FLOWS = ("tau", "lr")


def sweep(name: str, values: Sequence[Any], *, runs: int, **settings: Any) -> pd.DataFrame:
    """Two clusters trained for each value of one setting: one row for each value and run.

    `name` is one of "gap", "spread", "rank", "n", "d", "tau", "lr"; `settings` are the others
    that `two_clusters` and `simulate` take. Every value starts from the same random numbers; all
    values but those of a size are one batched computation. Columns: `value`, `run`, every measure
    of `training_measures` at the end, and with the suffix "_start" at the start.
    """
    choice("name", name, (*STARTS, *SIZES, *FLOWS))
    if name in SIZES:
        parts = [_trained([settings | {name: value}], runs) for value in values]
        table = pd.concat(parts, ignore_index=True)
    else:
        table = _trained([settings | {name: value} for value in values], runs)
    table.insert(0, "value", np.repeat(np.asarray(values), runs))
    return table


def _trained(cases: list[dict[str, Any]], runs: int) -> pd.DataFrame:
    flow = ("tau", "lr", "steps")
    starts = [
        two_clusters(runs, **{k: v for k, v in case.items() if k not in flow}) for case in cases
    ]
    x, y = (torch.stack(side) for side in zip(*starts, strict=True))
    tau, lr = (
        torch.tensor([float(case[key]) for case in cases])[:, None].expand(-1, runs)
        for key in flow[:2]
    )
    first = cases[0]
    trajectory = simulate(
        x,
        y,
        tau=tau,
        lr=lr,
        steps=integer("steps", first["steps"], low=1),
        sphere=first.get("sphere", False),
        record=2,
    )
    frame = trajectory.frame().drop(columns=["tau", "lr"])
    before = frame[frame["step"] == 0].set_index("run").drop(columns="step")
    after = frame[frame["step"] == first["steps"]].set_index("run").drop(columns="step")
    table: pd.DataFrame = after.join(before.add_suffix("_start")).reset_index()
    return table.assign(run=table["run"] % runs)


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
