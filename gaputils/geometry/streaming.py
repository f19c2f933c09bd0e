"""Means and covariances of two modalities over a stream of rows, in memory independent of them."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric

from gaputils import _checks
from gaputils._reading import named_place
from gaputils.geometry.moments import Moments, moment_measures
from gaputils.geometry.sums import Sums, merge_all, parts, widest
from gaputils.storage.folder import _finished, iter_shards

SIDES = ("queries", "gallery")


class GapStatistics(Metric):
    """The measures of the gap that means and covariances determine, from shards of any size.

    `update(queries=…, gallery=…)` takes (rows, dim) arrays or tensors, one side or both, as many
    of one as one likes; a memory-mapped array is read in blocks and never held. `compute()` gives
    the rows of `measure_gap` that need no pairs of points, as float64 scalars. One pass; memory
    grows with dim² only. torchmetrics merges the states of several processes, in `compute()` or by
    `merge_state`.

    Sums are centred and merged by the pairwise formulas of Chan, Golub and LeVeque (1983), in
    float64. Products of float32 rows are formed in float64 for the first 65,536 rows of a side and
    in float32 afterwards, in blocks of 2,048 rows added up in float64, where their rounding errors
    average out.

    Raises `ValueError` or `TypeError` naming the argument for a wrong dimension or values that are
    not finite; the state is then as before. `compute` raises `ValueError` if a side has no rows.

    >>> import numpy as np, gaputils as gu
    >>> statistics = gu.GapStatistics(2)
    >>> statistics.update(queries=np.array([[1.0, 1.0], [3.0, 1.0]]))
    >>> statistics.update(gallery=np.zeros((3, 2)))
    >>> statistics.compute()["gap_norm"]
    tensor(2.2361, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    epsilon: Tensor

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = _checks.integer("dim", dim, low=1)
        none = Sums.none(self.dim)
        for side in SIDES:
            self.add_state(f"{side}_state", none.state, dist_reduce_fx=merge_all)
            self.add_state(f"{side}_norms", none.norms, dist_reduce_fx=widest)
        self.add_state("epsilon", torch.zeros((), dtype=torch.float64), dist_reduce_fx="max")

    def update(self, queries: Any = None, gallery: Any = None) -> None:
        """Take in the rows of `queries` (any number, dim) and of `gallery`."""
        if queries is None and gallery is None:
            raise ValueError("queries, gallery: expected at least one of them")
        for name, value in (("queries", queries), ("gallery", gallery)):
            if isinstance(value, Tensor):
                _checks.dense(name, value)
            if value is not None:
                sums = self._sums(name).and_of(name, value)
                setattr(self, f"{name}_state", sums.state)
                setattr(self, f"{name}_norms", sums.norms)
                self.epsilon = self.epsilon.clamp(min=sums.epsilon)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Take in what other statistics, or the states of them, have seen."""
        dim = getattr(incoming_state, "dim", self.dim)
        if dim != self.dim:
            raise ValueError(f"incoming_state: expected rows of {self.dim} dimensions, got {dim}")
        super().merge_state(incoming_state)

    def compute(self) -> dict[str, Tensor]:
        """Each measure by its name in `measure_gap`, as a float64 scalar."""
        measures = moment_measures(self.moments("queries"), self.moments("gallery"))
        return {
            name: torch.tensor(value, dtype=torch.float64, device=self.device)
            for name, value in measures.items()
        }

    def moments(self, side: str) -> Moments:
        """Count, mean and covariance of "queries" or "gallery" as this process has seen them."""
        return self._sums(_checks.choice("side", side, SIDES)).moments(side)

    def norms(self, side: str) -> tuple[float, float]:
        """Least and greatest norm of the rows of "queries" or "gallery" this process has seen."""
        self.moments(side)
        low, high = self._sums(side).norms.tolist()
        return low, high

    def _sums(self, side: str) -> Sums:
        state, norms = (getattr(self, f"{side}_{kind}") for kind in ("state", "norms"))
        return Sums(state, norms, float(self.epsilon))


def take_in(statistics: GapStatistics, **sides: Any) -> None:
    """Update `statistics` with all rows of the `sides`, with a bar for each that takes long."""
    for name, side in sides.items():
        for part in parts(name, side):
            statistics.update(**{name: part})


def folder_statistics(folder: str | os.PathLike[str]) -> GapStatistics:
    """`GapStatistics` of a finished `folder`, a shard in memory at a time.

    Within a process group each process takes its share of the shards, and `compute()` merges them.
    """
    manifest = _finished(named_place("folder", folder))
    statistics = GapStatistics(manifest.description["dim"])
    together = dist.is_available() and dist.is_initialized()
    share = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
    for shard in iter_shards(folder, share=share):
        statistics.update(**{shard.side: shard.rows})
    return statistics
