"""Images that cannot be read: found, named, and left out with all that belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from gaputils.datasets.base import CaptionDataset, ClassificationDataset, Images

if TYPE_CHECKING:
    from PIL import Image

LEFT_OUT = "left_out"
"""Where a data set's `info` lists the names of what was left out."""


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
    return f"image {index}" if named is None else str(named(index))


def without(dataset: Any, broken: Iterable[int]) -> Any:
    """A data set of any kind without the images at `broken`, their captions, questions and labels.

    `info["left_out"]` names them. Raises `ValueError` if nothing is left.
    """
    out = set(broken)
    kept = [index for index in range(len(dataset)) if index not in out]
    if not kept:
        raise ValueError(f"dataset: none of the {len(dataset)} images of {dataset.name!r} is whole")
    names = [image_name(dataset.images, index) for index in sorted(out)]
    info = {**dataset.info, LEFT_OUT: [*dataset.info.get(LEFT_OUT, []), *names]}
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
    return replace(
        dataset,
        images=images,
        questions=[dataset.questions[i] for i in kept],
        options=[dataset.options[i] for i in kept],
        answers=None if dataset.answers is None else dataset.answers[rows],
        info=info,
    )


def places_of(dataset: Any, names: Iterable[str]) -> list[int]:
    """The places of the images with the `names`."""
    wanted = set(names)
    return [i for i in range(len(dataset)) if image_name(dataset.images, i) in wanted]
