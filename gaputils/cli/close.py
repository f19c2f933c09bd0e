"""`gaputils close`: fit a closing, move both sides, write them; large arrays block by block."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
import typer
from threadpoolctl import threadpool_limits

from gaputils import _checks
from gaputils._files import replacing, safetensors_head
from gaputils._progress import bar
from gaputils._steps import require_finite
from gaputils.cli.support import keeping
from gaputils.closing import (
    Closing,
    HullProjection,
    MeanShift,
    fit_hull_projection,
    fit_mean_shift,
)
from gaputils.closing.base import as_given
from gaputils.embeddings import Embeddings, without_owners
from gaputils.geometry.sums import hand_back
from gaputils.storage._written import (
    Write,
    require_none_beside,
    whole,
    write_npy_files,
    write_npz_file,
)
from gaputils.storage.files import read_sides, write_npy, write_npz

Rows = np.ndarray[Any, Any]

LARGE = 2**27
"""Bytes of what a closing learns from, from which on a fit reads no more than their statistics."""
_ROWS = 2048  # what they become in double precision stays in the processor's cache
_AT_ONCE = 16_384
_ROW_BY_ROW = {"shift", "scale", "divide"}  # equal rows stay equal, whatever block they are in


class _Unit:
    """The rows of a side at norm 1, of which only those that are asked for are computed."""

    def __init__(self, name: str, rows: Rows) -> None:
        self.name, self.rows = name, rows
        self.shape, self.dtype, self.nbytes = rows.shape, rows.dtype, rows.nbytes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, asked: slice) -> Rows:
        part = self.rows[asked]
        unit: Rows = _checks.unit_rows(self.name, _checks.as_matrix(self.name, part)).numpy()
        hand_back(part)
        return unit


def close_files(
    files: tuple[Any, ...], out: Path, closing: Closing, fit: bool, save: Path | None
) -> list[Path]:
    """Move both sides of `files`, write them to `out`, and fit before if asked.

    `files` are the arguments of `read_sides` in their order, and whether to normalize. What
    `_by_blocks` allows is moved in blocks, in the dtype it has, and fitted by `GapStatistics` if
    what it learns from is large: the same numbers to rounding, but for the circumcentre (see
    `fit_hull_projection`), and what ``.npy`` files hold stays on the disk. All else is read whole,
    which is told where it is much. Returns the files written.
    """
    first, second, queries, gallery, targets, owners, normalize = files
    names = {"queries": queries, "gallery": gallery, "targets": targets, "owners": owners}
    found = read_sides(first, second, **names)
    sides: dict[str, Any] = {"queries": found.queries, "gallery": found.gallery}
    _checks.as_pair(found.queries[:1], found.gallery[:1])
    if not _by_blocks(closing, fit):
        size = found.queries.nbytes + found.gallery.nbytes
        if size >= LARGE:
            typer.echo(
                f"gaputils: {closing!r} needs all rows at once: {size / 1e9:.1f} GB are read, and "
                "several times that is taken; MeanShift and HullProjection without auto read on "
                "the way",
                err=True,
            )
        e = Embeddings(found.queries, found.gallery, found.targets, found.info, normalize)
        _require_none_beside(out, e)
        return _whole(e, [_dtype(side) for side in sides.values()], out, closing, fit, save)
    if normalize:
        sides = {name: _Unit(name, side) for name, side in sides.items()}
    # What belongs to what is checked, and written, as beside rows of one coordinate.
    few = {name: np.zeros((len(side), 1), np.float32) for name, side in sides.items()}
    labels = Embeddings(few["queries"], few["gallery"], found.targets, dict(found.info))
    _require_none_beside(out, labels)
    fitted = _fitted(closing, sides) if fit else closing
    labels.info["closing"] = repr(closing)
    with keeping(fitted, save):
        return _in_blocks(fitted, sides, labels, out)


def _whole(
    e: Embeddings,
    dtypes: list[np.dtype[Any]],
    out: Path,
    closing: Closing,
    fit: bool,
    save: Path | None,
) -> list[Path]:
    if fit:
        closing.fit(e.queries, e.gallery)
    moved = closing.transform(e.queries, e.gallery)
    e.queries, e.gallery = (
        as_given(name, side, side, torch.from_numpy(np.empty(0, dtype)))
        for name, side, dtype in zip(moved._fields, moved, dtypes, strict=True)
    )
    e.info = {**e.info, "closing": repr(closing)}
    with keeping(closing, save):
        if out.suffix == ".npy":
            return write_npy(e, out)
        return [write_npz(e, out) if out.suffix == ".npz" else e.save(out)]


def _by_blocks(closing: Closing, fit: bool) -> bool:
    """Whether `closing` can be had from statistics and moves rows in blocks as it does at once."""
    if fit:
        known = isinstance(closing, (MeanShift, HullProjection))
        return known and "auto" not in (closing.n_components, getattr(closing, "radius", None))
    queries, gallery = closing._query_steps(), closing._gallery_steps()
    return queries is not None and gallery is not None and {s[0] for s in gallery} <= _ROW_BY_ROW


def _in_blocks(
    closing: Closing, sides: dict[str, Any], labels: Embeddings, out: Path
) -> list[Path]:
    moves: dict[str, Callable[[Rows], Rows]] = {
        "queries": closing.transform_queries,
        "gallery": closing.transform_gallery,
    }
    if out.suffix == ".safetensors":
        with replacing(out) as part, part.open("wb") as stream:
            _write_safetensors(stream, sides, moves, labels)
        return [out]
    arrays: dict[str, Write] = {
        name: partial(_write, name, side, moves[name]) for name, side in sides.items()
    }
    arrays |= {name: whole(value.numpy()) for name, value in _beside(out, labels).items()}
    if out.suffix == ".npy":
        return write_npy_files(out, arrays)
    return [write_npz_file(out, arrays, without_owners(labels.info))]


def _beside(out: Path, labels: Embeddings) -> dict[str, torch.Tensor]:
    """Targets and owners, as far as `out` needs them: beside ``.npy`` the rows' order may tell."""
    told_by_order = out.suffix == ".npy" and labels.paired
    every = {"targets": None if told_by_order else labels.targets, "owners": labels.owners}
    return {name: value for name, value in every.items() if value is not None}


