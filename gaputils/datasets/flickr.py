"""Flickr30k (Young et al. 2014): five captions an image."""

from __future__ import annotations

from collections.abc import Callable
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
    with_captions,
)
from gaputils.datasets.base import CaptionDataset

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
    split.
    """
    folder = data_folder(root, "flickr30k")
    for name, read in _READERS.items():
        if (folder / name).is_file():
            split = split or ("all" if name.startswith("results") else "test")
            rows = read(folder / name, split)
            break
    else:
        raise missing("flickr30k", f"{folder} with one of {', '.join(_READERS)}", _SOURCE)
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


def _token(path: Path, split: str) -> Rows:
    lines = lines_of(read_text(path))
    parts = [line.split("\t", 1) for line in lines if line.strip()]
    if not all(len(part) == 2 and "#" in part[0] for part in parts):
        raise ValueError(f"{path}: expected lines IMAGE#NUMBER, tab, caption")
    return _grouped(path, split, [(head.rsplit("#", 1)[0], text) for head, text in parts])


def _kaggle(path: Path, split: str) -> Rows:
    lines = lines_of(read_text(path))[1:]
    parts = [line.split("|", 2) for line in lines if line.strip()]
    # One line of the published file lacks its second bar: "IMAGE| 4   A dog runs .".
    parts = [part if len(part) == 3 else [part[0], *part[-1].split(maxsplit=1)] for part in parts]
    if not all(len(part) == 3 for part in parts):
        raise ValueError(f"{path}: expected lines IMAGE| NUMBER| CAPTION")
    return _grouped(path, split, [(part[0].strip(), part[2]) for part in parts])


def _grouped(path: Path, split: str, pairs: list[tuple[str, str]]) -> Rows:
    if split != "all":
        raise ValueError(f"split: {path.name} knows no splits, expected 'all', got {split!r}")
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return list(texts.items())


_READERS: dict[str, Callable[[Path, str], Rows]] = {
    "dataset_flickr30k.json": read_karpathy,
    "flickr_annotations_30k.csv": _hub,
    "results_20130124.token": _token,
    "results.csv": _kaggle,
}
