"""The pairwise sigmoid loss of SigLIP on squared distances: there the gap is a bias.

The logit of a pair is `l_ij = bias - ||x_i - y_j||^2 / tau`. On the unit sphere this is SigLIP's
`t x_i . y_j + b` (Zhai et al. 2023) with `t = 2 / tau` and `b = bias - 2 / tau`: the same function
of the embeddings with another name for the bias. Off the sphere the two differ, and only distances
have a loss that depends on the gap and the bias together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from gaputils._checks import flag, integer, number
from gaputils.scoring import inner
from gaputils.theory._inputs import as_paired_points, as_setting, as_values, on_sphere
from gaputils.theory.dynamics import recorded_steps
from gaputils.theory.measures import gap_measures
from gaputils.theory.objective import pair_logits

__all__ = [
    "SigmoidTrajectory",
    "conserved_quantity",
    "gradient",
    "gradients",
    "loss",
    "probabilities",
    "simulate",
    "stationary_bias",
]


def loss(x: Any, y: Any, tau: Any, bias: Any) -> Tensor:
    """Pairwise sigmoid loss of paired embeddings, one value for each leading index, in nats.

    `x` and `y` are (..., N, d), row i of one being the pair of row i of the other; `tau` is the
    temperature in units of squared distance, `bias` the logit of a distance of zero. The sum of
    the N^2 binary cross-entropies over N, as SigLIP has it (Zhai et al. 2023). Differentiates.
    Raises `ValueError` if a value is not finite, the shapes differ, N is 1 or `tau` is not
    positive.

    >>> import torch
    >>> import gaputils as gu
    >>> x = torch.eye(3, dtype=torch.float64)
    >>> round(float(gu.theory.sigmoid.loss(x, x, tau=0.1, bias=8.0)), 6)
    0.000348
    """
    logits = _logits(*as_paired_points(x, y), tau, bias)
    own = logits.diagonal(dim1=-2, dim2=-1)
    return (softplus(logits).sum(-1) - own).mean(-1)


def probabilities(x: Any, y: Any, tau: Any, bias: Any) -> Tensor:
    """`p[..., i, j]`, the probability (..., N, N) that `x_i` and `y_j` are given to be a pair.

    Neither rows nor columns sum to 1: that their total is N is what a stationary bias means.
    Raises as `loss` does.

    >>> import torch
    >>> import gaputils as gu
    >>> x = torch.zeros(2, 1)
    >>> gu.theory.sigmoid.probabilities(x, x, tau=1.0, bias=0.0).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    return _logits(*as_paired_points(x, y), tau, bias).sigmoid()


def gradient(x: Any, y: Any, tau: Any, bias: Any) -> Tensor:
    """The gradient of the loss with respect to `y`, (..., N, d), in closed form (our derivation).

    `N dL/dy_j = (2/tau) [(1 - S_j) y_j - x_j + sum_i p_ij x_i]` with `S_j = sum_i p_ij`. Raises
    as `loss` does.

    >>> import torch
    >>> import gaputils as gu
    >>> x, y = torch.eye(2), torch.eye(2) + 1
    >>> gu.theory.sigmoid.gradient(x, y, tau=1.0, bias=20.0).shape
    torch.Size([2, 2])
    """
    return gradients(x, y, tau, bias)[1]


