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
