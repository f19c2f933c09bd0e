"""Reading pairs of embeddings from the files that people already have. Never a pickle."""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from gaputils._files import read_safetensors, replacing
from gaputils._reading import reading
from gaputils.embeddings import OWNERS, Embeddings
from gaputils.storage._labels import (
    LABEL_SUFFIXES,
    Arrays,
    Unusable,
    csv_columns,
    named,
    whole_numbers,
)

Path_ = str | os.PathLike[str]
Array = np.ndarray[Any, Any]

SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet")
_CONVERSION = (
    "; pickles are not read, so save its tensors by name: "
    'safetensors.torch.save_file({"queries": q, "gallery": g}, "pair.safetensors")'
)
_CONVERSIONS = dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt"), _CONVERSION)
_WORDS = {
    "queries": ("quer", "image", "img", "video", "vision"),
    "gallery": ("galler", "text", "txt", "caption", "class"),
}
_INDEX = re.compile(r"__index_level_\d+__")


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
    ``.safetensors``: two named matrices. ``.parquet``: two columns of vectors; or, with a second
    file, one column of vectors or only columns of numbers. What pandas wrote as an index is left
    out. `queries` and `gallery` name the arrays or columns; left out, names with "quer", "image",
    "img", "video" or "vision" are queries, those with "galler", "text", "txt", "caption" or "class"
    the gallery.

    `targets` (n,), the gallery row that answers each query, and `owners` (m,), the query that each
    gallery row belongs to (kept as ``info["caption_image"]``), are whole numbers, (n, 1) or floats
    too. They are the name of an array in one of the files, or a file of their own: ``.npy``,
    ``.npz``, ``.safetensors``, ``.parquet`` or ``.csv`` with one array or column, or one called so.
    Left out, arrays with "target", "label" or "owner" in their names are they. With `normalize`
    all rows are scaled to norm 1.

    Raises `FileNotFoundError` for a missing file and `ValueError` for one that is of another kind,
    truncated, ambiguous or a pickle, that lacks values, or holds targets that cannot be used.
    """
    if second is not None:
        info: dict[str, Any] = {"source": [str(first), str(second)]}
        places = [(_known(path), _arrays(_known(path))) for path in (first, second)]
        names = (_one(*places[0], queries, "queries"), _one(*places[1], gallery, "gallery"))
        sides = [_side(*place, name) for place, name in zip(places, names, strict=True)]
    else:
        path = _known(first)
        arrays = _arrays(path)
        info, places = {"source": str(path)}, [(path, arrays)]
        if (queries or "queries", gallery or "gallery") == ("queries", "gallery"):
            own = _own_info(path, arrays)
            info = info if own is None else own
        if path.suffix == ".npy":
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
    labels = _labels("targets", targets, places, taken, rows[0])
    owned = _labels("owners", owners, places, taken, rows[1])
    if owned is not None:
        info[OWNERS] = owned.tolist()
    chosen = None if labels is None else _tensor(labels)
    return Embeddings(_tensor(sides[0]), _tensor(sides[1]), chosen, info, normalize)


def read_matrix(path: Path_, name: str | None = None) -> Array:
    """The one matrix (rows, d) of a file of any kind that `read_pair` knows, or that of `name`.

    A ``.npy`` file is mapped, not read. Raises as `read_pair` does, also where several matrices
    could be meant.
    """
    file = _known(path)
    arrays = _arrays(file)
    return _side(file, arrays, _one(file, arrays, name, "rows"))


def write_npz(embeddings: Embeddings, path: Path_) -> Path:
    """Write one ``.npz`` file that `read_pair` reads with targets, owners and info."""
    e, file = embeddings, Path(path)
    info = {key: value for key, value in e.info.items() if key != OWNERS}
    extra = {"targets": e.targets, "owners": e.owners}
    sides = {"queries": e.queries, "gallery": e.gallery}
    known = {name: value for name, value in extra.items() if value is not None}
    arrays: dict[str, Any] = {k: v.cpu().numpy() for k, v in {**sides, **known}.items()}
    with replacing(file) as part, part.open("wb") as stream:
        np.savez(stream, info=np.array(json.dumps(info)), **arrays)
    return file


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
    pair = arrays["array"]
    if isinstance(pair, Unusable) or pair.ndim != 3 or len(pair) != 2:
        raise ValueError(
            f"{path}: expected an array (2, rows, dimension), got {pair.shape}; "
            f"give a second file for the other side"
        )
    return [pair[0], pair[1]]


def _one(path: Path, arrays: Arrays, name: str | None, role: str) -> tuple[str, ...]:
    """The name of the one matrix of a file that holds one side, or those of its coordinates."""
    matrices = {key: value for key, value in arrays.items() if len(value.shape) == 2}
    # One column may be labels.
    wide = {k: v for k, v in matrices.items() if v.shape[1] > 1 or not _is_label(k)}
    if name is None and len(wide) == 1:
        return tuple(wide)
    if name is None and not matrices and path.suffix == ".parquet":
        numbers = {key: value for key, value in arrays.items() if not _is_label(key)}
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


def _is_label(name: str) -> bool:
    return any(word in name.lower() for word in ("target", "label", "owner"))


def _side(path: Path, arrays: Arrays, names: tuple[str, ...]) -> Array:
    """The matrix called so, or the columns of coordinates side by side."""
    values = []
    for name in names:
        value = arrays[name]
        if isinstance(value, Unusable):
            raise ValueError(f"{path}: {value.reason}")
        values.append(value)
    return values[0] if len(values) == 1 and values[0].ndim == 2 else np.stack(values, axis=1)


def _labels(
    role: str,
    given: Any,
    places: list[tuple[Path, Arrays]],
    taken: list[set[str]],
    rows: int,
) -> Array | None:
    """Targets or owners: from the array or the file `given`, else from what is called so."""
    if given is None:
        for (path, arrays), sides in zip(places, taken, strict=True):
            name = named(role, str(path), arrays, rows, sides)
            if name is not None:
                return whole_numbers(role, f"{name!r} of {path}", arrays[name])
        return None
    for path, arrays in places:
        if given in arrays:
            return whole_numbers(role, f"{given!r} of {path}", arrays[given])
    file = Path(given)
    if file.suffix not in LABEL_SUFFIXES:
        there = {name: value.shape for _, arrays in places for name, value in arrays.items()}
        raise ValueError(
            f"{role}: expected a vector of {', '.join(str(path) for path, _ in places)} or a file "
            f"{', '.join(LABEL_SUFFIXES)}, got {str(given)!r}; there is {there or 'no name'}"
        )
    if not file.is_file():
        raise FileNotFoundError(f"{role}: there is no file {file}")
    arrays = csv_columns(file) if file.suffix == ".csv" else _arrays(file)
    only = next(iter(arrays)) if len(arrays) == 1 else named(role, str(file), arrays, rows, set())
    if only is None:
        raise ValueError(f"{role}: which of {', '.join(map(repr, arrays)) or 'none'} in {file}?")
    return whole_numbers(role, f"{only!r} of {file}", arrays[only])


def _known(path: Path_) -> Path:
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    if file.suffix not in SUFFIXES:
        raise ValueError(
            f"{file}: expected one of {', '.join(SUFFIXES)}, got {file.suffix!r}"
            f"{_CONVERSIONS.get(file.suffix, '')}"
        )
    return file


def _arrays(path: Path) -> Arrays:
    """Every array of the file by its name."""
    if path.suffix == ".safetensors":
        return {name: value.float().numpy() if value.is_floating_point() else value.numpy()
                for name, value in read_safetensors(path)[0].items()}  # fmt: skip
    if path.suffix == ".parquet":
        return _columns(path)
    return _npy(path) if path.suffix == ".npy" else _npz(path)


def _npy(path: Path) -> dict[str, Array]:
    with reading(path, "a whole .npy file") as at, path.open("rb") as file:
        shape, _, dtype = _header(file)
        size = math.prod(shape) * dtype.itemsize
        if size > path.stat().st_size - file.tell():
            raise at.fault(f"it declares {shape} of {dtype}, {size} bytes, and ends before")
        return {"array": np.load(path, mmap_mode="r", allow_pickle=False)}


def _npz(path: Path) -> dict[str, Array]:
    arrays = {}
    with reading(path, "a whole .npz file") as at, zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            at.place = f"array {name!r}"
            with archive.open(member) as stream:
                shape, in_columns, dtype = _header(stream)
                content = stream.read()
            if len(content) != math.prod(shape) * dtype.itemsize:
                raise at.fault(f"it declares {shape} of {dtype} and holds {len(content)} bytes")
            rows = np.frombuffer(content, dtype)
            arrays[name] = rows.reshape(shape, order="F" if in_columns else "C")
    return arrays


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type of the array whose bytes come next."""
    version = np.lib.format.read_magic(stream)
    one = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
    shape, in_columns, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects (a pickle), which are never loaded")
    if min(shape, default=0) < 0:
        raise ValueError(f"it declares the shape {shape}")
    return shape, in_columns, dtype


