"""The manifest of a folder of shards: what was embedded, with what, and what every file holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from gaputils._files import file_sha256, write_text
from gaputils._reading import read_json, reading

FORMAT = "gaputils-shards/1"
NAME = "manifest.json"
SIDES = ("gallery", "queries")

_FILE = re.compile(r"(queries|gallery)-\d{5,}\.safetensors")
_HASH = re.compile(r"[0-9a-f]{64}")
_OWN = ("complete", "fingerprint", "shards")
_DESCRIPTION: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "model": str,
    "tag": (str, type(None)),
    "model_info": dict,
    "weights_sha256": str,
    "precision": str,
    "device": str,
    "dim": int,
    "dataset": str,
    "split": str,
    "dataset_info": dict,
    "kind": str,
    "content_sha256": str,
    "templates": (list, type(None)),
    "rows": dict,
    "shard_size": int,
    "batch_size": int,
    "versions": dict,
}


@dataclass(frozen=True)
class Entry:
    """One shard: rows `start` to `stop` of a side; the checksum is known once all are written."""

    file: str
    side: str
    start: int
    stop: int
    sha256: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A description of the run and its shards."""

    description: dict[str, Any]
    shards: tuple[Entry, ...]

    @property
    def complete(self) -> bool:
        return all(shard.sha256 is not None for shard in self.shards)

    @property
    def fingerprint(self) -> str:
        """Tells runs apart: the SHA-256 of the description; every shard carries it."""
        content = json.dumps(self.description, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    def with_checksums(self, folder: Path) -> Manifest:
        """The same with the SHA-256 of every file in `folder`."""
        shards = (replace(shard, sha256=file_sha256(folder / shard.file)) for shard in self.shards)
        return Manifest(self.description, tuple(shards))


def plan(description: Mapping[str, Any]) -> Manifest:
    """The manifest before anything is embedded: shards of `shard_size` rows of either side."""
    plain = json.loads(json.dumps(dict(description), default=str))
    shards = []
    for side in SIDES:
        size, rows = plain["shard_size"], plain["rows"][side]
        for number, start in enumerate(range(0, rows, size)):
            name = f"{side}-{number:05d}.safetensors"
            shards.append(Entry(name, side, start, min(start + size, rows)))
    return Manifest(plain, tuple(shards))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` in one step; the same manifest gives the same bytes."""
    content = {
        **manifest.description,
        "fingerprint": manifest.fingerprint,
        "complete": manifest.complete,
        "shards": [vars(shard) for shard in manifest.shards],
    }
    write_text(folder / NAME, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of `folder`, checked for all that can be known without the shards.

    Raises `FileNotFoundError` if there is none and `ValueError`, saying what is wrong, if it is
    damaged, contradicts itself, or names a file that is not one of its own shards.
    """
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(f"folder: {folder} has no {NAME}; it is no folder of shards")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}")
    for key, kind in _DESCRIPTION.items():
        if key not in content or not isinstance(content[key], kind):
            raise ValueError(f"{path}: {key!r} is missing or of another type")
    entries = content.get("shards")
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: 'shards' is missing, empty or no list")
    shards = tuple(_entry(path, entry) for entry in entries)
    description = {key: value for key, value in content.items() if key not in _OWN}
    manifest = Manifest(description, shards)
    if content.get("fingerprint") != manifest.fingerprint:
        raise ValueError(f"{path}: its fingerprint is not that of its description; it was changed")
    with reading(path, "a manifest") as at:
        at.place = "rows and shard_size"
        if _shard_count(description) != len(shards):
            raise at.fault("the shards listed are not those of its rows and shard_size")
        expected = plan(description).shards
    if tuple(replace(shard, sha256=None) for shard in shards) != expected:
        raise ValueError(f"{path}: the shards listed are not those of its rows and shard_size")
    if content.get("complete") is not manifest.complete:
        raise ValueError(f"{path}: 'complete' does not fit the checksums")
    return manifest


def _shard_count(description: Mapping[str, Any]) -> int:
    """How many shards there are, without making them: a wrong size would make too many."""
    return sum(-(-description["rows"][side] // description["shard_size"]) for side in SIDES)


def _entry(path: Path, entry: Any) -> Entry:
    if not isinstance(entry, dict) or set(entry) != {"file", "side", "start", "stop", "sha256"}:
        raise ValueError(f"{path}: a shard has other fields than file, side, start, stop, sha256")
    name, checksum = entry["file"], entry["sha256"]
    if not isinstance(name, str) or not _FILE.fullmatch(name):
        raise ValueError(f"{path}: {name!r} is not the name of a shard of this folder")
    if checksum is not None and not (isinstance(checksum, str) and _HASH.fullmatch(checksum)):
        raise ValueError(f"{path}: {name} has no SHA-256 but {checksum!r}")
    return Entry(**entry)


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """What two descriptions disagree in, in words."""
    found = []
    for key in sorted({*first, *second}):
        a, b = first.get(key), second.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            inner = [k for k in sorted({*a, *b}) if a.get(k) != b.get(k)]
            found += [f"{key}.{k}: {_short(a.get(k))}, now {_short(b.get(k))}" for k in inner]
        elif a != b:
            found.append(f"{key}: {_short(a)}, now {_short(b)}")
    return "; ".join(found)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def pair_info(description: Mapping[str, Any], owners: Tensor | None) -> dict[str, Any]:
    """The `info` of embeddings whose model, data and texts are as in `description`."""
    info = {**description["model_info"], "dataset": description["dataset"]}
    info["split"] = description["split"]
    info |= {f"dataset_{key}": value for key, value in description["dataset_info"].items()}
    for key in ("templates", "class_names", "options"):
        if description.get(key) is not None:
            info[key] = description[key]
    if owners is not None:
        info["caption_image"] = owners.tolist()
    return info
