"""Any folder of images: with captions beside them, or with a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gaputils._reading import lines_of, read_csv, read_json_lines, read_text
from gaputils.datasets._parquet import read_rows
from gaputils.datasets._sources import (
    IMAGE_SUFFIXES,
    ImageFiles,
    Root,
    data_folder,
    files_below,
    inside,
    missing,
    with_captions,
)
from gaputils.datasets.base import CaptionDataset, ClassificationDataset

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_CAPTIONS = ("text", "caption", "captions", "texts", "description", "prompt")


def imagefolder(
    split: str = "",
    *,
    root: Root = None,
    caption: str | None = None,
    captions_per_image: int | None = None,
    skip_broken: bool = False,
    name: str = "imagefolder",
) -> CaptionDataset | ClassificationDataset:
    """A folder of images in the Hugging Face layout, below `root` and `split` if one is given.

    With captions: a ``metadata.csv``, ``.jsonl`` or ``.parquet``, in this folder or below it, has a
    column ``file_name``, relative to the file, and one with the caption or a list of captions:
    `caption`, or left out the first of text, caption, captions, … that is there. A file named
    several times has several captions. Or every ``x.jpg`` has its captions in ``x.txt``, one a
    line. Without either, the folders right below are classes. Names that begin with a dot, as
    ``.ipynb_checkpoints``, and ``__MACOSX`` are left out. The order is that of the metadata,
    or of the paths. With `skip_broken` images with an empty caption are left out and named in
    `info["left_out"]`. Raises `DataUnavailable` without images and `ValueError` for metadata that
    do not fit.
    """
    folder = data_folder(root, "imagefolder") / split
    if not folder.is_dir():
        raise missing(name, f"a folder {folder} with images")
    below = files_below(folder)
    files = [path for path in below if path.name.lower() in _METADATA]
    if files:
        texts: dict[Path, list[str]] = {}
        firsts: dict[Path, Path] = {}
        for file in files:
            if firsts.setdefault(file.parent, file) is not file:
                raise ValueError(f"{firsts[file.parent]}: there is {file.name} too; keep one")
            for path, some in _entries(file, caption):
                texts.setdefault(path, []).extend(some)
        images, captions = ImageFiles(texts), list(texts.values())
        return with_captions(name, images, captions, split, {}, captions_per_image, skip_broken)
    if caption is not None:
        raise ValueError(f"caption: {folder} has no metadata file, got {caption!r}")
    paths = [path for path in below if path.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise missing(name, f"images in {folder}")
    written = {path.with_suffix(""): path for path in below if path.suffix.lower() == ".txt"}
    beside = [written.get(path.with_suffix("")) for path in paths]
    if any(beside):
        captions = _beside(name, paths, beside)
        images = ImageFiles(paths)
        return with_captions(name, images, captions, split, {}, captions_per_image, skip_broken)
    if captions_per_image is not None:
        raise ValueError(f"captions_per_image: {folder} has no captions")
    return _classes(name, folder, paths, split)


def _entries(file: Path, caption: str | None) -> list[tuple[Path, list[str]]]:
    rows = _rows(file, _CAPTIONS if caption is None else (caption,))
    if not rows:
        raise ValueError(f"{file}: there are no rows")
    names = list(rows[0])
    column = caption or next((one for one in _CAPTIONS if one in names), None)
    if "file_name" not in names or column not in names:
        wanted = f"{caption!r}" if caption else f"one of {', '.join(_CAPTIONS)}"
        raise ValueError(f"{file}: expected the columns 'file_name' and {wanted}, got {names}")
    found = []
    for number, row in enumerate(rows):
        value = row.get(column)
        some: list[Any] = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in some):
            raise ValueError(f"{file}: row {number}: expected a text or a list of them in {column}")
        found.append((inside(file.parent, row.get("file_name"), f"{file}: row {number}"), some))
    return found


def _rows(file: Path, wanted: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        return read_rows([file], ("file_name", *wanted))
    return read_csv(file) if suffix == ".csv" else read_json_lines(file)


def _beside(name: str, paths: list[Path], texts: list[Path | None]) -> list[list[str]]:
    lacking = [path for path, text in zip(paths, texts, strict=True) if text is None]
    if lacking:
        raise ValueError(f"{name}: {len(lacking)} images have no .txt beside them, as {lacking[0]}")
    return [[line for line in lines_of(read_text(text)) if line.strip()] for text in texts if text]


def _classes(name: str, folder: Path, paths: list[Path], split: str) -> ClassificationDataset:
    labels = [path.relative_to(folder).parts[0] for path in paths]
    loose = [path for path in paths if path.parent == folder]
    if loose:
        raise ValueError(
            f"{name}: {loose[0]} has neither a caption (metadata.csv, metadata.jsonl or "
            f"{loose[0].stem}.txt) nor a class (a folder below {folder})"
        )
    classes = sorted(set(labels))
    names = [one.replace("_", " ") for one in classes]
    strange = next((one for one in classes if not one.isprintable()), None)
    if strange is not None:
        raise ValueError(f"{folder}: {strange!r} is no name of a class in UTF-8; rename the folder")
    if len(set(names)) < len(names):
        twice = [one for one, name in zip(classes, names, strict=True) if names.count(name) > 1]
        raise ValueError(f"{folder}: {' and '.join(twice[:2])} are one class name; rename a folder")
    return ClassificationDataset(
        name,
        ImageFiles(paths),
        names,
        torch.tensor([classes.index(label) for label in labels]),
        split=split,
    )
