"""Means and covariances of two modalities over a stream of rows, in memory independent of them."""

from __future__ import annotations

import math
import mmap
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from threadpoolctl import threadpool_limits
from torch import Tensor
from torchmetrics import Metric

from gaputils import _checks
from gaputils._progress import bar
from gaputils.geometry.moments import Moments, moment_measures
from gaputils.storage.folder import _finished, iter_shards

_ROWS = 2048
_DOUBLE_ROWS = 65_536
_AT_ONCE = 2**17


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

    queries_state: Tensor
    gallery_state: Tensor
    queries_norms: Tensor
    gallery_norms: Tensor
    epsilon: Tensor

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = _checks.integer("dim", dim, low=1)
        empty = torch.zeros(self.dim + 2, self.dim, dtype=torch.float64)
        for side in ("queries", "gallery"):
            self.add_state(f"{side}_state", empty, dist_reduce_fx=_merge_all)
            norms = torch.tensor([math.inf, 0.0], dtype=torch.float64)
            self.add_state(f"{side}_norms", norms, dist_reduce_fx=_widest)
        self.add_state("epsilon", torch.zeros((), dtype=torch.float64), dist_reduce_fx="max")

    def update(self, queries: Any = None, gallery: Any = None) -> None:
        """Take in the rows of `queries` (any number, dim) and of `gallery`."""
        if queries is None and gallery is None:
            raise ValueError("queries, gallery: expected at least one of them")
        for name, value in (("queries", queries), ("gallery", gallery)):
            if isinstance(value, Tensor):
                _checks.dense(name, value)
            if value is not None:
                self._absorb(name, value)

    def compute(self) -> dict[str, Tensor]:
        """Each measure by its name in `measure_gap`, as a float64 scalar."""
        measures = moment_measures(self.moments("queries"), self.moments("gallery"))
        return {
            name: torch.tensor(value, dtype=torch.float64, device=self.device)
            for name, value in measures.items()
        }

    def moments(self, side: str) -> Moments:
        """Count, mean and covariance of "queries" or "gallery" as this process has seen them."""
        state: Tensor = getattr(
            self, f"{_checks.choice('side', side, ('queries', 'gallery'))}_state"
        )
        count = int(state[0, 0])
        if count == 0:
            raise ValueError(f"{side}: no rows yet, call update({side}=…) first")
        return Moments(count, state[1].clone(), state[2:] / count, float(self.epsilon))

    def norms(self, side: str) -> tuple[float, float]:
        """Least and greatest norm of the rows of "queries" or "gallery" this process has seen."""
        self.moments(side)
        low, high = getattr(self, f"{side}_norms").tolist()
        return low, high

    def _absorb(self, name: str, value: Any) -> None:
        plain = isinstance(value, (np.ndarray, Tensor)) and not np.ma.isMaskedArray(value)
        if not plain or value.ndim != 2 or len(value) == 0:
            _checks.as_matrix(name, value)
        if value.shape[1] != self.dim:
            raise ValueError(f"{name}: expected dimension {self.dim}, got {value.shape[1]}")
        state: Tensor = getattr(self, f"{name}_state")
        seen, epsilon = int(state[0, 0]), 0.0
        on_cpu = not isinstance(value, Tensor) or value.device.type == "cpu"
        count = min(torch.get_num_threads(), -(-len(value) // _ROWS)) if on_cpu else 1
        with _Workers(count, self.dim) as workers:
            for block in _blocks(name, value):
                workers.add(name, block, exact=seen < _DOUBLE_ROWS)
                seen += len(block)
                epsilon = max(epsilon, torch.finfo(block.dtype).eps)
            part, norms = workers.state(), workers.norms()
        setattr(self, f"{name}_state", _merge(state, part.to(state.device)))
        before: Tensor = getattr(self, f"{name}_norms")
        setattr(self, f"{name}_norms", _widest(torch.stack([before, norms.to(before.device)])))
        self.epsilon = self.epsilon.clamp(min=epsilon)


def take_in(statistics: GapStatistics, **sides: Any) -> None:
    """Update `statistics` with all rows of the `sides`, with a bar for each that takes long."""
    for name, side in sides.items():
        starts = range(0, len(side), _AT_ONCE)
        for start in bar(starts, desc=f"statistics of the {name}", leave=False):
            statistics.update(**{name: side[start : start + _AT_ONCE]})


class _Workers(ExitStack):
    """Blocks of rows summed by `count` threads in turn, each with sums and a product of its own.

    Threads that share a product wait for each other at its end, and so for the reader that takes
    one of their cores; blocks of their own they work on alone. The block's number decides who
    sums it, so that the result is the same each time. A `count` of one is the calling thread.
    """

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.sums = [_Sums(dim) for _ in range(count)]
        if count > 1:
            self.enter_context(threadpool_limits(1, user_api="blas"))
        self.threads = [
            self.enter_context(
                ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
            )
            for _ in range(count if count > 1 else 0)
        ]
        self.blocks = 0
        self.pending: deque[Future[None]] = deque()

    def add(self, name: str, block: Tensor, exact: bool) -> None:
        """Hand `block` to the next thread, after waiting until few others are on their way."""
        if self.blocks == 0:
            shift = block.double().mean(0).to(block.dtype)
            for sums in self.sums:
                sums.start(shift)
        turn = self.blocks % len(self.sums)
        self.blocks += 1
        if not self.threads:
            self.sums[turn].add(name, block, exact)
            return
        if len(self.pending) == 2 * len(self.threads):
            self.pending.popleft().result()
        self.pending.append(self.threads[turn].submit(self.sums[turn].add, name, block, exact))

    def state(self) -> Tensor:
        """The packed sums of all threads, in the order of the threads."""
        for one in self.pending:
            one.result()
        total, *others = self.sums
        for sums in others:
            total.count += sums.count
            total.first += sums.first
            total.second += sums.second
        return total.state()

    def norms(self) -> Tensor:
        """(2,) least and greatest norm that any thread has met."""
        return _widest(torch.stack([sums.norms for sums in self.sums]))


class _Sums:
    """Sums of rows and of their products about a shift."""

    count: int
    shift: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def start(self, shift: Tensor) -> None:
        self.count, self.shift = 0, shift
        self.first = torch.zeros(self.dim, dtype=torch.float64, device=shift.device)
        self.second = self.first.new_zeros(self.dim, self.dim)
        self.norms = self.first.new_tensor([math.inf, 0.0])

    def add(self, name: str, block: Tensor, exact: bool) -> None:
        shift = self.shift.to(block)
        centred = (block.double() - shift) if exact else block - shift
        sums = centred.sum(0)
        if not bool(torch.isfinite(sums).all()):
            _checks.as_matrix(name, block)
            raise ValueError(f"{name}: the sum of {len(block)} rows is not finite in {block.dtype}")
        self.first += sums
        self.second += _gram(centred)
        own = torch.stack(torch.linalg.vector_norm(block, dim=1).aminmax()).to(self.norms)
        self.norms = _widest(torch.stack([self.norms, own]))
        self.count += len(block)

    def state(self) -> Tensor:
        """The packed count, mean and centred products."""
        offset = self.first / self.count
        products = self.second - self.count * torch.outer(offset, offset)
        head = torch.zeros(2, len(offset), dtype=torch.float64, device=offset.device)
        head[0, 0] = self.count
        head[1] = self.shift.double() + offset
        return torch.cat([head, products])


def _gram(rows: Tensor) -> Tensor:
    """`rows.T @ rows`. NumPy sees that it is symmetric and computes half of it."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    array = rows.numpy()
    return torch.from_numpy(array.T @ array)


def _merge(a: Tensor, b: Tensor) -> Tensor:
    """Two packed states as one: row 0 holds the count, row 1 the mean, the others the products."""
    n, m = a[0, 0], b[0, 0]
    if float(m) == 0:
        return a
    if float(n) == 0:
        return b
    difference = b[1] - a[1]
    merged = torch.empty_like(a)
    merged[0] = a[0] + b[0]
    merged[1] = a[1] + difference * (m / (n + m))
    merged[2:] = a[2:] + b[2:] + torch.outer(difference, difference) * (n * m / (n + m))
    return merged


def _merge_all(states: Tensor) -> Tensor:
    result = states[0]
    for state in states[1:]:
        result = _merge(result, state)
    return result


def _widest(norms: Tensor) -> Tensor:
    """(2,) least and greatest of the ranges `norms` (k, 2)."""
    return torch.stack([norms[:, 0].min(), norms[:, 1].max()])


def _blocks(name: str, value: Any) -> Iterator[Tensor]:
    """Blocks of rows as floating tensors; the next is read while the last is worked on."""
    if isinstance(value, np.ndarray) and value.dtype.kind not in "fiu":
        _checks.as_matrix(name, value[:1])
    starts = range(0, len(value), _ROWS)
    if not isinstance(value, np.memmap):
        yield from (_read(name, value[start : start + _ROWS]) for start in starts)
        return
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(_read, name, value[:_ROWS])
        for start in starts[1:]:
            block = ahead.result()
            ahead = reader.submit(_read, name, value[start : start + _ROWS])
            yield block
        yield ahead.result()


def _read(name: str, rows: Any) -> Tensor:
    """`rows` as a floating tensor; the pages of a memory map are handed back once they are read."""
    if isinstance(rows, Tensor) and rows.dtype in (torch.float32, torch.float64):
        return rows.detach()
    if not isinstance(rows, np.ndarray) or rows.dtype not in (np.float32, np.float64):
        block = _checks.as_matrix(name, rows)
        if isinstance(rows, np.ndarray) and not np.may_share_memory(block.numpy(), rows):
            hand_back(rows)
        return block
    block = torch.from_numpy(np.array(rows, dtype=rows.dtype.newbyteorder("="), order="C"))
    hand_back(rows)
    return block


def hand_back(rows: np.ndarray[Any, Any]) -> None:
    """Tell the system that the pages under `rows`, a view of a read-only map, may go."""
    if rows.flags.writeable or not rows.flags.c_contiguous:
        return
    base: Any = rows
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    origin = np.frombuffer(base, np.uint8, 1).__array_interface__["data"][0]
    first = rows.__array_interface__["data"][0] - origin
    start = first // mmap.PAGESIZE * mmap.PAGESIZE
    base.madvise(mmap.MADV_DONTNEED, start, first + rows.nbytes - start)


def folder_statistics(folder: str | os.PathLike[str]) -> GapStatistics:
    """`GapStatistics` of a finished `folder`, a shard in memory at a time.

    Within a process group each process takes its share of the shards, and `compute()` merges them.
    """
    manifest = _finished(Path(folder))
    statistics = GapStatistics(manifest.description["dim"])
    together = dist.is_available() and dist.is_initialized()
    share = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
    for shard in iter_shards(folder, share=share):
        statistics.update(**{shard.side: shard.rows})
    return statistics
