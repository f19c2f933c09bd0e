"""Tar shards as webdataset writes them: images with captions, or with classes."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import torch

from gaputils._checks import choice
from gaputils.datasets._sources import (
    IMAGE_SUFFIXES,
    Root,
    data_folder,
    decode,
    first_existing,
    missing,
    shown,
    with_captions,
)
from gaputils.datasets.base import CaptionDataset, ClassificationDataset

if TYPE_CHECKING:
    from PIL import Image

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass
class _Sample:
    """One sample: where its image lies, and its small files by their ending."""

    key: str
    shard: Path
    image: tuple[int, int] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


class TarImages:
    """Images inside uncompressed tar files, read from their place when asked for."""

    def __init__(self, places: list[tuple[Path, int, int]]) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Image.Image:
        shard, offset, size = self.places[index]
        with shard.open("rb") as file:
            file.seek(offset)
            return decode(io.BytesIO(file.read(size)), f"image {index} in {shard}")


def webdataset(
    split: str = "",
    *,
    root: Root = None,
    task: str = "auto",
    captions_per_image: int | None = None,
    name: str = "webdataset",
) -> CaptionDataset | ClassificationDataset:
    """Images and texts from webdataset's tar shards.

    `root` is a folder with ``.tar`` files (below `split` if one is given), one such file, or a
    pattern ``shard-{0000..0012}.tar``. Files of one sample share their name up to the first dot;
    those whose name or folder begins with a dot, and ``__MACOSX``, are left out.
    `task` "captions": from ``.txt``, one a line, or the ``caption`` of ``.json``. "classes": from
    ``.cls``, with ``classnames.txt`` and, if there are, ``zeroshot_classification_templates.txt``
    in the folder or the one above. "auto": classes if samples have ``.cls``. The order is that of
    the shards' names and of the files in them. The shards are indexed once and read by place, so
    that any part can be read again.

    Raises `DataUnavailable` without shards and `ValueError` for one that is compressed, truncated
    or lacks an image or a text.
    """
    choice("task", task, ("auto", "captions", "classes"))
    shards = _shards(name, data_folder(root, "webdataset"), split)
    samples = [sample for shard in shards for sample in _samples(shard)]
    if not samples:
        raise ValueError(f"{name}: there are no samples in {shards[0].parent}")
    places = []
    for sample in samples:
        if sample.image is None:
            raise ValueError(f"{sample.shard}: the sample {sample.key!r} has no image")
        places.append((sample.shard, *sample.image))
    info = {"shards": [shard.name for shard in shards]}
    if task == "classes" or (task == "auto" and "cls" in samples[0].texts):
        if captions_per_image is not None:
            raise ValueError("captions_per_image: these are classes, not captions")
        names, templates = _class_files(name, shards[0].parent)
        return ClassificationDataset(
            name,
            TarImages(places),
            names,
            torch.tensor([_class(sample, len(names)) for sample in samples]),
            templates=templates,
            split=split,
            info=info,
        )
    captions = [_captions(sample) for sample in samples]
    return with_captions(name, TarImages(places), captions, split, info, captions_per_image)


def _shards(name: str, root: Path, split: str) -> list[Path]:
    pattern = _RANGE.search(str(root))
    if pattern:
        first, last = pattern.groups()
        numbers = range(int(first), int(last) + 1)
        before, after = str(root)[: pattern.start()], str(root)[pattern.end() :]
        paths = [Path(f"{before}{number:0{len(first)}d}{after}") for number in numbers]
    elif root.is_dir():
        paths = sorted(p for p in (root / split).glob("*.tar") if shown(Path(p.name)))
    else:
        paths = [root]
    absent = next((path for path in paths if not path.is_file()), None)
    if not paths or absent is not None:
        wanted = absent or f"{root / split}{os.sep}*.tar"
        raise missing(name, wanted)
    return paths


def _samples(shard: Path) -> Iterator[_Sample]:
    """The samples of one shard in order."""
    size = shard.stat().st_size
    current: _Sample | None = None
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                if not member.isfile() or not shown(PurePosixPath(member.name)):
                    continue
                if member.offset_data + member.size > size:
                    raise ValueError(f"{shard} is truncated in {member.name!r}")
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                key, ending = f"{folder}/{stem}" if folder else stem, ending.lower()
                if current is None or current.key != key:
                    if current is not None:
                        yield current
                    current = _Sample(key, shard)
                if f".{ending}" in IMAGE_SUFFIXES:
                    current.image = (member.offset_data, member.size)
                elif ending in ("txt", "cls", "json"):
                    content = archive.extractfile(member)
                    current.texts[ending] = content.read() if content else b""
    except tarfile.TarError as error:
        raise ValueError(f"{shard} is not a whole, uncompressed tar file: {error}") from error
    if current is not None:
        yield current


def _captions(sample: _Sample) -> list[str]:
    where = f"{sample.shard}: the sample {sample.key!r}"
    try:
        if "txt" in sample.texts:
            return [line for line in sample.texts["txt"].decode().splitlines() if line.strip()]
        found = json.loads(sample.texts.get("json", b"{}"))
    except ValueError as error:
        raise ValueError(f"{where} has a text that cannot be read: {error}") from error
    value = found.get("caption") if isinstance(found, dict) else None
    some: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in some):
        raise ValueError(f"{where} has no caption, neither .txt nor 'caption' in .json")
    return some


def _class(sample: _Sample, classes: int) -> int:
    where = f"{sample.shard}: the sample {sample.key!r}"
    text = sample.texts.get("cls", b"").decode(errors="replace").strip()
    if not text.isdecimal() or int(text) >= classes:
        raise ValueError(f"{where}: expected a class in [0, {classes}) in .cls, got {text!r}")
    return int(text)


def _class_files(name: str, folder: Path) -> tuple[list[str], tuple[str, ...]]:
    file = first_existing([folder / "classnames.txt", folder.parent / "classnames.txt"])
    if file is None:
        raise missing(name, folder / "classnames.txt")
    templates = file.with_name("zeroshot_classification_templates.txt")
    given = _lines(templates) if templates.is_file() else []
    return _lines(file), tuple(one.replace("{c}", "{}") for one in given) or ("a photo of a {}.",)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
