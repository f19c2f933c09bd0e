"""NumPy's own files: nothing in them is believed before it was counted, and no pickle is loaded."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np

from gaputils._reading import reading, require_members, shown

Array = np.ndarray[Any, Any]


def mapped_npy(path: Path) -> Array:
    """The array of a ``.npy`` file, mapped, not read."""
    with reading(path, "a whole .npy file") as at, path.open("rb") as file:
        shape, _, dtype = _header(file)
        size, there = math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell()
        if size != there:
            raise at.fault(f"it declares {shape} of {dtype}, {size} bytes, and holds {there}")
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def npz_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a ``.npz`` file by their names."""
    arrays = {}
    with reading(path, "a whole .npz file") as at, zipfile.ZipFile(path) as archive:
        require_members(path, archive)
        for member in archive.infolist():
            if member.is_dir() or not shown(PurePath(member.filename)):
                continue
            name = member.filename.removesuffix(".npy")
            at.place = f"array {name!r}"
            if name in arrays:
                raise at.fault("there are two of this name")
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
