"""Reading pairs of embeddings from the files that people already have. Never a pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gaputils import _checks
from gaputils._files import read_safetensors, unchanged
from gaputils._reading import Path_, named_place
from gaputils.embeddings import OWNERS, Embeddings, without_owners
from gaputils.storage._arrays import SUFFIXES, arrays_of, known
from gaputils.storage._folders import CLIP_RETRIEVAL, OWN, shards_of
from gaputils.storage._labels import (
    LABEL_SUFFIXES,
    ONLY,
    Arrays,
    Unusable,
    csv_columns,
    is_label,
    named,
    whole_numbers,
)
from gaputils.storage._manifest import NAME as MANIFEST
from gaputils.storage._written import Write, whole, write_npy_files, write_npz_file
from gaputils.storage.folder import load_folder

__all__ = ["SUFFIXES", "iter_rows", "read_matrix", "read_pair", "write_npy", "write_npz"]

Array = np.ndarray[Any, Any]

_WORDS = {
    "queries": ("quer", "image", "img", "video", "vision"),
    "gallery": ("galler", "text", "txt", "caption", "class"),
}


def read_pair(
    first: Path_,
    second: Path_ | None = None,
    *,
    queries: str | None = None,
    gallery: str | None = None,
    targets: Path_ | None = None,
    owners: Path_ | None = None,
    normalize: bool = False,
) -> Embeddings:
    """Two sides from one file that holds both, or from one file each.

    ``.npy``: an array (2, n, d) with the queries first, or (n, d) and a second file. ``.npz`` and
    ``.safetensors``: two named matrices. ``.pt``: one tensor as in ``.npy``, or a dict of tensors
    (``torch.load(weights_only=True)``). ``.parquet`` and ``.arrow``: two columns of vectors; or,
    with a second file, one column of vectors or only columns of numbers. What pandas wrote as an
    index is left out. A folder may be clip-retrieval's (``img_emb``, ``text_emb``, labels from its
    metadata), one that Hugging Face's `datasets` saved, one of ``.npy`` shards of one array or of
    several, numbered, one of numbered ``.parquet`` shards of one table, or one of shards that
    `gaputils embed` wrote. `queries` and `gallery` name the arrays or columns; left out, names with
    "quer", "image", "img", "video" or "vision" are queries, those with "galler", "text", "txt",
    "caption" or "class" the gallery.

    `targets` (n,), the gallery row that answers each query, and `owners` (m,), the query that each
    gallery row belongs to (kept as ``info["caption_image"]``), are whole numbers, (n, 1) or floats
    too. They are the name of an array in one of the files, or a file of their own: ``.npy``,
    ``.npz``, ``.safetensors``, ``.parquet`` or ``.csv`` with one array or column, or one called so.
    Left out, arrays with "target", "label" or "owner" in their names are they; one whose values
    repeat where there is a gallery row for each query may hold classes, and has to be named unless
    it is called "targets". With `normalize` all rows are scaled to norm 1.

    Raises `FileNotFoundError` for a missing file and `ValueError` for one that is of another kind,
    truncated, ambiguous or a pickle, that lacks values, or holds targets that cannot be used, and
    `TypeError` for an array in the place of a name.
    """
    found = read_sides(
        first, second, queries=queries, gallery=gallery, targets=targets, owners=owners
    )
    return Embeddings(*found, normalize)


class Sides(NamedTuple):
    """What a file, a folder or two hold, before it is checked: arrays (n, d) and (m, d)."""

    queries: Array
    gallery: Array
    targets: Array | None
    info: dict[str, Any]


def read_sides(
    first: Path_,
    second: Path_ | None = None,
    *,
    queries: str | None = None,
    gallery: str | None = None,
    targets: Path_ | None = None,
    owners: Path_ | None = None,
) -> Sides:
    """What `read_pair` reads, in the dtypes it has there; ``.npy`` files are mapped, not read."""
    _require_names(queries=queries, gallery=gallery, targets=targets, owners=owners)
    given = [
        path for path in (first, second, targets, owners) if isinstance(path, (str, os.PathLike))
    ]
    places = [Path(os.path.expanduser(path)) for path in given]  # noqa: PTH111
    return unchanged(places, lambda: _sides(first, second, queries, gallery, targets, owners))


def _sides(
    first: Path_,
    second: Path_ | None,
    queries: str | None,
    gallery: str | None,
    targets: Path_ | None,
    owners: Path_ | None,
) -> Sides:
    if second is not None:
        info: dict[str, Any] = {"source": [str(first), str(second)]}
        places = [(known(path), arrays_of(known(path))) for path in (first, second)]
        names = (_one(*places[0], queries, "queries"), _one(*places[1], gallery, "gallery"))
        _require_one_order(places[1][0], *names)
        sides = [_side(*place, name) for place, name in zip(places, names, strict=True)]
    else:
        path = known(first)
        if (path / MANIFEST).is_file():
            return _own_folder(path, (queries, gallery, targets, owners))
        arrays = arrays_of(path)
        info, places = {"source": str(path)}, [(path, arrays)]
        if (queries or "queries", gallery or "gallery") == ("queries", "gallery"):
            own = _own_info(path, arrays)
            info = info if own is None else own
        if set(arrays) == {ONLY}:
            for role, name in (("queries", queries), ("gallery", gallery)):
                if name is not None:
                    raise ValueError(
                        f"{role}: expected no name, as {path} holds one array without, got {name!r}"
                    )
            sides, names, places = _both(path, arrays), ((), ()), [(path, {})]
        else:
            matrices = {name: value for name, value in arrays.items() if len(value.shape) == 2}
            picked = [_pick(path, matrices, name, role)
                      for name, role in ((queries, "queries"), (gallery, "gallery"))]  # fmt: skip
            if picked[0] == picked[1]:
                raise ValueError(f"{path}: expected two different arrays, got {picked[0]!r} twice")
            sides, names = [_side(path, arrays, (name,)) for name in picked], ((*picked,), ())
    taken = [set(names[0]), set(names[1])][: len(places)]
    rows = [len(side) for side in sides]
    labels = _labels("targets", targets, places, taken, rows)
    owned = _labels("owners", owners, places, taken, rows[::-1])
    if owned is not None:
        info[OWNERS] = owned.tolist()
    return Sides(sides[0], sides[1], None if labels is None else np.array(labels), info)


def read_matrix(path: Path_, name: str | None = None) -> Array:
    """The one matrix (rows, d) of a file of any kind that `read_pair` knows, or that of `name`.

    A ``.npy`` file is mapped, not read. Raises as `read_pair` does, also where several matrices
    could be meant.
    """
    _require_names(name=name)
    file = known(path)
    arrays = arrays_of(file)
    return _side(file, arrays, _one(file, arrays, name, "rows"))


def iter_rows(path: Path_, name: str | None = None, *, rows: int = 8192) -> Iterator[Array]:
    """The matrix that `read_matrix` would read, at most `rows` rows at a time.

    Files ``.npy`` and folders of them, clip-retrieval's too, are mapped and never whole in memory,
    so that their statistics take little of it:

    >>> import tempfile
    >>> import numpy as np
    >>> from gaputils import GapStatistics
    >>> path = Path(tempfile.mkdtemp()) / "images.npy"
    >>> np.save(path, np.eye(4, dtype=np.float16))
    >>> statistics = GapStatistics(4)
    >>> for block in iter_rows(path, rows=3):
    ...     statistics.update(block, block)
    """
    _require_names(name=name)
    size, file = _checks.integer("rows", rows, low=1), known(path)
    shards = file.is_dir() and ((file / CLIP_RETRIEVAL[0]).is_dir() or any(file.glob("*.npy")))
    if shards and not (file / MANIFEST).is_file():
        parts = shards_of(file)
        key = _one(file, {k: v[0] for k, v in parts.items()}, name, "rows")[0]
        found = parts[key]
    else:
        found = [read_matrix(file, name)]
    for part in found:
        for start in range(0, len(part), size):
            yield np.array(part[start : start + size], dtype=part.dtype.newbyteorder("="))


def write_npy(embeddings: Embeddings, path: Path_) -> list[Path]:
    """Write the gallery's rows to ``path`` and the queries to ``NAME.queries.npy`` beside it.

    Targets and owners follow where the rows' order does not tell them. Returns the files.
    """
    e = embeddings
    beside = {"targets": None if e.paired else e.targets, "owners": e.owners}
    return write_npy_files(named_place("path", path), _writers(e, beside))


def write_npz(embeddings: Embeddings, path: Path_) -> Path:
    """Write one ``.npz`` file that `read_pair` reads with targets, owners and info."""
    e = embeddings
    beside = {"targets": e.targets, "owners": e.owners}
    return write_npz_file(named_place("path", path), _writers(e, beside), without_owners(e.info))


def _writers(e: Embeddings, beside: dict[str, Any]) -> dict[str, Write]:
    tensors = {"queries": e.queries, "gallery": e.gallery, **beside}
    return {k: whole(v.cpu().numpy()) for k, v in tensors.items() if v is not None}


def _own_folder(folder: Path, named: tuple[Any, ...]) -> Sides:
    """What `embed_to_folder` wrote into `folder`."""
    if any(given is not None for given in named):
        raise ValueError(f"{folder}: {OWN}")
    e = load_folder(folder)
    targets = None if e.targets is None else e.targets.numpy()
    return Sides(e.queries.numpy(), e.gallery.numpy(), targets, e.info)


def _own_info(path: Path, arrays: Arrays) -> dict[str, Any] | None:
    """The info that `write_npz` or `Embeddings.save` wrote; None in a file of another's."""
    own = path.suffix == ".safetensors"
    if own and {"queries", "gallery"} <= arrays.keys():
        written = read_safetensors(path)[1].get("info")
    else:
        value = arrays.get("info")
        text = path.suffix == ".npz" and isinstance(value, np.ndarray) and value.dtype.kind == "U"
        written = str(value) if text else None
    try:
        info = None if written is None else json.loads(written)
    except ValueError as error:
        if own:
            raise ValueError(f"{path}: its info is not JSON: {error}") from error
        return None
    return info if isinstance(info, dict) else None


