"""Images that cannot be read: found, named, and left out with all that belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from gaputils.datasets.base import CaptionDataset, ClassificationDataset, Images

if TYPE_CHECKING:
    from PIL import Image

LEFT_OUT = "left_out"
"""Where a data set's `info` lists the names of what was left out."""
QUESTION_IDS = "question_ids"
"""Where a `ChoiceDataset`'s `info` lists what its questions are known by, one for each image."""


class ChosenImages:
    """Those of the `images` at `places`, in that order."""

    def __init__(self, images: Images, places: Sequence[int]) -> None:
        self.images, self.places = images, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Image.Image:
        return self.images[self.places[index]]

    def name(self, index: int) -> str:
        return image_name(self.images, self.places[index])


def image_name(images: Images, index: int) -> str:
    """What a reader of a list knows image `index` by: its file or its key, where there is one."""
    named: Any = getattr(images, "name", None)
    return str(named(index)) if callable(named) else f"image {index}"


def told_apart(names: Iterable[str]) -> list[str]:
    """The `names`; those that are there several times with their place behind them.

    >>> told_apart(["a", "b", "a"])
    ['a (place 0)', 'b', 'a (place 2)']
    """
    all_names = list(names)
    counts = Counter(all_names)
    return [
        f"{name} (place {place})" if counts[name] > 1 else name
        for place, name in enumerate(all_names)
    ]


def _names(dataset: Any) -> list[str]:
    return told_apart(image_name(dataset.images, index) for index in range(len(dataset)))


def without(dataset: Any, broken: Iterable[int]) -> Any:
    """A data set of any kind without the images at `broken`, their captions, questions and labels.

    `info["left_out"]` names them, each by a name that no other has. Raises `ValueError` if nothing
    is left.
    """
    out = set(broken)
    kept = [index for index in range(len(dataset)) if index not in out]
    if not kept:
        raise ValueError(f"dataset: none of the {len(dataset)} images of {dataset.name!r} is whole")
    names = _names(dataset)
    info = {
        **dataset.info,
        LEFT_OUT: [*dataset.info.get(LEFT_OUT, []), *(names[i] for i in sorted(out))],
    }
    images, rows = ChosenImages(dataset.images, kept), torch.tensor(kept)
    if isinstance(dataset, ClassificationDataset):
        return replace(dataset, images=images, targets=dataset.targets[rows], info=info)
    if isinstance(dataset, CaptionDataset):
        place = torch.full((len(dataset),), -1)
        place[rows] = torch.arange(len(kept))
        owners = place[dataset.caption_image]
        captions = [dataset.captions[i] for i in (owners >= 0).nonzero()[:, 0].tolist()]
        return replace(
            dataset, images=images, captions=captions, caption_image=owners[owners >= 0], info=info
        )
    if QUESTION_IDS in info:
        info[QUESTION_IDS] = [info[QUESTION_IDS][i] for i in kept]
    return replace(
        dataset,
        images=images,
        questions=[dataset.questions[i] for i in kept],
        options=[dataset.options[i] for i in kept],
        answers=None if dataset.answers is None else dataset.answers[rows],
        info=info,
    )


def places_of(dataset: Any, names: Iterable[str]) -> list[int]:
    """The places of the images that `without` calls by the `names`."""
    wanted = set(names)
    return [place for place, name in enumerate(_names(dataset)) if name in wanted]
