"""Images as a model's preprocessing takes them: upright, in RGB of 8 bits, whoever opened them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaputils._checks import _typed, dense
from gaputils._reading import reading
from gaputils.datasets._sources import as_rgb

_ORIENTATION = 0x0112  # of EXIF; 1 is upright


def preprocessed(
    preprocess: Callable[[Any], Tensor], image: Any, name: str, argument: str = ""
) -> Tensor:
    """What `preprocess` makes of a PIL `image`, brought to RGB as one in a file is.

    Raises `TypeError` for anything else, and `UnreadableFile` for an image that cannot be taken;
    both say `name`.
    """
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise TypeError(f"images: expected PIL images, got {_typed(image)} in place of {name}")
    with reading(name, "an image that the model can take", argument=argument):
        ready = image.mode == "RGB" and image.getexif().get(_ORIENTATION, 1) == 1
        return preprocess(image if ready else as_rgb(image, name))


def each_image(images: Any) -> Iterator[Any]:
    """The items of `images`; raises `TypeError` for what is one thing, or an array of numbers."""
    try:
        whole = isinstance(images, (str, bytes, Mapping, np.ndarray))
        found: Iterator[Any] | None = None if whole else iter(images)
    except TypeError:
        found = None
    if found is None:
        raise TypeError(f"images: expected PIL images or a torch tensor, got {_typed(images)}")
    return found


def checked_pixels(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """`pixels` if they are uint8 or floats (n, 3, height, width) of the `size`."""
    dense("images", pixels)
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise TypeError(
            f"images: expected uint8, or floats that `preprocess` made, got dtype {pixels.dtype}"
        )
    if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, *size):
        expected = f"(n, 3, {size[0]}, {size[1]})"
        raise ValueError(f"images: expected shape {expected}, got {tuple(pixels.shape)}")
    return pixels


def require_finite(rows: Tensor, pixels: Tensor, dtype: torch.dtype) -> None:
    """Raise `ValueError` if one of the `rows` that a model made of `pixels` is not finite."""
    wrong = ~rows.isfinite().all(1)
    if bool(wrong.any()):
        place = int(wrong.nonzero()[0])
        if bool(pixels[place].isfinite().all()):
            kind = str(dtype).removeprefix("torch.")
            raise ValueError(f"images: image {place} is finite, its embedding in {kind} is not")
        raise ValueError(f"images: expected finite pixels, got NaN or infinity in image {place}")