def _both(path: Path, arrays: Arrays) -> list[Array]:
    pair = arrays[ONLY]
    if isinstance(pair, Unusable) or pair.ndim != 3 or len(pair) != 2:
        raise ValueError(
            f"{path}: expected an array (2, rows, dimension), got {pair.shape}; "
            f"give a second file for the other side"
        )
    return list(_real(path, ONLY, pair))


def _one(path: Path, arrays: Arrays, name: str | None, role: str) -> tuple[str, ...]:
    """The name of the one matrix of a file that holds one side, or those of its coordinates."""
    matrices = {key: value for key, value in arrays.items() if len(value.shape) == 2}
    # One column may be labels.
    wide = {k: v for k, v in matrices.items() if v.shape[1] > 1 or not is_label(k)}
    if name is None and len(wide) == 1:
        return tuple(wide)
    if name is None and not matrices and path.suffix == ".parquet":
        numbers = {key: value for key, value in arrays.items() if not is_label(key)}
        kinds = {value.dtype.kind for value in numbers.values() if isinstance(value, np.ndarray)}
        if len(kinds) > 1:
            listed = ", ".join(f"{key!r} {getattr(v, 'dtype', '')}" for key, v in numbers.items())
            raise ValueError(
                f"{path}: expected coordinates of one kind, got {listed}; leave out what is none"
            )
        if numbers:
            return tuple(numbers)
    if not matrices:
        shapes = {key: value.shape for key, value in arrays.items()}
        raise ValueError(f"{path}: expected a matrix (rows, dimension), got {shapes}")
    return (_pick(path, matrices, name, role),)