def _require_none_beside(out: Path, labels: Embeddings) -> None:
    if out.suffix == ".npy":
        require_none_beside(out, ["queries", *_beside(out, labels)], "--out")


def _fitted(closing: Closing, sides: dict[str, Any]) -> Closing:
    """`closing` with what fitting on all rows teaches it; of large sides, from statistics.

    A `HullProjection` learns nothing of the queries: a row of them is enough, and how many there
    are decides nothing.
    """
    learns_from = ["gallery", "queries"] if isinstance(closing, MeanShift) else ["gallery"]
    if sum(sides[name].nbytes for name in learns_from) < LARGE:
        rows = {name: side if name in learns_from else side[:1] for name, side in sides.items()}
        return closing.fit(np.array(rows["queries"][:]), np.array(rows["gallery"][:]))
    from gaputils.geometry.streaming import GapStatistics, take_in

    statistics = GapStatistics(sides["gallery"].shape[1])
    take_in(statistics, **{name: sides[name] for name in learns_from})
    from_statistics = fit_mean_shift if isinstance(closing, MeanShift) else fit_hull_projection
    given = closing.get_params()
    given.pop("unchanged", None)  # what n_components="auto" asks for
    learned: Closing = from_statistics(statistics, **given)
    return learned


def _dtype(side: Any) -> np.dtype[Any]:
    """What the moved rows of `side` are written as."""
    return side.dtype.newbyteorder("=") if side.dtype.kind == "f" else np.dtype(np.float32)


def _write(name: str, side: Any, move: Callable[[Rows], Rows], stream: IO[bytes]) -> None:
    """Write a ``.npy`` array of the moved rows of `side` as it goes."""
    header = {"descr": _dtype(side).str, "fortran_order": False, "shape": side.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    _write_rows(stream, name, side, move)


def _write_safetensors(
    stream: Any,
    sides: dict[str, Any],
    moves: dict[str, Callable[[Rows], Rows]],
    labels: Embeddings,
) -> None:
    """Write what `Embeddings.save` writes, with the moved rows of the `sides` as it goes."""
    targets = None if labels.targets is None else labels.targets.numpy()
    kinds = {} if targets is None else {"targets": (targets.dtype, targets.shape)}
    kinds |= {name: (_dtype(side), side.shape) for name, side in sides.items()}
    stream.write(safetensors_head(kinds, labels.metadata))
    if targets is not None:
        stream.write(targets.tobytes())
    for name, side in sides.items():
        _write_rows(stream, name, side, moves[name])


def _write_rows(stream: Any, name: str, side: Any, move: Callable[[Rows], Rows]) -> None:
    def moved(start: int) -> bytes:
        part = side[start : start + _ROWS]
        with np.errstate(over="ignore"):  # rows at norm 1 are wider than what they are written as
            rows = move(np.array(part)).astype(_dtype(side))
        hand_back(part)
        require_finite(name, rows)
        return rows.tobytes()

    workers = torch.get_num_threads()
    step = workers * _AT_ONCE
    threads = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    with threadpool_limits(1, user_api="blas"), threads as pool:
        for start in bar(range(0, len(side), step), desc=f"moving the {name}"):
            starts = range(start, min(start + step, len(side)), _ROWS)
            stream.writelines(pool.map(moved, starts))
