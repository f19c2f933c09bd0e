"""Where the gap of the sigmoid loss ends, beside the softmax's, and its bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.datasets import DataUnavailable, published
from gaputils.embeddings import Embeddings
from gaputils.theory import gradients, sigmoid, simulate, two_clusters

SOFTMAX, FIXED, TRAINED = "softmax", "sigmoid, bias fixed", "sigmoid, bias trained"


def flat_clusters(
    gaps: Sequence[float], *, runs: int, n: int, d: int, spread: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Two clusters, each constant in the first coordinate and centred in the others: x and y,
    (len(gaps), runs, n, d) in float64. Every gap has the same points."""
    x, y = two_clusters(runs, n, d, gap=0, spread=spread, dtype=torch.float64, seed=seed)
    x, y = (side - side.mean(-2, keepdim=True) for side in (x, y))
    x, y = (side.repeat(len(gaps), 1, 1, 1) for side in (x, y))
    half = torch.tensor(gaps, dtype=torch.float64).reshape(-1, 1, 1) / 2
    x[..., 0], y[..., 0] = -half, half
    return x, y


def along(x: Tensor, y: Tensor) -> Tensor:
    """The mean gap in the first coordinate."""
    return (y - x)[..., 0].mean(-1)


def where_it_ends(
    gaps: Sequence[float],
    *,
    bias: float,
    runs: int,
    n: int,
    d: int,
    tau: float,
    lr: float,
    steps: int,
    spread: float,
) -> pd.DataFrame:
    """The gap after training from each start, under the softmax and under the sigmoid loss with
    `bias` held fixed, and with one that is trained from where the untrained clusters let it rest.

    One row for each loss, start and run: "loss", "start", "run", "gap".
    """
    x, y = flat_clusters(gaps, runs=runs, n=n, d=d, spread=spread)
    rest = torch.as_tensor(sigmoid.stationary_bias(np.asarray(gaps), tau, n))[:, None]
    how: dict[str, Any] = {"tau": tau, "lr": lr, "steps": steps, "record": [steps]}
    softmax = simulate(x, y, **how)
    fixed = sigmoid.simulate(x, y, bias=bias, bias_rate=0, **how)
    trained = sigmoid.simulate(x, y, bias=rest.expand(-1, runs), **how)
    reached: dict[str, Any] = {SOFTMAX: softmax, FIXED: fixed, TRAINED: trained}
    rows = [
        pd.DataFrame(
            {
                "loss": loss,
                "start": np.repeat(gaps, runs),
                "run": np.tile(np.arange(runs), len(gaps)),
                "gap": along(run.x[-1], run.y[-1]).flatten().numpy(),
            }
        )
        for loss, run in reached.items()
    ]
    return pd.concat(rows, ignore_index=True)


def melting(
    gaps: Sequence[float],
    times: int,
    *,
    bias: float,
    tau: float,
    lr: float,
    steps: int,
    **cloud: Any,
) -> pd.DataFrame:
    """The gap under the sigmoid loss with `bias` held fixed, for `times` as many `steps`.

    `cloud` as `flat_clusters` takes it. Median over the runs: a row for each recorded step, `steps`
    among them, and a column for each start.
    """
    x, y = flat_clusters(gaps, **cloud)
    how: dict[str, Any] = {"tau": tau, "lr": lr, "steps": times * steps, "record": [steps]}
    run = sigmoid.simulate(x, y, bias=bias, bias_rate=0, **how)
    median = along(run.x, run.y).median(-1).values
    return pd.DataFrame(median.numpy(), index=pd.Index(run.steps, name="step"), columns=list(gaps))


def paths(
    gap: float,
    bias: float,
    rates: Sequence[float],
    *,
    runs: int,
    n: int,
    d: int,
    tau: float,
    lr: float,
    steps: int,
    spread: float,
) -> pd.DataFrame:
    """Gap and bias during training at each rate of the bias, from one gap and one bias.

    One row for each rate, run and recorded step: "rate", "run", "step", "bias", "gap", and
    "predicted", the gap that belongs to this bias by what gradient flow conserves.
    """
    x, y = flat_clusters([gap] * len(rates), runs=runs, n=n, d=d, spread=spread)
    bias_rate = torch.tensor(rates, dtype=torch.float64)[:, None].expand(-1, runs)
    run = sigmoid.simulate(x, y, tau=tau, bias=bias, lr=lr, steps=steps, bias_rate=bias_rate)
    shape = (len(run.steps), len(rates), runs)
    table = pd.DataFrame(
        {
            "rate": np.broadcast_to(np.asarray(rates)[:, None], shape).ravel(),
            "run": np.broadcast_to(np.arange(runs), shape).ravel(),
            "step": np.repeat(run.steps, len(rates) * runs),
            "bias": run.bias.flatten().numpy(),
            "gap": along(run.x, run.y).flatten().numpy(),
        }
    )
    moved = 4 * (table["bias"] - bias) / (tau * n * table["rate"])
    return table.assign(predicted=gap * np.exp(-moved))


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """The medians of the last step of `paths`, one row a rate."""
    last = table[table["step"] == table["step"].max()]
    medians: pd.DataFrame = last.groupby("rate")[["bias", "predicted", "gap"]].median()
    return medians.reset_index()