def _require_one_order(path: Path, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Raise if columns of one name do not stand in the same places of both sides."""
    if len(first) == 1 or set(first).isdisjoint(second):
        return
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            raise ValueError(
                f"{path}: its coordinate number {place} is {other!r}, in the other file {one!r}; "
                f"bring the columns of both into one order"
            )


def _side(path: Path, arrays: Arrays, names: tuple[str, ...]) -> Array:
    """The matrix called so, or the columns of coordinates side by side."""
    values = []
    for name in names:
        value = arrays[name]
        if isinstance(value, Unusable):
            raise ValueError(f"{path}: {value.reason}")
        values.append(value)
    side = values[0] if len(values) == 1 and values[0].ndim == 2 else np.stack(values, axis=1)
    return _real(path, names[0], side)


def _real(path: Path, name: str, value: Array) -> Array:
    """`value`, if it holds real numbers of a width that is computed with."""
    if value.dtype.kind not in "fiu" or value.dtype.itemsize > 8:
        where = path if name == ONLY else f"{path}: {name!r}"
        raise ValueError(f"{where}: expected real numbers of at most 64 bits, got {value.dtype}")
    return value


def _require_one_side(name: str, places: list[tuple[Path, Arrays]]) -> None:
    """Raise `ValueError` if several files have a `name` of their own: labels of their rows."""
    files = [str(path) for path, arrays in places if name in arrays]
    if len(files) > 1:
        raise ValueError(
            f"targets: {name!r} is in {' and in '.join(files)}, as classes of their own rows are; "
            "name the vector or the file that holds the gallery row of each query"
        )


def _labels(
    role: str,
    given: Any,
    places: list[tuple[Path, Arrays]],
    taken: list[set[str]],
    counts: list[int],
) -> Array | None:
    """Targets or owners: from the array or the file `given`, else from what is called so.

    `counts` are the rows that have one each, and those that are meant.
    """
    rows = counts[0]
    if given is None:
        for (path, arrays), sides in zip(places, taken, strict=True):
            name = named(role, str(path), arrays, rows, sides)
            if name is not None:
                found = whole_numbers(role, f"{name!r} of {path}", arrays[name])
                if role == "targets":
                    if counts == [rows, rows]:
                        _require_no_classes(path, name, found)
                    _require_one_side(name, places)
                return found
        return None
    for path, arrays in places:
        if given in arrays:
            return whole_numbers(role, f"{given!r} of {path}", arrays[given])
    file = named_place(role, given)
    if file.suffix not in LABEL_SUFFIXES:
        there = {name: value.shape for _, arrays in places for name, value in arrays.items()}
        raise ValueError(
            f"{role}: expected a vector of {', '.join(str(path) for path, _ in places)} or a file "
            f"{', '.join(LABEL_SUFFIXES)}, got {str(given)!r}; there is {there or 'no name'}"
        )
    if not file.is_file():
        raise FileNotFoundError(f"{role}: there is no file {file}")
    arrays = csv_columns(file) if file.suffix == ".csv" else arrays_of(file)
    only = next(iter(arrays)) if len(arrays) == 1 else named(role, str(file), arrays, rows, set())
    if only is None:
        raise ValueError(f"{role}: which of {', '.join(map(repr, arrays)) or 'none'} in {file}?")
    return whole_numbers(role, f"{only!r} of {file}", arrays[only])


def _require_no_classes(path: Path, name: str, found: Array) -> None:
    """Raise if targets that nobody asked for, beside pairs of rows, may as well be classes.

    Numbers that are no rows of the gallery are refused as such, whatever they are.
    """
    distinct, rows = len(np.unique(found)), len(found)
    if distinct < rows and found.min() >= 0 and found.max() < rows and name.lower() != "targets":
        raise ValueError(
            f"targets: {name!r} of {path} holds {distinct} different numbers in {rows} rows, "
            f"as classes would, and there is a gallery row for each query; ask for {name!r} by "
            f"name if its numbers are gallery rows, else leave it out or rename it"
        )


def _pick(path: Path, arrays: Arrays, name: str | None, role: str) -> str:
    """The name of the array that plays `role`."""
    listed = ", ".join(f"{key!r} {value.shape}" for key, value in arrays.items()) or "none"
    if name is not None:
        if name not in arrays:
            raise ValueError(f"{role}: expected a matrix of {path}, got {name!r}; it has {listed}")
        return name
    if role in arrays:
        return role
    fitting = [key for key in arrays if any(word in key.lower() for word in _WORDS[role])]
    if len(fitting) != 1:
        raise ValueError(
            f"{role}: which matrix of {path} holds them? It has {listed}; name one of them"
        )
    return fitting[0]


def _require_names(**given: Any) -> None:
    """Raise `TypeError` naming the argument if one is neither a name, nor a path, nor None."""
    for argument, value in given.items():
        if value is not None and not isinstance(value, (str, os.PathLike)):
            raise TypeError(
                f"{argument}: expected a name, got {type(value).__name__}; Embeddings takes arrays"
            )
