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
