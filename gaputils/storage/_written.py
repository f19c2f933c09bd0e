"""Where ``.npy`` and ``.npz`` files keep the two sides of a pair and what belongs to them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from gaputils._files import replacing, replacing_together

Array = np.ndarray[Any, Any]
Write = Callable[[IO[bytes]], None]
"""Writes one array in NumPy's format."""


def whole(value: Array) -> Write:
    """What writes an array that is in memory."""
    return partial(np.lib.format.write_array, array=value, allow_pickle=False)


def npy_files_beside(path: Path) -> list[Path]:
    """The files that may come with the ``.npy`` file of a gallery, the queries' first."""
    return [path.with_suffix(f".{name}.npy") for name in ("queries", "targets", "owners")]


def require_none_beside(path: Path, names: Iterable[str], argument: str = "path") -> None:
    """Raise `FileExistsError` if a file that may come with `path` is there, but not among `names`.

    It would tell of the rows of another writing. It is not removed, as labels that someone made by
    hand are called so too, and nothing would tell that they are lost.
    """
    written = {path.with_suffix(f".{name}.npy") for name in names}
    stale = [place for place in npy_files_beside(path) if place.exists() and place not in written]
    if stale:
        left = ", ".join(map(str, stale))
        raise FileExistsError(
            f"{argument}: beside {path} there would still be {left}, of other rows; remove what is "
            "not needed, or name another file"
        )


def write_npy_files(path: Path, arrays: Mapping[str, Write]) -> list[Path]:
    """The gallery in `path` and each other array in ``NAME.WHAT.npy`` beside it, all in one step.

    Returns the files, the gallery's first. Raises as `require_none_beside`.
    """
    require_none_beside(path, arrays)
    places = {path: arrays["gallery"]}
    places |= {path.with_suffix(f".{n}.npy"): w for n, w in arrays.items() if n != "gallery"}
    with replacing_together(list(places)) as parts:
        for part, write in zip(parts, places.values(), strict=True):
            with part.open("wb") as stream:
                write(stream)
    return list(places)


def write_npz_file(
    path: Path, arrays: Mapping[str, Write], info: Mapping[str, Any] | None = None
) -> Path:
    """All `arrays`, and `info` as JSON, in the one file `path`, in one step."""
    beside = {} if info is None else {"info": whole(np.array(json.dumps(info)))}
    members = {**arrays, **beside}
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, write in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                write(stream)
    return path
