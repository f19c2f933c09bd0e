"""Gradient descent on free embeddings: many seeds and settings as one batched computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import flag, integer
from gaputils.theory._inputs import as_paired_points, as_setting, on_sphere
from gaputils.theory.measures import training_measures

_WORTH_THREADS = 2**15  # distances between the points of one step's runs


@dataclass(frozen=True)
class Trajectory:
    """What `simulate` recorded: snapshots of both modalities at `steps`.

    `x` and `y` are (T, ..., N, d) for T recorded steps and the batch dimensions of the start;
    `tau` and `lr` have the batch shape.
    """

    x: Tensor
    y: Tensor
    steps: tuple[int, ...]
    tau: Tensor
    lr: Tensor
    sphere: bool

    def frame(self) -> pd.DataFrame:
        """One row for each run and recorded step: `run`, `step`, `tau`, `lr` and every measure of
        `training_measures`. Runs are numbered in the order of the flattened batch."""
        tau, lr = self.tau.flatten(), self.lr.flatten()
        runs = np.arange(len(tau))
        rows = []
        for position, step in enumerate(self.steps):
            x = self.x[position].reshape(len(runs), *self.x.shape[-2:])
            y = self.y[position].reshape(len(runs), *self.y.shape[-2:])
            values = {name: v.cpu().numpy() for name, v in training_measures(x, y, tau).items()}
            rows.append(pd.DataFrame({"run": runs, "step": step, **values}))
        table = pd.concat(rows, ignore_index=True)
        table.insert(2, "tau", tau.cpu().numpy()[table["run"]])
        table.insert(3, "lr", lr.cpu().numpy()[table["run"]])
        return table.sort_values(["run", "step"], ignore_index=True)

    def final(self) -> pd.DataFrame:
        """The rows of `frame` at the last step, one a run."""
        last = Trajectory(self.x[-1:], self.y[-1:], self.steps[-1:], self.tau, self.lr, self.sphere)
        return last.frame()


@torch.no_grad()
def simulate(
    x0: Any,
    y0: Any,
    *,
    tau: Any,
    lr: Any,
    steps: int,
    sphere: bool = False,
    record: int | Sequence[int] = 60,
) -> Trajectory:
    """Plain gradient descent on the contrastive loss, every embedding being a free parameter.

    `x0` and `y0` are (..., N, d): leading dimensions are independent runs, and `tau` and `lr` are
    numbers or one value a run. With `sphere` the start is scaled to unit norm, the gradient is
    taken in the tangent space and every step ends with a return to the sphere. `record` is how
    many snapshots to keep, spaced geometrically with the first and the last step among them, or
    the steps to keep. The dtype is that of the start.

    Raises `ValueError` if a value is not finite, the shapes differ, N is 1, `tau` or `lr` is not
    positive, a point to be scaled is zero, or the descent diverges (then it names `lr`).

    >>> import torch, gaputils as gu
    >>> x = torch.eye(3)
    >>> run = gu.theory.simulate(x, x + 1, tau=0.1, lr=0.01, steps=100)
    >>> (run.y[-1] - run.x[-1]).mean(0).round(decimals=3)
    tensor([1., 1., 1.])
    """
    x0, y0 = as_paired_points(x0, y0, ("x0", "y0"))
    tau, lr = as_setting("tau", tau, x0), as_setting("lr", lr, x0)
    kept = recorded_steps(integer("steps", steps, low=1), record)
    batch, (n, d) = x0.shape[:-2], x0.shape[-2:]
    if flag("sphere", sphere):
        x0, y0 = on_sphere("x0", x0), on_sphere("y0", y0)
    points = torch.stack([x0.reshape(-1, n, d), y0.reshape(-1, n, d)])
    if not sphere:  # an offset that all share is in no distance, but would cost digits
        offset = points.mean(dim=(0, 2), keepdim=True)
        points = points - offset
    scale = (tau / 2).sqrt().reshape(-1, 1, 1)
    rate = (2 * lr / (tau * n)).reshape(-1, 1, 1)
    saved = points.new_full((len(kept), *points.shape), float("nan"))

    def descend(runs: slice) -> None:
        _descend(points[:, runs], scale[runs], rate[runs], sphere, kept, saved[:, :, runs])

    _share_among_threads(descend, points.shape[1], n, points.device)
    if not sphere:
        saved += offset
    if not bool(torch.isfinite(saved[-1]).all()):
        raise ValueError(f"lr: the descent diverged within {steps} steps, choose a smaller one")
    x, y = saved.reshape(len(kept), 2, *batch, n, d).unbind(1)
    return Trajectory(x, y, kept, tau[..., 0, 0], lr[..., 0, 0], sphere)


def recorded_steps(steps: int, record: int | Sequence[int]) -> tuple[int, ...]:
    """The steps at which `simulate` keeps a snapshot, in rising order, 0 and `steps` included."""
    if isinstance(record, Iterable):
        chosen = [integer("record", step, low=0) for step in record]
        if chosen and max(chosen) > steps:
            raise ValueError(f"record: expected steps up to {steps}, got {max(chosen)}")
    else:
        count = integer("record", record, low=2)
        chosen = np.unique(np.geomspace(1, steps, count - 1).round().astype(int)).tolist()
    return tuple(sorted({0, steps, *chosen}))


def _share_among_threads(
    work: Callable[[slice], None], runs: int, n: int, device: torch.device
) -> None:
    """Let each thread do the `work` of some of the `runs`, with arithmetic of its own.

    Threads that share every operation wait for each other some twenty times a step, and a step is
    short. So runs are shared out instead, a small problem has one thread, and only a single large
    run has its operations shared.
    """
    before = torch.get_num_threads()
    count = min(before, runs, runs * n * n // _WORTH_THREADS)
    if device.type != "cpu" or count < 2:
        if runs * n * n < _WORTH_THREADS:
            torch.set_num_threads(1)
        try:
            work(slice(None))
        finally:
            torch.set_num_threads(before)
        return
    bounds = [runs * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        parts = [slice(*pair) for pair in pairwise(bounds)]
        for _ in threads.map(work, parts):
            pass


@torch.no_grad()
def _descend(
    points: Tensor, scale: Tensor, rate: Tensor, sphere: bool, kept: Sequence[int], saved: Tensor
) -> None:
    """Descend from `points` (2, runs, N, d) and fill `saved` (T, 2, runs, N, d)."""
    state = (points / scale).mT.contiguous()
    advance = _stepper(state, rate, 1 / scale if sphere else None)
    done = 0
    for position, step in enumerate(kept):
        for _ in range(step - done):
            advance()
        done = step
        torch.mul(state.mT, scale, out=saved[position])


def _stepper(state: Tensor, rate: Tensor, radius: Tensor | None) -> Callable[[], None]:
    """One in-place step on `state` (2, runs, d, N), in units where `tau` is 2.

    All buffers are allocated once; a step makes one N by N product of the two modalities.
    """
    x, y = state
    runs, n = x.shape[0], x.shape[2]
    logits, residual, other = (state.new_empty(runs, n, n) for _ in range(3))
    own = residual.diagonal(dim1=1, dim2=2)
    slope, product = torch.empty_like(state), torch.empty_like(state)
    sums, norms = state.new_empty(2, runs, n), state.new_empty(2, runs, n)

    def weigh() -> None:
        torch.softmax(logits, 2, out=residual)
        torch.softmax(logits, 1, out=other)
        residual.add_(other)
        own.sub_(2)
        torch.bmm(y, residual.mT, out=slope[0])
        torch.bmm(x, residual, out=slope[1])

    if radius is None:

        def advance() -> None:
            torch.sum(torch.mul(state, state, out=product), 2, out=norms)
            torch.baddbmm(norms[1].unsqueeze(1), x.mT, y, beta=-0.5, out=logits)
            logits.sub_(norms[0].unsqueeze(2), alpha=0.5)
            weigh()
            torch.sum(residual, 2, out=sums[0])
            torch.sum(residual, 1, out=sums[1])
            slope.addcmul_(state, sums.unsqueeze(2), value=-1)
            state.sub_(slope.mul_(rate))

    else:
        # Norms that are all alike are in no softmax, and the slope's part along a point is dropped.
        square = radius.square()

        def advance() -> None:
            torch.bmm(x.mT, y, out=logits)
            weigh()
            torch.sum(torch.mul(slope, state, out=product), 2, out=norms)
            slope.addcmul_(state, norms.unsqueeze(2).div_(square), value=-1)
            state.sub_(slope.mul_(rate))
            torch.sum(torch.mul(state, state, out=product), 2, out=norms)
            state.mul_(radius / norms.unsqueeze(2).sqrt_())

    return advance
