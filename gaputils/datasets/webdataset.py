"""Tar shards as webdataset writes them: images with captions, or with classes."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from gaputils._checks import choice
from gaputils._reading import lines_of, parse_json, read_text, reading, shown
from gaputils.datasets._broken import LEFT_OUT, told_apart
from gaputils.datasets._sources import (
    IMAGE_SUFFIXES,
    Root,
    data_folder,
    decode,
    first_existing,
    missing,
    with_captions,
)
from gaputils.datasets.base import CaptionDataset, ClassificationDataset
from gaputils.datasets.templates import as_templates

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")
_END = 2**20
_TAR = re.compile(r"\.(?:tar|tgz|tar\.(?:gz|bz2|xz|zst))$", re.IGNORECASE)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass
class _Sample:
    """One sample: where its image lies, and its small files by their ending."""

    key: str
    shard: Path
    image: tuple[int, int] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    twice: str = ""


class TarImages:
    """Images inside uncompressed tar files, read from their place when asked for.

    `places` are file, offset and size; `keys` what the images are known by in their shards.
    """

    def __init__(
        self, places: Sequence[tuple[Path, int, int]], keys: Sequence[str] | None = None
    ) -> None:
        self.places = places
        self.keys = [str(row) for row in range(len(places))] if keys is None else keys

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        """The shard's name and the sample's key."""
        return f"{self.places[index][0].name}: {self.keys[index]}"

    def __getitem__(self, index: int) -> Image.Image:
        shard, offset, size = self.places[index]
        with shard.open("rb") as file:
            file.seek(offset)
            content = io.BytesIO(file.read(size))
        return decode(content, f"image {index}, {self.keys[index]!r} in {shard},")


def webdataset(
    split: str = "",
    *,
    root: Root = None,
    task: str = "auto",
    captions_per_image: int | None = None,
    skip_broken: bool = False,
    name: str = "webdataset",
) -> CaptionDataset | ClassificationDataset:
    """Images and texts from webdataset's tar shards.

    `root` is a folder with ``.tar`` files (below `split` if one is given), one such file, or a
    pattern ``shard-{0000..0012}.tar``. Files of one sample share their name up to the first dot;
    those whose name or folder begins with a dot, and ``__MACOSX``, are left out.
    `task` "captions": from ``.txt``, one a line, or the ``caption`` of ``.json``. "classes": from
    ``.cls``, with ``classnames.txt`` and, if there are, ``zeroshot_classification_templates.txt``
    in the folder or the one above. "auto": classes if samples have ``.cls``, and an error if only
    some have and `skip_broken` does not leave out the others. The order is that of the shards'
    names and of the files in them. The shards are indexed once and read by place, so that any part
    can be read again. Samples of one name that lie apart are several, and each is called by its
    place too.

    Raises `DataUnavailable` without shards and `ValueError` for one that is compressed, truncated
    or lacks an image or a text; with `skip_broken` samples that lack one are left out and named in
    `info["left_out"]`.
    """
    choice("task", task, ("auto", "captions", "classes"))
    shards = _shards(name, data_folder(root, "webdataset"), split)
    samples = [sample for shard in shards for sample in _samples(shard)]
    if not samples:
        raise ValueError(f"{name}: there are no samples in {shards[0].parent}")
    names = told_apart(f"{one.shard.name}: {one.key}" for one in samples)
    for sample, own in zip(samples, names, strict=True):
        sample.key = own.removeprefix(f"{sample.shard.name}: ")
    info: dict[str, Any] = {"shards": [shard.name for shard in shards]}
    if _are_classes(samples, task, skip_broken):
        if captions_per_image is not None:
            raise ValueError("captions_per_image: these are classes, not captions")
        names, templates = _class_files(name, shards[0].parent)
        whole, targets = _each(samples, lambda one: _class(one, len(names)), skip_broken, info)
        return ClassificationDataset(
            name,
            _images(whole),
            names,
            torch.tensor(targets),
            templates=templates,
            split=split,
            info=info,
        )
    whole, captions = _each(samples, _captions, skip_broken, info)
    images = _images(whole)
    return with_captions(name, images, captions, split, info, captions_per_image, skip_broken)


def _are_classes(samples: Sequence[_Sample], task: str, skip: bool) -> bool:
    """Whether it is classes that are read; raises `ValueError` where "auto" finds them in part."""
    if task != "auto":
        return task == "classes"
    without = [sample for sample in samples if "cls" not in sample.texts]
    if without and len(without) < len(samples) and not skip:
        raise ValueError(
            f"{without[0].shard}: the sample {without[0].key!r} has no .cls, and "
            f"{len(samples) - len(without)} of {len(samples)} have; expected all or none: pass "
            f"task='captions', or leave it out with skip_broken=True"
        )
    return len(without) < len(samples)


def _each(
    samples: Sequence[_Sample], read: Callable[[_Sample], T], skip: bool, info: dict[str, Any]
) -> tuple[list[_Sample], list[T]]:
    """The samples with an image and a text, and their texts; the others are named in `info`."""
    whole, found, broken = [], [], []
    for sample in samples:
        try:
            _image(sample)
            found.append(read(sample))
            whole.append(sample)
        except ValueError:
            if not skip:
                raise
            broken.append(f"{sample.shard.name}: {sample.key}")
    if not whole:
        raise ValueError(f"{samples[0].shard}: no sample has both an image and a text")
    if broken:
        info[LEFT_OUT] = broken
    return whole, found


def _images(samples: Sequence[_Sample]) -> TarImages:
    places = [(one.shard, *_image(one)) for one in samples]
    return TarImages(places, [one.key for one in samples])


def _image(sample: _Sample) -> tuple[int, int]:
    if sample.twice:
        raise ValueError(
            f"{sample.shard}: the sample {sample.key!r} has a second image or text of one kind, "
            f"{sample.twice!r}; which one is meant?"
        )
    if sample.image is None:
        raise ValueError(f"{sample.shard}: the sample {sample.key!r} has no image")
    return sample.image


def _shards(name: str, root: Path, split: str) -> list[Path]:
    pattern = _RANGE.search(str(root))
    if pattern:
        first, last = pattern.groups()
        numbers = range(int(first), int(last) + 1)
        before, after = str(root)[: pattern.start()], str(root)[pattern.end() :]
        paths = [Path(f"{before}{number:0{len(first)}d}{after}") for number in numbers]
    elif root.is_dir():
        paths = sorted(
            p for p in (root / split).glob("*") if _TAR.search(p.name) and shown(Path(p.name))
        )
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
    whole = "a whole, uncompressed tar file"
    with reading(shard, whole) as at, tarfile.open(shard, "r:") as archive:
        for member in archive:
            if member.isdir() or not shown(PurePosixPath(member.name)):
                continue
            at.place = f"member {member.name!r}"
            if not member.isfile() or member.issparse():
                raise at.fault("it is a link or sparse; pack the files themselves (tar -h)")
            if member.offset_data + member.size > size:
                raise at.fault("it ends before the member does")
            folder, _, base = member.name.rpartition("/")
            stem, _, ending = base.partition(".")
            key, ending = f"{folder}/{stem}" if folder else stem, ending.lower()
            if current is None or current.key != key:
                if current is not None:
                    yield current
                current = _Sample(key, shard)
            if ending in current.texts or (f".{ending}" in IMAGE_SUFFIXES and current.image):
                current.twice = base
            if f".{ending}" in IMAGE_SUFFIXES:
                current.image = (member.offset_data, member.size)
            elif ending in ("txt", "cls", "json"):
                content = archive.extractfile(member)
                current.texts[ending] = content.read() if content else b""
        at.place = f"byte {archive.offset}"
        with shard.open("rb") as file:
            file.seek(archive.offset)
            end = file.read(_END)
        if len(end) < tarfile.BLOCKSIZE or any(end):  # where `tarfile` ends without a word
            raise at.fault("its members end here, but not the file as a tar file ends")
    if current is not None:
        yield current


def _captions(sample: _Sample) -> list[str]:
    where = f"{sample.shard}: the sample {sample.key!r}"
    with reading(where, "a sample with a text") as at:
        if "txt" in sample.texts:
            at.place = ".txt"
            lines = lines_of(sample.texts["txt"].decode("utf-8-sig"))
            return [line for line in lines if line.strip()]
        at.place = ".json"
        found = parse_json(sample.texts.get("json", b"{}"))
    value = found.get("caption") if isinstance(found, dict) else None
    some: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in some):
        raise ValueError(f"{where} has no caption, neither .txt nor 'caption' in .json")
    return some


def _class(sample: _Sample, classes: int) -> int:
    where = f"{sample.shard}: the sample {sample.key!r}"
    text = sample.texts.get("cls", b"").decode(errors="replace").strip()
    if not text.isdecimal() or len(text) > 9 or int(text) >= classes:
        raise ValueError(f"{where}: expected a class in [0, {classes}) in .cls, got {text!r}")
    return int(text)


def _class_files(name: str, folder: Path) -> tuple[list[str], tuple[str, ...]]:
    file = first_existing([folder / "classnames.txt", folder.parent / "classnames.txt"])
    if file is None:
        raise missing(name, folder / "classnames.txt")
    templates = file.with_name("zeroshot_classification_templates.txt")
    lines = lines_of(read_text(templates)) if templates.is_file() else []
    given = [line.strip().replace("{c}", "{}") for line in lines if line.strip()]
    if not given:
        return _class_names(file), ("a photo of a {}.",)
    return _class_names(file), as_templates(given, str(templates))


def _class_names(file: Path) -> list[str]:
    """One a line; an empty one within would shift all classes after it."""
    names = [line.strip() for line in lines_of(read_text(file).rstrip())]
    if "" in names:
        raise ValueError(f"{file}: line {names.index('') + 1}: expected a class name, got none")
    return names
