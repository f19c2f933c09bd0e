"""What every data set is: images with one class each, or images with captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image


class Images(Protocol):
    """A sequence of RGB images that are read or drawn when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image.Image: ...


@dataclass(frozen=True)
class ClassificationDataset:
    """Images of named classes.

    `targets` (n,) holds the class of each image as a row of `class_names`; `templates` are the
    captions the class names are put in unless others are given.
    """

    name: str
    images: Images
    class_names: Sequence[str]
    targets: Tensor
    templates: Sequence[str] = ("a photo of a {}.",)
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        sizes = f"images={len(self)}, classes={len(self.class_names)}"
        return f"ClassificationDataset({self.name!r}, split={self.split!r}, {sizes})"


@dataclass(frozen=True)
class CaptionDataset:
    """Images with one or several captions.

    `caption_image` (m,) holds the image each of the m captions belongs to.
    """

    name: str
    images: Images
    captions: Sequence[str]
    caption_image: Tensor
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        sizes = f"images={len(self)}, captions={len(self.captions)}"
        return f"CaptionDataset({self.name!r}, split={self.split!r}, {sizes})"


Dataset = ClassificationDataset | CaptionDataset


class TensorImages:
    """Images held in memory as one uint8 tensor (n, 3, height, width)."""

    def __init__(self, pixels: Tensor) -> None:
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

    `options` holds the k answers of each of the n questions and `answers` (n,) the place of the
    right one, or nothing if it is not published. An image may occur several times.
    """

    name: str
    images: Images
    questions: Sequence[str]
    options: Sequence[Sequence[str]]
    answers: Tensor | None
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

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


class DataUnavailable(OSError):
    """Something had to come from the network or from a folder, and is in neither.

    The message says what was wanted, where it was looked for, and where to put it.
    """