def gradients(x: Any, y: Any, tau: Any, bias: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients with respect to `x` and `y`, each (..., N, d), and to the bias, (...).

    With `R = p - I`: `N dL/dy = (2/tau) (R^T x - colsum(R) y)`, `N dL/dx = (2/tau) (R y -
    rowsum(R) x)` and `N dL/dbias = sum(R)`. Raises as `loss` does.

    >>> import torch
    >>> import gaputils as gu
    >>> x = torch.eye(2)
    >>> [part.shape for part in gu.theory.sigmoid.gradients(x, x, tau=1.0, bias=0.0)]
    [torch.Size([2, 2]), torch.Size([2, 2]), torch.Size([])]
    """
    x, y = as_paired_points(x, y)
    temperature = as_setting("tau", tau, x)
    return _slopes(x, y, temperature, _as_bias(bias, x))


def stationary_bias(gap: Any, tau: Any, n: int) -> Any:
    """The bias at which two clusters of one point each, `gap` apart, let the bias rest.

    There every pair has the probability 1/N, `bias = gap^2 / tau - log(N - 1)`. `gap` and `tau`
    are numbers or arrays. Raises `ValueError` for a negative gap, non-positive `tau`, or N of 1.

    >>> import gaputils as gu
    >>> float(gu.theory.sigmoid.stationary_bias(1.0, 0.5, 2))
    2.0
    """
    gap, tau = as_values("gap", gap, strict=False), as_values("tau", tau)
    return np.square(gap) / tau - np.log(integer("n", n, low=2) - 1)


def conserved_quantity(gap: Any, bias: Any, tau: float, n: int, bias_rate: float) -> Any:
    """`log(gap) + 4 bias / (tau N bias_rate)`, which gradient flow keeps (our derivation).

    `gap` is the distance of the modalities along a direction in which each is constant, and
    `bias_rate` the bias's learning rate over the embeddings'. Elementwise over `gap` and `bias`,
    numbers or arrays. Raises `ValueError` for non-positive `gap`, `tau` or `bias_rate`, or N of 1.

    >>> import gaputils as gu
    >>> float(gu.theory.sigmoid.conserved_quantity(1.0, 5.0, tau=0.5, n=4, bias_rate=10.0))
    1.0
    """
    tau = number("tau", tau, low=0, strict=True)
    rate = number("bias_rate", bias_rate, low=0, strict=True)
    gap, bias = as_values("gap", gap), as_values("bias", bias, low=-np.inf)
    return np.log(gap) + 4 * bias / (tau * integer("n", n, low=2) * rate)


@dataclass(frozen=True)
class SigmoidTrajectory:
    """What `simulate` recorded: both modalities and the bias at `steps`.

    `x` and `y` are (T, ..., N, d) and `bias` is (T, ...) for T recorded steps and the batch
    dimensions of the start; `tau`, `lr` and `bias_rate` have the batch shape.
    """

    x: Tensor
    y: Tensor
    bias: Tensor
    steps: tuple[int, ...]
    tau: Tensor
    lr: Tensor
    bias_rate: Tensor
    sphere: bool

    def frame(self) -> pd.DataFrame:
        """One row for each run and recorded step: `run`, `step`, the settings, `bias`, `loss`, the
        total probability over N (`mass`), and every measure of `gap_measures`."""
        rows = []
        for position, step in enumerate(self.steps):
            x, y, bias = self.x[position], self.y[position], self.bias[position]
            values = {
                "tau": self.tau,
                "lr": self.lr,
                "bias_rate": self.bias_rate,
                "bias": bias,
                "loss": loss(x, y, self.tau, bias),
                "mass": probabilities(x, y, self.tau, bias).sum((-2, -1)) / x.shape[-2],
                **gap_measures(x, y),
            }
            table = pd.DataFrame({name: v.flatten().cpu().numpy() for name, v in values.items()})
            table.insert(0, "step", step)
            rows.append(table.rename_axis("run").reset_index())
        return pd.concat(rows).sort_values(["run", "step"], ignore_index=True)

    def final(self) -> pd.DataFrame:
        """The rows of `frame` at the last step, one a run."""
        table = self.frame()
        return table[table["step"] == self.steps[-1]].reset_index(drop=True)


@torch.no_grad()
def simulate(
    x0: Any,
    y0: Any,
    *,
    tau: Any,
    bias: Any,
    lr: Any,
    steps: int,
    bias_rate: Any = 1.0,
    sphere: bool = False,
    record: int | Sequence[int] = 60,
) -> SigmoidTrajectory:
    """Plain gradient descent on the sigmoid loss, every embedding and the bias a free parameter.

    `x0` and `y0` are (..., N, d): leading dimensions are independent runs, and `tau`, `bias` (at
    the start), `lr` and `bias_rate` are numbers or one value a run. The bias learns at `bias_rate`
    times the embeddings' rate; 0 holds it fixed. `sphere` and `record` as in `theory.simulate`.
    The dtype is that of the start.

    Raises `ValueError` if a value is not finite, the shapes differ, N is 1, `tau` or `lr` is not
    positive, `bias_rate` is negative, a point to be scaled is zero, or the descent diverges (then
    it names `lr`).

    >>> import torch
    >>> import gaputils as gu
    >>> x, y = torch.eye(4), torch.eye(4) + 0.5
    >>> how = {"tau": 1.0, "bias": 0.0, "lr": 0.1, "steps": 10, "record": [5]}
    >>> run = gu.theory.sigmoid.simulate(x, y, **how)
    >>> run.steps, tuple(run.x.shape), tuple(run.bias.shape)
    ((0, 5, 10), (3, 4, 4), (3,))
    """
    x, y = as_paired_points(x0, y0, ("x0", "y0"))
    tau, lr = as_setting("tau", tau, x), as_setting("lr", lr, x)
    bias = _as_bias(bias, x)
    bias_rate = as_setting("bias_rate", bias_rate, x, strict=False)
    kept = recorded_steps(integer("steps", steps, low=1), record)
    if flag("sphere", sphere):
        x, y = on_sphere("x0", x), on_sphere("y0", y)
    saved: list[tuple[Tensor, Tensor, Tensor]] = []
    for step in range(steps + 1):
        if step in kept:
            saved.append((x, y, bias[..., 0, 0]))
        if step < steps:
            x, y, bias = _advance(x, y, tau, bias, lr, bias_rate, sphere)
    if not all(bool(torch.isfinite(part).all()) for part in saved[-1]):
        raise ValueError(f"lr: the descent diverged within {steps} steps, choose a smaller one")
    xs, ys, biases = (torch.stack(parts) for parts in zip(*saved, strict=True))
    tau, lr, bias_rate = (setting[..., 0, 0] for setting in (tau, lr, bias_rate))
    return SigmoidTrajectory(xs, ys, biases, kept, tau, lr, bias_rate, sphere)


def _advance(
    x: Tensor, y: Tensor, tau: Tensor, bias: Tensor, lr: Tensor, bias_rate: Tensor, sphere: bool
) -> tuple[Tensor, Tensor, Tensor]:
    slope_x, slope_y, slope_bias = _slopes(x, y, tau, bias)
    bias = bias - lr * bias_rate * slope_bias[..., None, None]
    if not sphere:
        return x - lr * slope_x, y - lr * slope_y, bias
    moved = (
        side - lr * (slope - (slope * side).sum(-1, keepdim=True) * side)
        for side, slope in ((x, slope_x), (y, slope_y))
    )
    x, y = (normalize(side, dim=-1) for side in moved)
    return x, y, bias


def _as_bias(bias: Any, points: Tensor) -> Tensor:
    return as_setting("bias", bias, points, low=-np.inf, strict=False)


def _logits(x: Tensor, y: Tensor, tau: Any, bias: Any) -> Tensor:
    temperature = as_setting("tau", tau, x)
    return _as_bias(bias, x) + pair_logits(x, y, temperature)


def _slopes(x: Tensor, y: Tensor, tau: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Taken about the mean of `x`, which is free of cancellation far from the origin."""
    centre, n = x.mean(-2, keepdim=True), x.shape[-2]
    x, y = x - centre, y - centre
    residual = (bias + pair_logits(x, y, tau)).sigmoid() - torch.eye(n).to(x)
    rows, columns = residual.sum(-1).unsqueeze(-1), residual.sum(-2).unsqueeze(-1)
    scale = 2 / (tau * n)
    slope_bias = residual.sum((-2, -1)) / n
    slope_x = scale * (inner(residual, y.mT) - rows * x)
    slope_y = scale * (inner(residual.mT, x.mT) - columns * y)
    return slope_x, slope_y, slope_bias