def identity_error(*, gap: float, bias: float, runs: int, n: int, d: int, tau: float) -> float:
    """Largest difference of `sum_j v . N dL/dy_j` and `-(2/tau) G N dL/dbias`, over the larger."""
    x, y = flat_clusters([gap], runs=runs, n=n, d=d, spread=0.5)
    _, slope, slope_bias = sigmoid.gradients(x, y, tau, bias)
    pull, told = n * slope[..., 0].sum(-1), -2 / tau * gap * n * slope_bias
    return float(((pull - told).abs() / told.abs()).max())


def growth(
    ratios: Sequence[float], *, runs: int, n: int, d: int, tau: float, spread: float
) -> pd.DataFrame:
    """How fast the pairs' sums along the gap of two tight clusters grow under either loss.

    One row for each loss, ratio of squared gap to temperature and run: "growth", in units of its
    value without a gap, and "predicted".
    """
    rows = []
    for ratio in ratios:
        gap = (ratio * tau) ** 0.5
        x, y = two_clusters(runs, n, d, gap=gap, spread=spread, dtype=torch.float64)
        bias = sigmoid.stationary_bias(gap, tau, n)
        slopes: dict[str, tuple[Any, int, float]] = {
            "softmax": (gradients(x, y, tau), 2, 1 - ratio),
            "sigmoid": (sigmoid.gradients(x, y, tau, bias)[:2], 1, 1 - 2 * ratio * (n - 1) / n),
        }
        for loss, ((slope_x, slope_y), unit, predicted) in slopes.items():
            sums, change = ((a + b)[..., 0] for a, b in ((x, y), (-slope_x, -slope_y)))
            sums, change = (side - side.mean(-1, keepdim=True) for side in (sums, change))
            rate = (change * sums).sum(-1) / sums.square().sum(-1) * tau * n / (2 * unit)
            rows.append(
                pd.DataFrame(
                    {
                        "loss": loss,
                        "ratio": ratio,
                        "run": range(runs),
                        "growth": rate.numpy(),
                        "predicted": predicted,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def crossing(table: pd.DataFrame, loss: str) -> float:
    """The ratio at which the median growth under `loss` is zero."""
    median = table[table["loss"] == loss].groupby("ratio")["growth"].median()
    return float(np.interp(0.0, -median.to_numpy(), median.index.to_numpy()))


def real(name: str) -> tuple[Embeddings | None, str]:
    """The published embeddings `name`, or None and a sentence on what is missing."""
    try:
        return published(name), ""
    except DataUnavailable as error:
        return None, f"The published embeddings {name} are not here ({error})"


def few(e: Embeddings, rows: int, *, draws: int = 1000, seed: int = 0) -> dict[str, float]:
    """What `rows` rows of either side show of a gap: its length, and the spread of that length
    over draws of rows (with replacement); mean cosines within and between the modalities."""
    random = torch.Generator().manual_seed(seed)
    sides = [torch.nn.functional.normalize(side.double(), dim=1) for side in (e.queries, e.gallery)]
    means = [
        side[torch.randint(len(side), (draws, rows), generator=random)].mean(1) for side in sides
    ]
    lengths = torch.linalg.vector_norm(means[0] - means[1], dim=1)
    images, texts = (side[:rows] for side in sides)
    within = [float((s @ s.T).sum() - rows) / (rows * (rows - 1)) for s in (images, texts)]
    return {
        "gap": float((images.mean(0) - texts.mean(0)).norm()),
        "low": float(lengths.quantile(0.05)),
        "high": float(lengths.quantile(0.95)),
        "images": within[0],
        "texts": within[1],
        "between": float((images @ texts.T).mean()),
    }


def shown(sets: dict[str, str], rows: int) -> tuple[pd.DataFrame, str]:
    """`few` of every published set that is at hand, by a label, and what is missing."""
    found = {label: real(name) for label, name in sets.items()}
    rows_of = {label: few(e, rows) for label, (e, _) in found.items() if e is not None}
    missing = " ".join(note for _, note in found.values() if note)
    return pd.DataFrame(rows_of).T.rename_axis("embeddings").reset_index(), missing
