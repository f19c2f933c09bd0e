"""Cosine in few dimensions under strong noise: the winner's angle by quadrature.

Items that are too near for the nearly normal law have one by quadrature (`_cone`). Where there are
many of them, in one query or over all, it is taken at a grid of places and angles only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.special
import torch
from torch import Tensor

from gaputils.noise import _chi, _cone
from gaputils.noise._exact import nodes

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Law = Callable[[Array, Array, Array], Array]

_ELEMENTS = 2**20
_GRID = 0.2  # step of a grid in the noise's deviations
_PAD = 5  # steps beyond the ends, whose own error is felt by a thousandth of it
_EQUAL = 4e-5  # of a step: what differs by less is at one place
_NODES = 2**12
_SURE = 7.0  # normal score beyond which nothing is counted


def reach(items: int) -> float:
    """What a 1-Lipschitz function of Gaussian vectors strays beyond once in 300,000 `items`."""
    return math.sqrt(2 * math.log(3e5 * items))


def win(along: Tensor, across: Tensor, winner: Tensor, degrees: int) -> Tensor:
    """As `_cosine.cosine_win`: `along` (n, k) and `across` (n, k) the squared rest, `winner` (n,).

    The integral over the winner's angle, Gauss-Legendre between the least that it may have and the
    greatest at which no other item has come before.
    """
    a, rest = along.cpu().numpy(), across.cpu().numpy()
    own, columns = winner.cpu().numpy()[:, None], np.arange(a.shape[1])
    far = reach(a.shape[1])
    low, high, counts = _windows(a, rest, own, degrees, far)
    points = _rule(math.ceil(counts.max()))[0]
    half = (high - low) / 2
    todo = rest + degrees < _chi.enough(a.shape[1])
    law: Law = functools.partial(_cone.behind, degrees=degrees, far=far)
    first, last = low + half * (1 + points[0]), low + half * (1 + points[-1])
    table = _Table(a[todo], rest[todo], degrees, (float(first.min()), float(last.max())), law)
    if 2 * table.count < todo.sum() * counts.mean():
        law = table
    order, result = counts.argsort(), np.empty(len(a))
    width = max(1, int(_ELEMENTS / counts.max()))
    step = max(1, width // a.shape[1])
    for start in range(0, len(a), step):
        rows = order[start : start + step]
        points, weights, slope = _rule(math.ceil(counts[rows].max()))
        angle = low[rows] + half[rows] * (1 + points)
        product = np.ones_like(angle)
        for first in range(0, a.shape[1], width):
            part = slice(first, first + width)
            behind = _behind(a[rows, part], rest[rows, part], todo[rows, part], angle, law, degrees)
            behind[columns[part] == own[rows]] = 1.0
            product *= behind.prod(axis=1)
        at = rows[:, None], own[rows]
        mine = _behind(a[at], rest[at], todo[at], angle, law, degrees)[:, 0]
        result[rows] = (mine @ -slope.T * product) @ weights
    return torch.as_tensor(result, dtype=along.dtype, device=along.device)


def require_nodes(count: float, ratio: float, most: int) -> None:
    """Raise `ValueError` if an item `ratio` times as long as another takes too many nodes."""
    if count > most:
        raise ValueError(
            f"gallery: under cosine and this noise an item is {ratio:.2g} times as long as the "
            "nearest, more than the exact engine resolves; use method='monte-carlo'"
        )


def _windows(
    a: Array, rest: Array, own: npt.NDArray[np.intp], degrees: int, far: float
) -> tuple[Array, Array, Array]:
    """Least and greatest angle (n, 1) that count, and how many points between them (n,)."""
    size = np.sqrt(np.square(a) + np.maximum(rest + degrees - 1, 0))
    stray = np.arcsin(np.minimum(far / np.maximum(size, far), 1))
    wide = size <= far
    high = np.arctan2(np.sqrt(rest + degrees), a) + stray
    high = np.where(wide, np.pi, np.minimum(high, np.pi)).min(axis=1, keepdims=True)
    low = np.arctan2(np.sqrt(np.maximum(rest + degrees - 1, 0)), a) - stray
    low = np.where(wide, 0.0, np.maximum(low, 0.0))
    low = np.minimum(np.take_along_axis(low, own, axis=1), high)
    ratio = size.max(axis=1) / np.take_along_axis(size, own, 1)[:, 0]
    counts = ratio * 0.6 * far * len(nodes(a.shape[1]))
    require_nodes(float(counts.max()), float(ratio.max()), _NODES)
    return low, high, counts


@functools.lru_cache
def _rule(count: int) -> tuple[Array, Array, Array]:
    """Points and weights of Gauss and Legendre, and what takes values there to slopes."""
    x, weights = np.polynomial.legendre.leggauss(count)
    scale = np.sqrt((1 - np.square(x)) * weights) * (-1.0) ** np.arange(count)
    slope = scale / (scale[:, None] * (x[:, None] - x + np.eye(count)))
    np.fill_diagonal(slope, 0)
    np.fill_diagonal(slope, -slope.sum(axis=1))
    return x, weights, slope


def _behind(a: Array, rest: Array, todo: Mask, angle: Array, law: Law, degrees: int) -> Array:
    """P(each item's angle is at least `angle`), (n, k, nodes), of `angle` (n, nodes).

    By `law` for the items `todo` (n, k), for the others by their normal scores.
    """
    result = np.empty((*a.shape, angle.shape[1]))
    if not todo.all():
        along, across = (torch.from_numpy(value)[..., None] for value in (a, rest))
        cotangent = torch.from_numpy(1 / np.tan(angle))[:, None]
        score = _chi.cotangent_score(cotangent, along, _chi.root(across, degrees))
        result[:] = scipy.special.ndtr(score.numpy())
    todo = todo.copy()
    for crowded in np.nonzero(todo.sum(axis=1) > 8 * _PAD)[0]:
        own = todo[crowded]
        places = _Places(a[crowded, own], rest[crowded, own], float(angle[crowded].max()))
        if 2 * places.count < own.sum():
            result[crowded, own] = places.behind(angle[crowded], law)
            todo[crowded] = False
    row, item = np.nonzero(todo)
    result[row, item] = law(a[row, item], rest[row, item], angle[row])
    return result


class _Places:
    """A grid of lengths and angles about those of many items, in which normal scores are smooth.

    Laws are even in an angle and in a length, so that the grid may run on below 0. Items that are
    behind `last` for sure are taken to be nearer.
    """

    def __init__(self, a: Array, rest: Array, last: float) -> None:
        size, turn = np.sqrt(np.square(a) + rest), np.arctan2(np.sqrt(rest), a)
        sure = last + 2 * _SURE / float(size.min(initial=math.inf))
        turn = np.minimum(turn, max(float(turn.min(initial=math.pi)), sure))
        self.longest = float(size.max(initial=1.0))
        self.lines = _Line(size, _GRID), _Line(turn, _GRID / self.longest)
        self.at = [line.place(v) for v, line in zip((size, turn), self.lines, strict=True)]

    @property
    def count(self) -> int:
        return math.prod(line.count for line in self.lines)

    def spline(self, law: Law, angle: Array) -> Array:
        """(lengths, angles, nodes) coefficients of the normal scores of `law` at `angle`."""
        sizes, turns = (line.points for line in self.lines)
        size, turn = (v.ravel() for v in np.meshgrid(sizes, turns, indexing="ij"))
        every = np.broadcast_to(angle, (len(size), len(angle)))
        values = law(size * np.cos(turn), np.square(size * np.sin(turn)), every)
        scores = np.clip(scipy.special.ndtri(values), -_SURE, _SURE)
        return _filtered(scores.reshape(len(sizes), len(turns), -1), axes=(0, 1))

    def behind(self, angle: Array, law: Law) -> Array:
        """(k, nodes) of `angle` (nodes,), for each of the items."""
        spline = self.spline(law, angle).reshape(self.count, len(angle))
        return np.asarray(scipy.special.ndtr(self._basis() @ spline))

    def _basis(self) -> scipy.sparse.csr_array:
        """(k, places) the cubic B-splines at each of the items."""
        items = len(self.at[0])
        index, weight = np.zeros((items, 1), dtype=np.int64), np.ones((items, 1))
        for line, place in zip(self.lines, self.at, strict=True):
            if line.count > 1:
                whole = np.floor(place)
                t = (place - whole)[:, None]
                four = [(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * (1 - t) ** 2, t**3]
                four[2] += 3 * (1 - t) ** 3
                columns = whole.astype(np.int64)[:, None] + np.arange(-1, 3)
                index = (index[..., None] * line.count + columns[:, None]).reshape(items, -1)
                weight = (weight[..., None] * np.hstack(four)[:, None] / 6).reshape(items, -1)
        starts = np.arange(items + 1) * index.shape[1]
        return scipy.sparse.csr_array(
            (weight.ravel(), index.ravel(), starts), shape=(items, self.count)
        )


class _Table:
    """A law at a grid of places and of angles within `span`, for all queries at once.

    Angles are measured by the logarithm of the tangent of their half, which nowhere ends.
    """

    def __init__(
        self, a: Array, rest: Array, degrees: int, span: tuple[float, float], law: Law
    ) -> None:
        self.places, self.law = _Places(a, rest, span[1]), law
        step = _GRID / math.hypot(self.places.longest, math.sqrt(degrees))
        self.line = _Line(np.log(np.tan(np.array(span) / 2)), step)

    @property
    def count(self) -> int:
        return self.places.count * self.line.count

    @functools.cached_property
    def _spline(self) -> Array:
        spline = self.places.spline(self.law, 2 * np.arctan(np.exp(self.line.points)))
        return _filtered(spline, axes=(2,))

    def __call__(self, a: Array, rest: Array, angle: Array) -> Array:
        size, turn = np.sqrt(np.square(a) + rest), np.arctan2(np.sqrt(rest), a)
        sizes, turns = self.places.lines
        at = [sizes.place(size), turns.place(turn), self.line.place(np.log(np.tan(angle / 2)))]
        at[:2] = [np.broadcast_to(place[:, None], angle.shape) for place in at[:2]]
        return _read(self._spline, at)


class _Line:
    """Equal steps from before the least of `values` to beyond the greatest; one for equal ones."""

    def __init__(self, values: Array, step: float) -> None:
        low, high = float(values.min(initial=math.inf)), float(values.max(initial=-math.inf))
        steps = math.ceil((high - low) / step) if high - low > _EQUAL * step else 0
        self.step = (high - low) / steps if steps else 1.0
        self.first = low - _PAD * self.step if steps else (low + high) / 2
        self.count = steps + 1 + 2 * _PAD if steps else 1
        self.last = float(self.count - 1)

    @property
    def points(self) -> Array:
        return self.first + self.step * np.arange(self.count, dtype=np.float64)

    def place(self, values: Array) -> Array:
        """Where on the line `values` stand, in steps; beyond its end, there."""
        return np.clip((values - self.first) / self.step, 0, self.last)


def _filtered(values: Array, axes: tuple[int, ...]) -> Array:
    for axis in axes:
        if values.shape[axis] > 1:
            values = scipy.ndimage.spline_filter1d(values, axis=axis)
    return values


def _read(spline: Array, at: list[Array]) -> Array:
    """The cubic spline's probabilities at places `at`, one array an axis."""
    axes = [axis for axis, count in enumerate(spline.shape) if count > 1]
    if not axes:
        return np.full(at[0].shape, scipy.special.ndtr(spline.item()))
    places = [at[axis] for axis in axes]
    scores = scipy.ndimage.map_coordinates(spline.squeeze(), places, prefilter=False)
    return np.asarray(scipy.special.ndtr(scores))
