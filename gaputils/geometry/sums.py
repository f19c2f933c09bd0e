"""Sums over rows of any number, block by block, in memory independent of them."""

from __future__ import annotations

import math
import mmap
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from gaputils import _checks
from gaputils._progress import bar
from gaputils.geometry.moments import Moments

_ROWS = 2048
_DOUBLE_ROWS = 65_536
_AT_ONCE = 2**17


@dataclass(frozen=True)
class Sums:
    """What was summed of the rows of one side, (rows, dim) arrays or tensors.

    `state` (dim + 2, dim) holds the count in row 0, the mean in row 1 and the centred products in
    the others; `norms` (2,) the least and the greatest norm; `epsilon` the coarsest precision met.
    """

    state: Tensor
    norms: Tensor
    epsilon: float

    @classmethod
    def none(cls, dim: int) -> Sums:
        """Of no rows."""
        norms = torch.tensor([math.inf, 0.0], dtype=torch.float64)
        return cls(torch.zeros(dim + 2, dim, dtype=torch.float64), norms, 0.0)

    def moments(self, name: str) -> Moments:
        """Raises `ValueError` if there were no rows of the side, which is named."""
        count = int(self.state[0, 0])
        if count == 0:
            raise ValueError(f"{name}: no rows yet, call update({name}=…) first")
        return Moments(count, self.state[1].clone(), self.state[2:] / count, self.epsilon)

    def and_of(self, name: str, value: Any) -> Sums:
        """These and those of the rows of `value`, an argument `name`."""
        plain = isinstance(value, (np.ndarray, Tensor)) and not np.ma.isMaskedArray(value)
        if not plain or value.ndim != 2 or len(value) == 0:
            _checks.as_matrix(name, value)
        dim = self.state.shape[1]
        if value.shape[1] != dim:
            raise ValueError(f"{name}: expected dimension {dim}, got {value.shape[1]}")
        seen, epsilon = int(self.state[0, 0]), self.epsilon
        on_cpu = not isinstance(value, Tensor) or value.device.type == "cpu"
        count = min(torch.get_num_threads(), -(-len(value) // _ROWS)) if on_cpu else 1
        with _Workers(count) as workers:
            for block in _blocks(name, value):
                workers.add(name, block, exact=seen < _DOUBLE_ROWS)
                seen += len(block)
                epsilon = max(epsilon, torch.finfo(block.dtype).eps)
            part, norms = workers.state(), workers.norms()
        state = _merge(self.state, part.to(self.state.device))
        norms = widest(torch.stack([self.norms, norms.to(self.norms.device)]))
        return Sums(state, norms, epsilon)


def streamed(name: str, rows: Any) -> Moments:
    """`Moments.of` all `rows` (n, dim), with a bar if it takes long."""
    sums = Sums.none(rows.shape[1])
    for part in parts(name, rows):
        sums = sums.and_of(name, part)
    return sums.moments(name)


def parts(name: str, rows: Any) -> Iterator[Any]:
    """`rows` in parts, with a bar that names them."""
    for start in bar(range(0, len(rows), _AT_ONCE), desc=f"statistics of the {name}", leave=False):
        yield rows[start : start + _AT_ONCE]


class _Workers(ExitStack):
    """Blocks of rows summed by `count` threads in turn, each with sums and a product of its own.

    Threads that share a product wait for each other at its end, and so for the reader that takes
    one of their cores; blocks of their own they work on alone. The block's number decides who
    sums it, so that the result is the same each time. A `count` of one is the calling thread.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.sums: list[_Running] = []
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
            self.sums = [_Running(shift) for _ in range(self.count)]
        turn = self.blocks % self.count
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
        return widest(torch.stack([sums.norms for sums in self.sums]))


class _Running:
    """Sums of rows and of their products about a shift."""

    def __init__(self, shift: Tensor) -> None:
        self.count, self.shift = 0, shift
        self.first = torch.zeros(len(shift), dtype=torch.float64, device=shift.device)
        self.second = self.first.new_zeros(len(shift), len(shift))
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
        self.norms = widest(torch.stack([self.norms, own]))
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


def merge_all(states: Tensor) -> Tensor:
    result = states[0]
    for state in states[1:]:
        result = _merge(result, state)
    return result


def widest(norms: Tensor) -> Tensor:
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
