"""ImageNet's validation set (Russakovsky et al. 2015) with open_clip's names and templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gaputils._checks import choice
from gaputils._extras import require_extra
from gaputils._reading import read_csv, reading, shown
from gaputils.datasets._sources import (
    IMAGE_SUFFIXES,
    ImageFiles,
    Root,
    data_folder,
    first_existing,
    missing,
)
from gaputils.datasets.base import ClassificationDataset

_CLASSES = 1000
_SOURCE = "https://image-net.org/challenges/LSVRC/2012/ (after registration) or its copy on Kaggle"


def imagenet(split: str = "val", *, root: Root = None) -> ClassificationDataset:
    """ImageNet's validation images, to be told apart by 1,000 class names.

    `root` holds ``val`` (or is it), in one of two layouts: a folder for each class, named by its
    WordNet id (``val/n01440764/ILSVRC2012_val_00000293.JPEG``), or Kaggle's, with all images in
    ``ILSVRC/Data/CLS-LOC/val`` and their classes in ``LOC_val_solution.csv``. Classes are in the
    order of their ids, which is the order of open_clip's names; the templates are open_clip's 80.

    Raises `DataUnavailable` if the files are missing and `ValueError` if there are not 1,000
    classes.
    """
    choice("split", split, ("val",))
    require_extra("models", "the names of ImageNet's classes", "open_clip")
    from open_clip import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

    folder = data_folder(root, "imagenet")
    solution = folder / "LOC_val_solution.csv"
    if solution.is_file():
        ids, paths = _kaggle(folder, solution)
    else:
        place = first_existing([folder / "val", folder / "ILSVRC" / "Data" / "CLS-LOC" / "val"])
        ids, paths = _class_folders(place or folder)
        if not paths:
            raise missing("imagenet", f"{folder / 'val'} with 1,000 folders as n01440764", _SOURCE)
    classes = sorted(set(ids))
    if len(classes) != _CLASSES:
        raise ValueError(
            f"imagenet: expected {_CLASSES} classes in {folder}, got {len(classes)}: a class is "
            f"known only by its place among all"
        )
    place_of = {wordnet_id: row for row, wordnet_id in enumerate(classes)}
    return ClassificationDataset(
        "imagenet",
        ImageFiles(paths),
        list(IMAGENET_CLASSNAMES),
        torch.tensor([place_of[wordnet_id] for wordnet_id in ids]),
        templates=tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES),
        split=split,
    )


def _class_folders(folder: Path) -> tuple[Sequence[str], Sequence[Path]]:
    if not folder.is_dir():
        return [], []
    ids, paths = [], []
    for one in sorted(folder.iterdir()):
        if not (one.is_dir() and one.name[0] == "n" and one.name[1:].isdigit()):
            continue
        found = sorted(
            path
            for path in one.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and shown(Path(path.name))
        )
        ids += [one.name] * len(found)
        paths += found
    return ids, paths


def _kaggle(folder: Path, solution: Path) -> tuple[Sequence[str], Sequence[Path]]:
    images = folder / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    if not images.is_dir():
        raise missing("imagenet", images, _SOURCE)
    content = read_csv(solution)
    if not {"ImageId", "PredictionString"} <= set(content[0] if content else ()):
        raise ValueError(f"{solution}: expected the columns ImageId and PredictionString")
    with reading(solution, "Kaggle's solution") as at:
        rows = []
        for number, row in enumerate(content):
            at.place = f"row {number}"
            rows.append((row["ImageId"], row["PredictionString"].split()[0]))
    rows.sort()
    return [one for _, one in rows], [images / f"{name}.JPEG" for name, _ in rows]
