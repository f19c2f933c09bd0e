"""Reading a folder of shards: all of it, shard by shard, or only its statistics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import integer
from gaputils._reading import named_place
from gaputils.embeddings import Embeddings
from gaputils.storage._manifest import NAME, Entry, Manifest, pair_info, read_manifest
from gaputils.storage._shard import read_shard


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` of "queries" or "gallery": (rows, dim), and what belongs to each.

    `extra` (rows,) is the target of each query or the image of each caption, where there is one.
    """

    side: str
    start: int
    stop: int
    rows: Tensor
    extra: Tensor | None


def iter_shards(
    folder: str | os.PathLike[str], side: str | None = None, *, share: tuple[int, int] = (0, 1)
) -> Iterator[Shard]:
    """The shards of a finished `folder` one by one, each checked against the manifest.

    `side` is "queries", "gallery" or both; `share` (i, k) takes every k-th shard from the
    i-th on, 0 <= i < k. Raises `FileNotFoundError` or `ValueError`, naming the file, if anything is
    missing, unfinished, damaged, mislabelled, or of another model than the rest, and `TypeError` or
    `ValueError` naming the argument for another side or share.
    """
    if side not in (None, "queries", "gallery"):
        raise ValueError(f"side: expected 'queries', 'gallery' or None, got {side!r}")
    place = named_place("folder", folder)
    first, step = _share(share)
    manifest = _finished(place)
    for entry in manifest.shards[first::step]:
        if side in (None, entry.side):
            yield _shard(place, manifest, entry)


def _shard(folder: Path, manifest: Manifest, entry: Entry) -> Shard:
    tensors = read_shard(folder, manifest, entry)
    rows = tensors.pop(entry.side)
    return Shard(entry.side, entry.start, entry.stop, rows, next(iter(tensors.values()), None))


def _share(value: Any) -> tuple[int, int]:
    """`value` as (i, k), 0 <= i < k."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"share: expected (i, k), every k-th shard from the i-th on, got {value!r}")
    step = integer("share[1]", value[1], low=1)
    return integer("share[0]", value[0], low=0, high=step - 1), step


def load_folder(folder: str | os.PathLike[str]) -> Embeddings:
    """All of a finished `folder` as `embed` would have returned it. Raises as `iter_shards`."""
    place = named_place("folder", folder)
    manifest = _finished(place)
    parts: dict[str, list[Shard]] = {"queries": [], "gallery": []}
    for entry in manifest.shards:
        parts[entry.side].append(_shard(place, manifest, entry))
    owners, targets = _joined(parts["gallery"]), _joined(parts["queries"])
    queries, gallery = (torch.cat([shard.rows for shard in parts[s]]) for s in parts)
    return Embeddings(queries, gallery, targets, pair_info(manifest.description, owners))


def _joined(shards: list[Shard]) -> Tensor | None:
    extras = [shard.extra for shard in shards if shard.extra is not None]
    return torch.cat(extras) if len(extras) == len(shards) else None


def refuse_strangers(folder: Path, manifest: Manifest) -> None:
    known = {entry.file for entry in manifest.shards}
    for path in sorted(folder.glob("*.safetensors")):
        if path.name not in known:
            raise ValueError(f"folder: {path} is no shard of the run that {NAME} describes")


def _finished(folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    if not manifest.complete:
        there = sum((folder / entry.file).is_file() for entry in manifest.shards)
        raise ValueError(
            f"folder: {folder} is not finished, {there} of {len(manifest.shards)} shards are "
            f"there: start the same embed_to_folder call again"
        )
    refuse_strangers(folder, manifest)
    return manifest
