"""Flickr30k (Young et al. 2014): five captions an image."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gaputils._reading import lines_of, parse_json, read_csv, read_text, reading
from gaputils._reading import texts as as_texts
from gaputils.datasets._karpathy import read_karpathy
from gaputils.datasets._sources import (
    ImageFiles,
    Root,
    data_folder,
    first_existing,
    inside,
    missing,
    require_once,
    with_captions,
)
from gaputils.datasets.base import CaptionDataset

_TOKEN = re.compile(r"(?P<image>[^\t]+)#\d+\t(?P<caption>.*)")
_KAGGLES_HEAD = re.compile(r"image_name *\| *comment_number *\| *comment *")
# One line of the published file lacks its second bar: "IMAGE| 4   A dog runs .".
_BARS = re.compile(r" *+(?P<image>[^|]*[^| ]) *\| *\d+(?: *\|| +(?=[^| ]))(?P<caption>.*)")

Rows = list[tuple[str, list[str]]]
_FOLDERS = ("flickr30k-images", "flickr30k_images", "images", "Images")
_SOURCE = (
    "https://shannon.cs.illinois.edu/DenotationGraph/ (images, after a form), with splits from "
    "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
)


def flickr30k(
    split: str | None = None, *, root: Root = None, captions_per_image: int | None = None
) -> CaptionDataset:
    """Flickr30k's images with their captions; the usual test split has 1,000 images.

    `root` holds the images in one of the folders ``flickr30k-images``, ``flickr30k_images`` or
    ``images`` and the captions in the first of these files that is there:
    ``dataset_flickr30k.json`` (Karpathy and Fei-Fei's) or ``flickr_annotations_30k.csv`` (the
    Hugging Face hub's), which know the splits train, val and test; ``results_20130124.token`` (the
    authors') or ``results.csv`` (Kaggle's), which know only "all". `split` left out is test where
    there are splits. Raises `DataUnavailable` if files are missing and `ValueError` for an unknown
    split, a line in another format, or an image twice: its captions would be wrong for each other.
    """
    folder = data_folder(root, "flickr30k")
    for name, read in _READERS.items():
        if (folder / name).is_file():
            split = split or ("all" if name.startswith("results") else "test")
            rows = read(folder / name, split)
            break
    else:
        raise missing("flickr30k", f"{folder} with one of {', '.join(_READERS)}", _SOURCE)
    require_once(folder / name, "the image", (file for file, _ in rows))
    images = first_existing(folder / name for name in _FOLDERS)
    if images is None:
        raise missing("flickr30k", folder / _FOLDERS[0], _SOURCE)
    assert split is not None
    paths = [inside(images, file, "flickr30k") for file, _ in rows]
    captions = [texts for _, texts in rows]
    info = {"captions_from": name}
    return with_captions("flickr30k", ImageFiles(paths), captions, split, info, captions_per_image)


def _hub(path: Path, split: str) -> Rows:
    content = read_csv(path)
    with reading(path, "in the hub's format"):
        splits = sorted({row["split"] for row in content})
        rows = [
            (row["filename"], as_texts(parse_json(row["raw"])))
            for row in content
            if split in ("all", row["split"])
        ]
    if not rows:
        raise ValueError(f"split: expected one of {[*splits, 'all']} of {path}, got {split!r}")
    return rows


def _lines(
    path: Path,
    split: str,
    line: re.Pattern[str],
    expected: str,
    head: re.Pattern[str] | None = None,
) -> Rows:
    """The captions of each image, one a `line`; the first line may be a `head`."""
    if split != "all":
        raise ValueError(f"split: {path.name} knows no splits, expected 'all', got {split!r}")
    texts: dict[str, list[str]] = {}
    for number, text in enumerate(lines_of(read_text(path)), 1):
        if not text.strip() or (number == 1 and head is not None and head.fullmatch(text)):
            continue
        parts = line.fullmatch(text)
        if parts is None:
            got = reprlib.repr(text)
            raise ValueError(f"{path}: line {number}: expected {expected}, got {got}")
        texts.setdefault(parts["image"], []).append(parts["caption"])
    return list(texts.items())


_READERS: dict[str, Callable[[Path, str], Rows]] = {
    "dataset_flickr30k.json": read_karpathy,
    "flickr_annotations_30k.csv": _hub,
    "results_20130124.token": partial(_lines, line=_TOKEN, expected="IMAGE#NUMBER, tab, caption"),
    "results.csv": partial(
        _lines, line=_BARS, expected="IMAGE| NUMBER| CAPTION", head=_KAGGLES_HEAD
    ),
}
