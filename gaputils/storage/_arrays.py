"""Every array of a file or a folder by its name, whoever wrote it. Never a pickle's objects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaputils._files import load_pickled, read_safetensors
from gaputils._reading import Path_, named_place, reading
from gaputils.storage._folders import folder_arrays
from gaputils.storage._labels import ONLY, Arrays, Unusable, is_named
from gaputils.storage._numpy import mapped_npy, npz_arrays
from gaputils.storage._tables import arrow_columns, parquet_columns

Array = np.ndarray[Any, Any]

SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet", ".arrow", ".pt", ".pth")
TENSORS = "a file of tensors"
_BY_NAME = (
    "Nothing but tensors is ever read from one; where it was made, save them by name: "
    'torch.save({"queries": q, "gallery": g}, "pair.pt")'
)
_CONVERSION = (
    "; pickles are not read, so save its tensors by name: "
    'safetensors.torch.save_file({"queries": q, "gallery": g}, "pair.safetensors")'
)
_CONVERSIONS = dict.fromkeys((".pkl", ".pickle", ".bin", ".ckpt"), _CONVERSION)


def known(path: Path_) -> Path:
    """`path`, if it is a folder or a file of a kind that is read here."""
    file = named_place("path", path)
    if file.is_dir():
        return file
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    if file.suffix not in SUFFIXES:
        raise ValueError(
            f"{file}: expected one of {', '.join(SUFFIXES)}, got {file.suffix!r}"
            f"{_CONVERSIONS.get(file.suffix, '')}"
        )
    return file


def arrays_of(path: Path) -> Arrays:
    """Every array of the file or folder by its name; `ONLY` is that of an array without one."""
    if path.is_dir():
        return folder_arrays(path)
    if path.suffix == ".safetensors":
        tensors, metadata = read_safetensors(path)
        if "closing" in metadata:
            raise ValueError(
                f"{path}: expected embeddings, got a saved closing, {metadata['closing']}, which "
                "gaputils.closing.load reads"
            )
        return {name: _in_numpy(value) for name, value in tensors.items()}
    if path.suffix in (".pt", ".pth"):
        return _tensors(path)
    if path.suffix == ".arrow":
        return arrow_columns([path])
    if path.suffix == ".parquet":
        return parquet_columns(path)
    return {ONLY: mapped_npy(path)} if path.suffix == ".npy" else npz_arrays(path)


def _tensors(path: Path) -> Arrays:
    """The tensors of what `torch.save` wrote: one, or several by their names."""
    with reading(path, TENSORS, remedy=_BY_NAME) as at:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle|Validating sparse")
            content = load_pickled(path)
        if isinstance(content, Tensor):
            content = {ONLY: content}
        if not isinstance(content, Mapping):
            raise at.fault(f"it holds a {type(content).__name__}, no tensors by their names")
        found: dict[str, Array | Unusable] = {}
        for name, value in content.items():
            at.place = f"{name!r}"
            if isinstance(value, Tensor):
                found[str(name)] = _in_numpy(value)
            elif isinstance(value, (list, tuple)) or (value is not None and is_named(str(name))):
                found[str(name)] = Unusable(f"{name!r} is a {type(value).__name__}, no tensor")
        return found


def _in_numpy(value: Tensor) -> Array:
    """`value` as NumPy has it, which knows no bfloat16 and nothing narrower than half."""
    dense = value if value.layout == torch.strided else value.to_dense()
    narrow = dense.dtype.is_floating_point and dense.dtype not in (
        torch.float16, torch.float32, torch.float64
    )  # fmt: skip
    return (dense.float() if narrow else dense).numpy(force=True)
