"""Reading pairs of embeddings from the files that people already have. Never a pickle."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gaputils._files import read_safetensors
from gaputils.embeddings import Embeddings

Path_ = str | os.PathLike[str]
Array = np.ndarray[Any, Any]

SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet")
_BEGINNINGS = {".npy": b"\x93NUMPY", ".npz": b"PK"}
_WORDS = {
    "queries": ("quer", "image", "img", "video", "vision"),
    "gallery": ("galler", "text", "txt", "caption", "class"),
    "targets": ("target", "label"),
}


def read_pair(
    first: Path_,
    second: Path_ | None = None,
    *,
    queries: str | None = None,
    gallery: str | None = None,
    targets: str | None = None,
) -> Embeddings:
    """Two sides from one file that holds both, or from one file each.

    ``.npy``: an array (2, n, d) with the queries first, or (n, d) and a second file. ``.npz`` and
    ``.safetensors``: two named matrices, with `targets` (n,) if there are any. ``.parquet``: two
    columns of vectors; or, with a second file, one column of vectors or only columns of numbers.
    `queries`, `gallery` and `targets` name the arrays or columns; left out, names with "quer",
    "image", "img", "video" or "vision" are queries, those with "galler", "text", "txt", "caption"
    or "class" the gallery, and "target" or "label" the targets.

    Raises `FileNotFoundError` for a missing file and `ValueError` for one that is of another
    kind, truncated, ambiguous, or a pickle, with the names that there are.
    """
    if second is not None:
        one, other = _one(first, queries, "queries"), _one(second, gallery, "gallery")
        source = [str(first), str(second)]
        return Embeddings(_tensor(one), _tensor(other), None, {"source": source})
    path = _known(first)
    info: dict[str, Any] = {"source": str(path)}
    arrays = _arrays(path)
    if path.suffix == ".safetensors" and queries is gallery is targets is None:
        tensors, metadata = read_safetensors(path)
        if {"queries", "gallery"} <= set(tensors) and "info" in metadata:
            return Embeddings.load(path)
    if path.suffix == ".npy":
        pair = arrays["array"]
        if pair.ndim != 3 or len(pair) != 2:
            raise ValueError(
                f"{path}: expected an array (2, rows, dimension), got {pair.shape}; "
                f"give a second file for the other side"
            )
        return Embeddings(_tensor(pair[0]), _tensor(pair[1]), None, info)
    matrices = {name: value for name, value in arrays.items() if value.ndim == 2}
    vectors = {name: value for name, value in arrays.items() if value.ndim == 1}
    first_name = _pick(path, matrices, queries, "queries")
    second_name = _pick(path, matrices, gallery, "gallery")
    if first_name == second_name:
        raise ValueError(f"{path}: expected two different arrays, got {first_name!r} for both")
    found = _optional(path, vectors, targets)
    return Embeddings(
        _tensor(matrices[first_name]),
        _tensor(matrices[second_name]),
        None if found is None else _tensor(vectors[found]),
        info,
    )


def _one(path: Path_, name: str | None, role: str) -> Array:
    """The one matrix of a file that holds one side."""
    file = _known(path)
    arrays = _arrays(file)
    matrices = {key: value for key, value in arrays.items() if value.ndim == 2}
    if name is None and len(matrices) == 1:
        return next(iter(matrices.values()))
    if name is None and not matrices and file.suffix == ".parquet":
        numbers = [value for value in arrays.values() if value.dtype.kind in "fiu"]
        if len(numbers) == len(arrays):
            return np.stack(numbers, axis=1)
    if not matrices:
        shapes = {key: value.shape for key, value in arrays.items()}
        raise ValueError(f"{file}: expected a matrix (rows, dimension), got {shapes}")
    return matrices[_pick(file, matrices, name, role)]


def _known(path: Path_) -> Path:
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    if file.suffix not in SUFFIXES:
        raise ValueError(f"{file}: expected one of {', '.join(SUFFIXES)}, got {file.suffix!r}")
    return file


def _arrays(path: Path) -> dict[str, Array]:
    """Every array of the file by its name."""
    if path.suffix == ".safetensors":
        return {name: value.float().numpy() if value.is_floating_point() else value.numpy()
                for name, value in read_safetensors(path)[0].items()}  # fmt: skip
    if path.suffix == ".parquet":
        return _columns(path)
    with path.open("rb") as file:
        if not file.read(8).startswith(_BEGINNINGS[path.suffix]):
            raise ValueError(f"{path}: it is not a whole {path.suffix} file; pickles are not read")
    try:
        if path.suffix == ".npy":
            return {"array": np.load(path, mmap_mode="r", allow_pickle=False)}
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        if "allow_pickle" in str(error):
            reason = "it holds Python objects (a pickle), which are never loaded"
        else:
            reason = f"it is not a whole {path.suffix} file ({error})"
        raise ValueError(f"{path}: {reason}") from error
    strangers = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if strangers:
        raise ValueError(f"{path}: it is no .npz file of arrays but holds {strangers[0]!r}")
    return arrays


def _columns(path: Path) -> dict[str, Array]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ValueError(f"{path}: reading it needs pyarrow: pip install gaputils[data]") from error
    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path}: it is not a whole .parquet file ({error})") from error
    columns: dict[str, Array] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        flat = column.combine_chunks()
        if pa.types.is_list(flat.type) or pa.types.is_large_list(flat.type):
            lengths = set(flat.value_lengths().to_pylist())
            if len(lengths) != 1 or None in lengths:
                raise ValueError(f"{path}: the vectors in column {name!r} differ in length")
            columns[name] = flat.flatten().to_numpy(zero_copy_only=False).reshape(len(flat), -1)
        elif pa.types.is_fixed_size_list(flat.type):
            columns[name] = flat.flatten().to_numpy(zero_copy_only=False).reshape(len(flat), -1)
        elif pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type):
            columns[name] = flat.to_numpy(zero_copy_only=False)
    return columns


def _pick(path: Path, arrays: dict[str, Array], name: str | None, role: str) -> str:
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


def _optional(path: Path, vectors: dict[str, Array], name: str | None) -> str | None:
    if name is not None:
        if name not in vectors:
            raise ValueError(
                f"targets: expected a vector of {path}, got {name!r}; it has {list(vectors)}"
            )
        return name
    whole = {key: value for key, value in vectors.items() if value.dtype.kind in "iu"}
    if "targets" in whole:
        return "targets"
    fitting = [key for key in whole if any(word in key.lower() for word in _WORDS["targets"])]
    return fitting[0] if len(fitting) == 1 else None


def _tensor(array: Array) -> Any:
    import torch

    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
