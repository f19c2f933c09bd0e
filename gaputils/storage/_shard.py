"""One shard on disk: written whole or not at all, and believed only after it was checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from gaputils._files import digest, file_sha256, read_metadata, read_safetensors, write_safetensors
from gaputils.storage._manifest import Entry, Manifest

EXTRA = {"queries": "targets", "gallery": "caption_image"}
"""What a shard may hold beside its rows: integers, one a row."""


def write_shard(
    folder: Path,
    manifest: Manifest,
    entry: Entry,
    tensors: dict[str, Tensor],
    source: str | None = None,
) -> None:
    """Write a shard, with the digest of its `source`, in one step.

    Raises `OSError`, saying what is kept, if it cannot be.
    """
    path = folder / entry.file
    try:
        for left in folder.glob(f".{entry.file}.*.part"):
            left.unlink()
        label = {**_label(manifest, entry), "content": digest(tensors)}
        write_safetensors(path, tensors, label if source is None else {**label, "source": source})
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"{path} could not be written ({error}). The shards written before are whole: make "
            f"room or choose another disk, and start the same command again"
        ) from error


def read_shard(folder: Path, manifest: Manifest, entry: Entry) -> dict[str, Tensor]:
    """The tensors of a shard. Raises `FileNotFoundError` or `ValueError` if it is not what the
    manifest says: missing, truncated, of another run, mislabelled, of a wrong shape or changed.
    """
    path = folder / entry.file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; the same embed_to_folder call makes it again")
    try:
        tensors, metadata = read_safetensors(path)
    except ValueError as error:
        raise _damaged(path, f"it is truncated or no safetensors file ({error})") from error
    for key, expected in _label(manifest, entry).items():
        found = metadata.get(key)
        if found != expected and key == "fingerprint":
            raise _damaged(path, "it is from another run (model, data or settings) or was changed")
        if found != expected:
            raise _damaged(path, f"mislabelled: {key} is {found!r}, expected {expected!r}")
    shape = (entry.stop - entry.start, manifest.description["dim"])
    rows = tensors.get(entry.side)
    if rows is None or tuple(rows.shape) != shape or rows.dtype != torch.float32:
        got = {name: (tuple(value.shape), str(value.dtype)) for name, value in tensors.items()}
        raise _damaged(path, f"expected {entry.side!r} of shape {shape} in float32, got {got}")
    extra = tensors.get(EXTRA[entry.side])
    if extra is not None and (tuple(extra.shape) != shape[:1] or extra.dtype != torch.int64):
        raise _damaged(path, f"{EXTRA[entry.side]!r} is not {shape[0]} integers")
    if entry.sha256 is None:
        same = metadata.get("content") == digest(tensors)
    else:
        same = file_sha256(path) == entry.sha256
    if not same:
        raise _damaged(path, "its checksum is not the one recorded: it was changed or decayed")
    if not bool(torch.isfinite(rows).all()):
        raise _damaged(path, "it holds NaN or infinity")
    return tensors


def shard_source(folder: Path, entry: Entry) -> str | None:
    """The digest of what a whole shard was made of, where it was recorded."""
    return read_metadata(folder / entry.file).get("source")


def _label(manifest: Manifest, entry: Entry) -> dict[str, Any]:
    return {
        "fingerprint": manifest.fingerprint,
        "side": entry.side,
        "start": str(entry.start),
        "stop": str(entry.stop),
    }


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path}: {reason}. Nothing else is lost: delete this one file, and the same "
        f"embed_to_folder call makes it again"
    )
