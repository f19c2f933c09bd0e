"""`gaputils close`: fit a closing, move both sides, write them; large arrays block by block."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from gaputils import _checks
from gaputils._progress import bar
from gaputils.cli.support import read, read_in_place
from gaputils.closing import (
    Closing,
    HullProjection,
    MeanShift,
    fit_hull_projection,
    fit_mean_shift,
)
from gaputils.embeddings import Embeddings
from gaputils.geometry.streaming import GapStatistics, hand_back
from gaputils.storage._written import Write, whole, write_npy_files, write_npz_file
from gaputils.storage.files import write_npy, write_npz

Rows = np.ndarray[Any, Any]
Pair = tuple[Rows, Rows]

LARGE = 2**27
"""Bytes of both sides from which on a fit reads no more than their statistics."""
_ROWS = 16_384
_AT_ONCE = 2**17
_FROM_STATISTICS = (MeanShift, HullProjection)
_ROW_BY_ROW = {"shift", "scale", "divide"}  # equal rows stay equal, whatever block they are in


def close_files(
    files: tuple[Any, ...], out: Path, closing: Closing, fit: bool, save: Path | None = None
) -> list[Path]:
    """Move both sides of `files`, what `read` takes, write them to `out`, and fit before if asked.

    Two ``.npy`` files are moved in blocks, in the dtype they have, and fitted by `GapStatistics`
    if they are large: the same numbers to rounding, in little memory. Returns the files written.
    """
    if out.suffix in (".npy", ".npz") and _by_blocks(closing, fit):
        source = read_in_place(*files)
        if isinstance(source, tuple):
            return _in_blocks(files, source, out, closing, fit, save)
    return _whole(read(*files), out, closing, fit, save)


def _whole(e: Embeddings, out: Path, closing: Closing, fit: bool, save: Path | None) -> list[Path]:
    if fit:
        closing.fit(e.queries, e.gallery)
    e.queries, e.gallery = closing.transform(e.queries, e.gallery)
    e.info = {**e.info, "closing": repr(closing)}
    if save is not None:
        closing.save(save)
    if out.suffix == ".npy":
        return write_npy(e, out)
    return [write_npz(e, out) if out.suffix == ".npz" else e.save(out)]


def _by_blocks(closing: Closing, fit: bool) -> bool:
    """Whether `closing` can be had from statistics and moves rows in blocks as it does at once."""
    if fit:
        known = isinstance(closing, _FROM_STATISTICS)
        return known and "auto" not in (closing.n_components, getattr(closing, "radius", None))
    queries, gallery = closing._query_steps(), closing._gallery_steps()
    return queries is not None and gallery is not None and {s[0] for s in gallery} <= _ROW_BY_ROW


def _in_blocks(
    files: tuple[Any, ...],
    source: Pair,
    out: Path,
    closing: Closing,
    fit: bool,
    save: Path | None,
) -> list[Path]:
    _checks.as_pair(source[0][:1], source[1][:1], min_rows=1)
    fitted = _fitted(closing, *source) if fit else closing
    if save is not None:
        fitted.save(save)
    moves = {"queries": fitted.transform_queries, "gallery": fitted.transform_gallery}
    sides = dict(zip(moves, source, strict=True))
    arrays: dict[str, Write] = {
        name: partial(_write, name, side, moves[name]) for name, side in sides.items()
    }
    if out.suffix == ".npy":
        return write_npy_files(out, arrays)
    if len(source[0]) == len(source[1]):
        arrays["targets"] = whole(np.arange(len(source[0])))
    info = {"source": [str(path) for path in files[:2]], "closing": repr(closing)}
    return [write_npz_file(out, arrays, info)]


def _fitted(closing: Closing, queries: Rows, gallery: Rows) -> Closing:
    """`closing` with what fitting on all rows teaches it; of large sides, from statistics."""
    if queries.nbytes + gallery.nbytes < LARGE:
        return closing.fit(np.array(queries), np.array(gallery))
    statistics = GapStatistics(gallery.shape[1])
    sides = {"gallery": gallery} | ({"queries": queries} if isinstance(closing, MeanShift) else {})
    for name, side in sides.items():
        for start in bar(range(0, len(side), _AT_ONCE), desc=f"statistics of the {name}"):
            statistics.update(**{name: side[start : start + _AT_ONCE]})
    from_statistics = fit_mean_shift if isinstance(closing, MeanShift) else fit_hull_projection
    given = closing.get_params()
    given.pop("agreement", None)  # what n_components="auto" asks for
    learned: Closing = from_statistics(statistics, **given)
    return learned


def _write(name: str, side: Rows, move: Callable[[Rows], Rows], stream: IO[bytes]) -> None:
    """Write a ``.npy`` array of the moved rows of `side` as it goes."""
    dtype = side.dtype.newbyteorder("=") if side.dtype.kind == "f" else np.dtype(np.float32)
    header = {"descr": dtype.str, "fortran_order": False, "shape": side.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    workers = torch.get_num_threads()
    step = workers * _ROWS
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for start in bar(range(0, len(side), step), desc=f"moving the {name}"):
            block = side[start : start + step]
            parts = (
                np.array(block[first : first + _ROWS]) for first in range(0, len(block), _ROWS)
            )
            for moved in pool.map(move, parts):
                stream.write(moved.tobytes())
            hand_back(block)
