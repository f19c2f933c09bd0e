"""Folders of embeddings as other tools write them: shards of arrays, clip-retrieval, `datasets`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gaputils._reading import read_json, reading
from gaputils.storage._labels import ONLY, Arrays, Unusable, is_label
from gaputils.storage._manifest import NAME as MANIFEST
from gaputils.storage._numpy import mapped_npy
from gaputils.storage._tables import arrow_columns, parquet_columns

Array = np.ndarray[Any, Any]

CLIP_RETRIEVAL = ("img_emb", "text_emb")
OWN = (
    "a folder of shards holds both sides and names them itself; leave out the second file and the "
    "names"
)
_SPLITS, _STATE = "dataset_dict.json", "state.json"
_NUMBERED = re.compile(r"(.*?)[-_.]?(\d+)(?:-of-(\d+)(?:-[0-9a-f]+)?)?")
_KNOWN = (
    "expected .npy or .parquet files with numbered shards, clip-retrieval's img_emb and text_emb, "
    "what `save_to_disk` of Hugging Face's datasets writes, or shards of `gaputils embed`"
)


def folder_arrays(folder: Path) -> Arrays:
    """Every array of the folder by its name, the shards of one below each other.

    Files ``x_0.npy``, ``x_1.npy``, … are shards of "x" in the order of their numbers, a lone
    ``x.npy`` is all of it, and an array that has the folder to itself needs no name. Numbered
    ``.parquet`` files are the shards of one table. clip-retrieval gives "img_emb", "text_emb" and
    the numbers of its metadata; Hugging Face's `datasets` the columns that hold numbers or vectors.
    Raises `ValueError` for a folder of another kind, one of
    several splits, and one that lacks a shard.
    """
    if (folder / MANIFEST).is_file():
        raise ValueError(f"{folder}: {OWN}")
    if (folder / _SPLITS).is_file():
        splits = ", ".join(str(folder / name) for name in _splits(folder))
        raise ValueError(f"{folder}: it holds several splits; give the folder of one: {splits}")
    if (folder / _STATE).is_file():
        return arrow_columns(_data_files(folder))
    tables = _visible(folder, ".parquet")
    if tables and not _visible(folder, ".npy") and not _is_clip_retrieval(folder):
        return _tables(folder, tables)
    parts = shards_of(folder)
    arrays: dict[str, Array | Unusable] = {
        name: cut[0] if len(cut) == 1 else np.concatenate(cut) for name, cut in parts.items()
    }
    metadata = folder / "metadata"
    if parts.keys() & set(CLIP_RETRIEVAL) and metadata.is_dir():
        rows = {value.shape[0] for value in arrays.values()}
        arrays = {**_labels_beside(metadata, rows), **arrays}
    return arrays


def shards_of(folder: Path) -> dict[str, list[Array]]:
    """The mapped shards (rows, d) or (rows,) of each array of a folder of ``.npy`` files."""
    places = [folder / name for name in CLIP_RETRIEVAL if (folder / name).is_dir()]
    if places:
        sides = {place.name: _only(place) for place in places}
        cuts = [{f.stem.removeprefix(p.name) for f in _visible(p, ".npy")} for p in places]
        if alone := cuts[0] ^ cuts[-1]:
            raise ValueError(
                f"{folder}: of {' and '.join(p.name for p in places)} only one has the shard "
                f"{min(alone)!r}; without it rows would move. Copy it too"
            )
        return sides
    groups = in_order(folder, _visible(folder, ".npy"))
    if not groups:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise ValueError(f"{folder}: {_KNOWN}; it holds {held}")
    parts = {name: _mapped(files) for name, files in groups.items()}
    return {ONLY: next(iter(parts.values()))} if len(parts) == 1 else parts


def _is_clip_retrieval(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in CLIP_RETRIEVAL)


def _tables(folder: Path, files: list[Path]) -> Arrays:
    """The columns of numbered ``.parquet`` files below each other."""
    groups = in_order(folder, files)
    if len(groups) > 1:
        raise ValueError(
            f"{folder}: expected the shards of one table, got {', '.join(map(repr, groups))}"
        )
    (paths,) = groups.values()
    tables = [parquet_columns(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if table.keys() != tables[0].keys():
            raise ValueError(
                f"{path}: expected the columns {', '.join(tables[0])} as in {paths[0].name}, "
                f"got {', '.join(table)}"
            )
    return {name: _below_each_other([t[name] for t in tables], paths) for name in tables[0]}


def _below_each_other(
    values: list[Array | Unusable], paths: list[Path] | None = None
) -> Array | Unusable:
    """The `values` as one array, if all can be used; those of `paths` have to be alike."""
    strange = next((value for value in values if isinstance(value, Unusable)), None)
    if strange is not None:
        return strange
    whole = [value for value in values if not isinstance(value, Unusable)]
    if paths is not None:
        _require_alike(paths, whole)
    return np.concatenate(whole)


def _only(place: Path) -> list[Array]:
    parts = shards_of(place)
    if len(parts) != 1:
        raise ValueError(f"{place}: expected the shards of one array, got {', '.join(parts)}")
    return next(iter(parts.values()))


def _visible(folder: Path, suffix: str) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() == suffix and not path.name.startswith(".")
    ]


def in_order(folder: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """The `files` of each array by their numbers.

    Raises `ValueError` where a shard lacks, also of as many as their names say, or is there twice.
    """
    groups: dict[str, dict[int, Path]] = {}
    totals: dict[str, set[int]] = {}
    for path in sorted(files):
        found = _NUMBERED.fullmatch(path.stem)
        name, number = (found[1], int(found[2])) if found else (path.stem, 0)
        twin = groups.setdefault(name, {}).setdefault(number, path)
        if twin is not path:
            raise ValueError(f"{folder}: {twin.name} and {path.name} are the same shard")
        if found and found[3]:
            totals.setdefault(name, set()).add(int(found[3]))
    for name, numbered in groups.items():
        stated = totals.get(name, set())
        if len(stated) > 1:
            counts = " and ".join(map(str, sorted(stated)))
            raise ValueError(f"{folder}: the shards {name!r} are of {counts}, two ways to cut one")
        if len(numbered) > 1 and 0 in numbered and not _NUMBERED.fullmatch(numbered[0].stem):
            raise ValueError(
                f"{folder}: {numbered[0].name} has no number, but {numbered[max(numbered)].name}: "
                "expected all rows in one file, or shards that are all numbered"
            )
        first, last = min(*numbered, 1), max(numbered) if len(numbered) > 1 else 0
        if name in CLIP_RETRIEVAL:  # which numbers its shards so
            first = 0
        if stated:
            first = int(max(stated) in numbered)
            last = first + max(stated)
        lacking = set(range(first, last)) - numbered.keys()
        if lacking:
            raise ValueError(
                f"{folder}: {len(lacking)} of the shards {name!r} are not there, the first is "
                f"number {min(lacking)}; without them rows would move. Copy them too"
            )
    return {name: [shards[n] for n in sorted(shards)] for name, shards in sorted(groups.items())}


def _mapped(files: list[Path]) -> list[Array]:
    """The arrays of `files`, which must go below each other."""
    parts = [mapped_npy(path) for path in files]
    for path, part in zip(files, parts, strict=True):
        if len(parts) > 1 and part.ndim not in (1, 2):
            raise ValueError(f"{path}: expected a shard (rows, dimension), got {part.shape}")
    _require_alike(files, parts)
    return parts


def _require_alike(files: list[Path], parts: list[Array]) -> None:
    for path, part in zip(files, parts, strict=True):
        if (part.shape[1:], part.dtype) != (parts[0].shape[1:], parts[0].dtype):
            raise ValueError(
                f"{path}: expected rows {parts[0].shape[1:]} of {parts[0].dtype} as in "
                f"{files[0].name}, got {part.shape[1:]} of {part.dtype}"
            )


def _labels_beside(metadata: Path, rows: set[int]) -> Mapping[str, Array | Unusable]:
    """The columns of clip-retrieval's metadata that may be labels, one value for each row."""
    groups = in_order(metadata, _visible(metadata, ".parquet"))
    found: dict[str, Array | Unusable] = {}
    for files in groups.values():
        tables = [parquet_columns(path) for path in files]
        names = dict.fromkeys(name for table in tables for name in table)
        for name in filter(is_label, names):
            values = [table.get(name, Unusable(f"{metadata} lacks it")) for table in tables]
            found[name] = value = _below_each_other(values)
            if not isinstance(value, Unusable) and {len(value)} != rows:
                raise ValueError(
                    f"{metadata}: column {name!r} has {len(value)} rows, the embeddings "
                    f"{' and '.join(map(str, sorted(rows)))}"
                )
    return found


def _splits(folder: Path) -> list[str]:
    content = read_json(folder / _SPLITS)
    with reading(folder / _SPLITS, "a list of splits"):
        return [str(name) for name in content["splits"]]


def _data_files(folder: Path) -> list[Path]:
    """The files of a saved data set in its own order, none of them outside of its folder."""
    state = read_json(folder / _STATE)
    with reading(folder / _STATE, "the state of a saved data set") as at:
        if state.get("_indices_data_files") or state.get("_indices_files"):
            raise at.fault("its rows are picked by a file of indices; save `flatten_indices()`")
        names = [entry["filename"] for entry in state["_data_files"]]
        if not names or any(Path(name).name != name for name in names):
            raise at.fault(f"it names the files {names}")
    files = [folder / name for name in names]
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}, which {_STATE} names")
    return files
