"""Images brought to what preprocessing takes, and pixels and rows that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gaputils.models._images import checked_pixels, each_image, preprocessed, require_finite


def taken(image: Image.Image) -> Any:
    """The image that a preprocessing is given for `image`."""
    given: list[Any] = []

    def preprocess(one: Any) -> torch.Tensor:
        given.append(one)
        return torch.zeros(1)

    preprocessed(preprocess, image, "image 0")
    return given[0]


@pytest.mark.parametrize("orientation", [None, 1])
def test_an_image_that_is_ready_is_handed_over_as_it_is(orientation: int | None) -> None:
    image = Image.new("RGB", (5, 4))
    if orientation is not None:
        image.getexif()[0x0112] = orientation
    assert taken(image) is image


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "I", "I;16", "F", "YCbCr"])
def test_every_other_mode_comes_in_rgb(mode: str) -> None:
    image = Image.new(mode, (5, 4))
    if mode in ("I", "F", "I;16"):
        image.putpixel((0, 0), 1)
    assert taken(image).mode == "RGB"


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (8, np.rot90),
    ],
)
def test_an_image_is_turned_once(orientation: int, turned: Any) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    upright = taken(image)
    assert np.array_equal(np.asarray(upright), turned(pixels))
    assert taken(upright) is upright


def test_images_are_taken_one_by_one() -> None:
    image = Image.new("RGB", (5, 4))
    endless = each_image(iter(lambda: image, None))
    assert next(endless) is image
    with pytest.raises(TypeError, match=r"^images: expected PIL images or a torch tensor, got int"):
        each_image(3)


def test_pixels_are_handed_over_as_they_are() -> None:
    for dtype in (torch.uint8, torch.float16, torch.float64):
        pixels = torch.zeros(2, 3, 4, 5, dtype=dtype)
        assert checked_pixels(pixels, (4, 5)) is pixels
    with pytest.raises(TypeError, match=r"^images: expected a dense tensor"):
        checked_pixels(torch.zeros(2, 3, 4, 5).to_sparse(), (4, 5))


def test_rows_that_are_not_finite_are_laid_to_pixels_or_to_the_precision() -> None:
    rows, pixels = torch.ones(3, 2), torch.ones(3, 3, 4, 5)
    require_finite(rows, pixels, torch.float16)
    require_finite(rows[:0], pixels[:0], torch.float16)
    rows[1, 0] = float("nan")
    with pytest.raises(ValueError, match=r"^images: image 1 is finite, .* in float16 is not$"):
        require_finite(rows, pixels, torch.float16)
    pixels[1, 2, 3, 4] = float("inf")
    with pytest.raises(ValueError, match=r"^images: expected finite pixels, .* in image 1$"):
        require_finite(rows, pixels, torch.float16)
