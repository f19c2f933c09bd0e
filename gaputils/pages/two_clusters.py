"""Two clusters trained for each value of one setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from gaputils._checks import choice, integer
from gaputils.theory.dynamics import simulate
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


def both_spaces(name: str, values: Sequence[Any], **how: Any) -> pd.DataFrame:
    """`sweep` in free space and on the sphere: its rows, with a column `space`."""
    parts = [
        sweep(name, values, **how, sphere=on).assign(space="sphere" if on else "free")
        for on in (False, True)
    ]
    return pd.concat(parts, ignore_index=True)


def temperatures(
    values: Sequence[float], *, tau: float, lr: float, sphere: bool, **how: Any
) -> pd.DataFrame:
    """`sweep` over temperatures, the learning rate scaled with their square up to `lr` at `tau`.

    The steepest direction of the loss grows as `1 / tau^2`.
    """
    parts = [
        sweep("tau", [t], **how, lr=lr * min(1.0, (t / tau) ** 2), sphere=sphere) for t in values
    ]
    return pd.concat(parts, ignore_index=True).assign(space="sphere" if sphere else "free")


def melting(
    moments: Sequence[int],
    *,
    runs: int,
    n: int,
    d: int,
    gap: float,
    spread: float,
    tau: float,
    lr: float,
) -> pd.DataFrame:
    """The gap left on the sphere at each of the `moments` (steps), one row for each run and step.

    Columns: those of `Trajectory.frame`, and `kept`, the gap over that at the start.
    """
    start = two_clusters(runs, n, d, gap=min(gap, 2.0), spread=spread, sphere=True)
    frame = simulate(
        *start, tau=tau, lr=lr, steps=max(moments), sphere=True, record=list(moments)
    ).frame()
    first = frame[frame["step"] == 0].set_index("run")["gap"]
    return frame.assign(kept=frame["gap"] / frame["run"].map(first))


def collapse(
    *, runs: int, n: int, d: int, gap: float, spread: float, tau: float, lr: float, steps: int
) -> pd.DataFrame:
    """Free clusters that vary in all dimensions or in two, apart or in one place, after training.

    `rank in use` is the participation ratio of the covariance's eigenvalues, median over the runs.
    """
    rows = []
    for name, rank in (("all dimensions", None), ("two dimensions", 2)):
        for width in (gap, 0.0):
            start = two_clusters(runs, n, d, gap=width, spread=spread, rank=rank, seed=1)
            run = simulate(*start, tau=tau, lr=lr, steps=steps)
            centred = run.x[-1] - run.x[-1].mean(-2, keepdim=True)
            values = torch.linalg.svdvals(centred).square()
            used = (values.sum(-1).square() / values.square().sum(-1)).median()
            last = run.final()
            rows.append(
                {
                    "clusters vary in": name,
                    "separation": width,
                    "rank in use": float(used),
                    "gap after training": last["gap"].median(),
                    "loss": last["loss"].median(),
                }
            )
    return pd.DataFrame(rows)
