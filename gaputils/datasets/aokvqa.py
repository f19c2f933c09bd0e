"""A-OKVQA (Schwenk et al. 2022): questions about COCO's images, four answers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gaputils._checks import choice, integer
from gaputils._reading import read_json, reading
from gaputils.datasets._broken import QUESTION_IDS
from gaputils.datasets._parquet import ParquetImages, read_rows
from gaputils.datasets._sources import ImageFiles, Root, data_folder, first_existing, missing
from gaputils.datasets._words import words
from gaputils.datasets.base import ChoiceDataset, Images
from gaputils.storage._folders import in_order

_FIELDS = ("question", "choices", "correct_choice_idx")
_SOURCE = "https://allenai.org/project/a-okvqa (aokvqa_v1p0.tar.gz)"
_HUB = "HuggingFaceM4/A-OKVQA on the Hugging Face hub"


def aokvqa(split: str = "val", *, root: Root = None, images: Root = None) -> ChoiceDataset:
    """A-OKVQA's multiple-choice questions; `split` is train, val or test (without answers).

    Either the authors' files: ``aokvqa_v1p0_val.json`` in `root` and COCO's images of 2017 in
    ``val2017`` below `images`, `root` or its folders ``coco`` and ``images``. Or the Hugging Face
    hub's, images and all: ``validation-*.parquet`` in `root` or in ``data`` below it, which needs
    pyarrow. Raises `DataUnavailable` if files are missing and `ValueError` if one is damaged.
    """
    choice("split", split, ("train", "val", "test"))
    folder = data_folder(root, "aokvqa")
    file = folder / f"aokvqa_v1p0_{split}.json"
    if file.is_file():
        return _from_json(file, folder, split, None if images is None else Path(images))
    stem = "validation" if split == "val" else split
    found = [*folder.glob(f"{stem}-*.parquet"), *folder.glob(f"data/{stem}-*.parquet")]
    parts = [path for shards in in_order(folder, found).values() for path in shards]
    if not parts:
        wanted = f"{file} or {folder / 'data' / f'{stem}-*.parquet'}"
        raise missing("aokvqa", wanted, f"{_SOURCE} or, with images, {_HUB}")
    rows = read_rows(parts, (*_FIELDS, "question_id"))
    return _dataset(str(parts[0].parent), rows, ParquetImages(parts, "image"), split)


def _from_json(file: Path, folder: Path, split: str, images: Path | None) -> ChoiceDataset:
    rows = read_json(file)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{file} is not in A-OKVQA's format: expected a list of objects")
    year = f"{split}2017"
    above = [folder, folder / "coco", folder / "images"] if images is None else [images]
    place = first_existing(path / year for path in above)
    if place is None:
        wanted = " or ".join(str(path / year) for path in above)
        raise missing("aokvqa", wanted, "https://cocodataset.org/#download")
    paths = []
    with reading(file, "in A-OKVQA's format") as at:
        for number, row in enumerate(rows):
            at.place = f"row {number}"
            paths.append(place / f"{integer('image_id', row['image_id'], low=0):012d}.jpg")
    return _dataset(str(file), rows, ImageFiles(paths), split)


def _dataset(
    where: str, rows: Sequence[Mapping[str, Any]], images: Images, split: str
) -> ChoiceDataset:
    questions, options, answers = [], [], []
    for place, row in enumerate(rows):
        question, some = row.get("question"), row.get("choices")
        if not isinstance(question, str) or not isinstance(some, list) or len(some) < 2:
            raise ValueError(f"{where}: row {place} has no question with choices")
        if len(some) != len(rows[0]["choices"]):
            raise ValueError(f"{where}: row {place} has {len(some)} choices, the first another")
        answer = row.get("correct_choice_idx")
        if answer is None and split != "test":
            raise ValueError(f"{where}: row {place} has no correct_choice_idx")
        whole = isinstance(answer, int) and not isinstance(answer, bool)
        if answer is not None and not (whole and 0 <= answer < len(some)):
            raise ValueError(f"{where}: row {place}: correct_choice_idx is {answer}")
        questions.append(question)
        try:
            options.append(words("choices", some, "choice"))
        except TypeError as error:
            raise ValueError(f"{where}: row {place}: {error}") from error
        answers.append(answer)
    if not questions:
        raise ValueError(f"{where}: there are no questions")
    ids = [row.get("question_id") for row in rows]
    info = {QUESTION_IDS: ["" if one is None else str(one) for one in ids]}
    known = [int(answer) for answer in answers if answer is not None]
    right = torch.tensor(known) if len(known) == len(answers) else None
    return ChoiceDataset("aokvqa", images, questions, options, right, split, info)
