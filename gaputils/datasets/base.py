"""What every data set is: images with one class each, with captions, or with a question each.

What belongs to the images is checked when a data set is made, so that nothing is embedded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gaputils._checks import as_targets, as_tensor, listed
from gaputils.datasets._words import words
from gaputils.datasets.templates import as_templates

if TYPE_CHECKING:
    from PIL import Image


class Images(Protocol):
    """A sequence of RGB images that are read or drawn when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image.Image: ...


@dataclass(frozen=True)
class ClassificationDataset:
    """Images of named classes.

    `targets` (n,), integers of any kind, holds the class of each image as a row of `class_names`;
    `templates` are the captions the class names are put in unless others are given. Raises
    `TypeError` or `ValueError`, naming the argument, if one does not fit the others.
    """

    name: str
    images: Images
    class_names: Sequence[str]
    targets: Tensor
    templates: Sequence[str] = ("a photo of a {}.",)
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = words("class_names", self.class_names, "class name")
        rows = _rows("targets", self.targets, len(self.images), len(names))
        _keep(self, class_names=names, targets=rows, templates=as_templates(self.templates))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        sizes = f"images={len(self)}, classes={len(self.class_names)}"
        return f"ClassificationDataset({self.name!r}, split={self.split!r}, {sizes})"


@dataclass(frozen=True)
class CaptionDataset:
    """Images with one or several captions.

    `caption_image` (m,), integers of any kind, holds the image each of the m captions belongs to.
    Raises `TypeError` or `ValueError`, naming the argument, if one does not fit the others.
    """

    name: str
    images: Images
    captions: Sequence[str]
    caption_image: Tensor
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        captions = words("captions", self.captions, "caption")
        owners = _rows("caption_image", self.caption_image, len(captions), len(self.images))
        _keep(self, captions=captions, caption_image=owners)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        sizes = f"images={len(self)}, captions={len(self.captions)}"
        return f"CaptionDataset({self.name!r}, split={self.split!r}, {sizes})"


Dataset = ClassificationDataset | CaptionDataset


class TensorImages:
    """Images held in memory as one uint8 tensor or array (n, 3, height, width) of RGB in 0…255.

    No other dtype is one: neither colours in [0, 1] nor what a model's `preprocess` returns. At the
    size of a model's images they are scaled and normalised as they are; of another size each is
    resized as a file's image is. Raises `TypeError` or `ValueError` for anything else.
    """

    def __init__(self, pixels: Tensor) -> None:
        pixels = as_tensor("pixels", pixels, "a uint8 tensor")
        if pixels.dtype != torch.uint8:
            raise TypeError(f"pixels: expected dtype uint8, RGB in 0…255, got {pixels.dtype}")
        if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape[2:]:
            got = tuple(pixels.shape)
            raise ValueError(f"pixels: expected shape (n, 3, height, width), got {got}")
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        from PIL import Image

        return Image.fromarray(self.pixels[index].permute(1, 2, 0).contiguous().numpy(), "RGB")


PROMPT = "{question} {choice}"


@dataclass(frozen=True)
class ChoiceDataset:
    """Images with one question each and k answers to choose from, one of them right.

    `options` holds the k answers of each of the n questions and `answers` (n,), integers of any
    kind, the place of the right one, or nothing if it is not published. An image may occur several
    times. Raises `TypeError` or `ValueError`, naming the argument, if one does not fit the others.
    """

    name: str
    images: Images
    questions: Sequence[str]
    options: Sequence[Sequence[str]]
    answers: Tensor | None
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        questions = words("questions", self.questions, "question")
        options = [
            words(f"options of question {number}", some, "option")
            for number, some in enumerate(listed("options", self.options, "list of option"))
        ]
        for name, found in (("questions", questions), ("options", options)):
            if len(found) != len(self.images):
                raise ValueError(
                    f"{name}: expected one for each of the {len(self.images)} images, "
                    f"got {len(found)}"
                )
        for number, some in enumerate(options):
            if len(some) != len(options[0]):
                raise ValueError(
                    f"options: question {number} of {self.name!r} has {len(some)} options, "
                    f"the first has {len(options[0])}; expected as many for all"
                )
        _keep(self, questions=questions, options=options)
        if self.answers is not None:
            right = _rows("answers", self.answers, len(questions), len(options[0]))
            _keep(self, answers=right)

    def __len__(self) -> int:
        return len(self.images)

    def prompts(self, prompt: str = PROMPT) -> list[list[str]]:
        """The n × k texts that an image is compared with: `prompt` filled with each answer.

        `prompt` has a ``{choice}``, and a ``{question}`` unless the question is to be left out.
        """
        if not isinstance(prompt, str) or prompt.count("{choice}") != 1:
            raise ValueError(f"prompt: expected exactly one '{{choice}}', got {prompt!r}")
        before, after = prompt.split("{choice}")
        return [
            [
                before.replace("{question}", question)
                + choice
                + after.replace("{question}", question)
                for choice in some
            ]
            for question, some in zip(self.questions, self.options, strict=True)
        ]

    def __repr__(self) -> str:
        sizes = f"questions={len(self)}, options={len(self.options[0]) if self.options else 0}"
        return f"ChoiceDataset({self.name!r}, split={self.split!r}, {sizes})"


def _rows(name: str, value: Any, rows: int, items: int) -> Tensor:
    return as_targets(name, value, rows, items, torch.device("cpu"))


def _keep(dataset: Any, **fields: Any) -> None:
    """Put the checked `fields` into a frozen `dataset`."""
    for name, value in fields.items():
        object.__setattr__(dataset, name, value)


class DataUnavailable(OSError):
    """Something had to come from the network or from a folder, and is in neither.

    The message says what was wanted, where it was looked for, and where to put it.
    """