def _columns(path: Path) -> Arrays:
    try:
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ValueError(f"{path}: reading it needs pyarrow: pip install gaputils[data]") from error
    with reading(path, "a whole .parquet file"):
        table = parquet.read_table(path)
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    columns: dict[str, Array | Unusable] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        # An index is no coordinate, but it may be the labels.
        if _is_label(name) or (name not in index and not _INDEX.fullmatch(name)):
            values = _column(name, column.combine_chunks())
            if values is not None:
                columns[name] = values
    return columns


def _column(name: str, column: Any) -> Array | Unusable | None:
    """The numbers or vectors of an Arrow `column`; None if it holds something else."""
    import pyarrow as pa

    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    vectors = is_list or pa.types.is_fixed_size_list(kind)
    numbers = kind.value_type if vectors else kind
    if not (pa.types.is_floating(numbers) or pa.types.is_integer(numbers)):
        return None
    rows = len(column)
    shape = (rows, -1) if vectors else (rows,)
    if column.null_count:
        return Unusable(f"column {name!r} lacks {column.null_count} of {rows} rows", shape)
    if not vectors:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if is_list and len(set(column.value_lengths().to_pylist())) != 1:
        return Unusable(f"the vectors in column {name!r} differ in length", shape)
    flat = column.flatten()
    if flat.null_count:
        return Unusable(f"column {name!r} lacks {flat.null_count} numbers in {rows} rows", shape)
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(rows, -1)


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


def _tensor(array: Array) -> Any:
    import torch

    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
