"""COCO captions (Chen et al. 2015): about five captions an image."""

from __future__ import annotations

from pathlib import Path

from gaputils._checks import choice
from gaputils._reading import read_json, reading
from gaputils._reading import texts as as_texts
from gaputils.datasets._karpathy import SOURCE as KARPATHY
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

_SOURCE = "https://cocodataset.org/#download"
_OWN = ("val2017", "train2017", "val2014", "train2014")
_SPLITS = (*_OWN, "karpathy-test", "karpathy-val", "karpathy-train")


def coco(
    split: str = "val2017", *, root: Root = None, captions_per_image: int | None = None
) -> CaptionDataset:
    """COCO's images with all their captions, or the first `captions_per_image` of each.

    `root` holds ``annotations/captions_val2017.json`` and the folder ``val2017`` (itself or in
    ``images``), and so for the splits train2017, val2014 and train2014. The splits karpathy-test,
    -val and -train are read from ``dataset_coco.json`` with the images of 2014. Images are in the
    file's order; those without a caption are left out. Raises `DataUnavailable` if files are
    missing and `ValueError` for an image or an id that is there twice.
    """
    choice("split", split, _SPLITS)
    folder = data_folder(root, "coco")
    if split in _OWN:
        names, captions = _annotations(folder, split)
        places = [_images(folder, split)] * len(names)
    else:
        file = first_existing([folder / "dataset_coco.json", folder / "karpathy/dataset_coco.json"])
        if file is None:
            raise missing("coco", folder / "dataset_coco.json", KARPATHY)
        found = read_karpathy(file, split.removeprefix("karpathy-"))
        require_once(file, "the image", (name for name, _ in found))
        captions = [texts for _, texts in found]
        parts = [Path(name) for name, _ in found]
        known = {part.parent.name: _images(folder, part.parent.name) for part in parts}
        names, places = [part.name for part in parts], [known[part.parent.name] for part in parts]
    paths = [inside(place, name, "coco") for place, name in zip(places, names, strict=True)]
    return with_captions("coco", ImageFiles(paths), captions, split, {}, captions_per_image)


def _annotations(folder: Path, split: str) -> tuple[list[str], list[list[str]]]:
    file = f"captions_{split}.json"
    path = first_existing([folder / "annotations" / file, folder / file])
    if path is None:
        raise missing("coco", folder / "annotations" / file, _SOURCE)
    content = read_json(path)
    with reading(path, "in COCO's format"):
        require_once(path, "the image id", (image["id"] for image in content["images"]))
        require_once(path, "the image", (image["file_name"] for image in content["images"]))
        texts: dict[int, list[str]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            texts[annotation["image_id"]].append(annotation["caption"])
        images = [(image["file_name"], as_texts(texts[image["id"]])) for image in content["images"]]
    captioned = [(name, some) for name, some in images if some]
    return [name for name, _ in captioned], [some for _, some in captioned]


def _images(folder: Path, name: str) -> Path:
    place = first_existing([folder / name, folder / "images" / name])
    if place is None:
        raise missing("coco", folder / name, _SOURCE)
    return place
