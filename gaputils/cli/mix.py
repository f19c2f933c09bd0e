"""`gaputils mix`: files of several kinds in, the rows of one index out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaputils.cli.support import keeping, load_closing, require_outputs
from gaputils.closing import MixedGallery
from gaputils.storage._written import (
    npy_files_beside,
    require_none_beside,
    whole,
    write_npy_files,
    write_npz_file,
)
from gaputils.storage.files import read_matrix

Rows = np.ndarray[Any, Any]
QUERIES = "queries"


def mix_files(
    items: Sequence[str],
    out: Path,
    query: Path | None,
    *,
    center: bool | None,
    equal_norms: bool,
    save: Path | None,
    saved: Path | None,
) -> str:
    """Fit or load the closing, write the rows of `items` and of `query`, and say what is where.

    `items` are "KIND=FILE". A ``.npz`` file has one array a kind and "queries"; a ``.npy`` file
    the rows of all kinds below each other, in the order given, and the queries in a file beside
    it. Raises `ValueError` and `OSError` that name the argument or the file.
    """
    if out.suffix not in (".npy", ".npz"):
        raise ValueError(f"--out: expected a .npy or .npz file, got {out}")
    files = _kinds(items)
    outputs = {"--out": out, "--save": save, "--out with the queries": npy_files_beside(out)[0]}
    require_outputs(outputs, (*files.values(), query, saved))
    if out.suffix == ".npy":
        require_none_beside(out, [] if query is None else [QUERIES], "--out")
    if saved is None:
        if query is None:
            raise ValueError("--query: expected queries to fit on; or --load a fitted closing")
        closing = MixedGallery(center=center is not False, equal_norms=equal_norms)
    else:
        if center is not None or equal_norms:
            raise ValueError("--load: a fitted closing has its settings; leave out the others")
        closing = _loaded(saved)
    asking = None if query is None else read_matrix(query)
    kinds = {kind: read_matrix(path) for kind, path in files.items()}
    if saved is None:
        closing.fit(asking, kinds)
    rows = closing.transform_gallery(kinds)
    moved = None if asking is None else closing.transform_queries(asking)
    with keeping(closing, save):
        return _write(out, rows, moved)


def _kinds(items: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for item in items:
        kind, given, path = item.partition("=")
        if not (kind and given and path):
            raise ValueError(f"ITEMS: expected KIND=FILE, as image=images.npy, got {item!r}")
        if kind in found:
            raise ValueError(f"ITEMS: got {kind!r} twice")
        if kind == QUERIES:
            raise ValueError(f"ITEMS: got {kind!r} as a kind; that name is taken, give another")
        found[kind] = Path(path)
    return found


def _loaded(path: Path) -> MixedGallery:
    closing = load_closing(path)
    if not isinstance(closing, MixedGallery):
        raise ValueError(f"--load: expected a MixedGallery in {path}, got {closing!r}")
    return closing


def _write(out: Path, rows: Mapping[str, Rows], queries: Rows | None) -> str:
    moved = {} if queries is None else {QUERIES: queries}
    if out.suffix == ".npz":
        arrays = {**moved, **rows}
        write_npz_file(out, {name: whole(values) for name, values in arrays.items()})
        told = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
        return f"{out}: {told}"
    lines, start = [], 0
    for kind, values in rows.items():
        lines.append(f"rows {start} to {start + len(values) - 1} {kind}")
        start += len(values)
    arrays = {"gallery": np.concatenate(list(rows.values())), **moved}
    _, *beside = write_npy_files(out, {name: whole(values) for name, values in arrays.items()})
    told = f"{out}: {', '.join(lines)}"
    return "\n".join([told, *(f"{place}: {len(moved[QUERIES])} queries" for place in beside)])
