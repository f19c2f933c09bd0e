"""A pair of encoders of a few numbers: shapes, norms, batches, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torch.nn.functional import normalize

from gaputils._reading import UnreadableFile
from gaputils.models.model import Model, distinct, pick_device


class Encoders(nn.Module):
    """Means of the channels, and counts of the letters; it counts the texts it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.asked: list[int] = []

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean((2, 3)) + 3

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(tokens))
        return tokens.float() + 1


def tokenizer(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[text.count(letter) for letter in "abc"] for text in texts]).view(-1, 3)


def preprocess(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


@pytest.fixture
def model() -> Model:
    return Model(
        name="few",
        module=Encoders(),
        preprocess=preprocess,
        tokenizer=tokenizer,
        device=torch.device("cpu"),
        dtype=torch.float32,
        dim=3,
        image_size=(4, 5),
        mean=(0.1, 0.2, 0.3),
        std=(0.5, 1.0, 2.0),
    )


def test_pixels_are_scaled_and_normalised_by_channel(model: Model) -> None:
    pixels = torch.randint(256, (2, 3, 4, 5), dtype=torch.uint8)
    found = model.normalize(pixels)
    for channel, (mean, std) in enumerate(zip(model.mean, model.std, strict=True)):
        expected = (pixels[:, channel].double() / 255 - mean) / std
        torch.testing.assert_close(found[:, channel].double(), expected, atol=1e-6, rtol=1e-6)


def test_images_in_every_form_have_norm_one_in_float32(model: Model) -> None:
    pixels = torch.randint(256, (6, 3, 4, 5), dtype=torch.uint8)
    raw = model.encode_images(pixels)
    torch.testing.assert_close(raw, normalize(model.normalize(pixels).mean((2, 3)) + 3, dim=1))
    images = [Image.fromarray(one.permute(1, 2, 0).contiguous().numpy()) for one in pixels]
    ready = torch.stack([preprocess(image) for image in images])
    torch.testing.assert_close(model.encode_images(images), model.encode_images(ready.double()))
    for rows in (raw, model.encode_images(images)):
        assert rows.dtype == torch.float32
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(6))


def few(values: Any, dtype: Any, mode: str | None = None) -> Image.Image:
    """A picture of 4 rows and 5 columns, in which `values` follow each other."""
    return Image.fromarray(np.resize(np.array(values, dtype), (4, 5)), mode)


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (few([0, 257 * 30, 65535], np.uint16), [0, 30, 255]),
        (few([0, 257 * 30, 65535], np.int32), [0, 30, 255]),
        (few([0, 0.2, 1], np.float32), [0, 51, 255]),
        (few([-2, 0.5, 8], np.float32), [0, 64, 255]),
        (few([0, 30, 255], np.uint8), [0, 30, 255]),
        (few([True, False], np.bool_), [255, 0]),
    ],
)
def test_images_of_other_depths_are_scaled_to_eight_bits(
    model: Model, image: Image.Image, grey: list[int]
) -> None:
    pixels = torch.from_numpy(np.resize(grey, (4, 5))) / 255
    expected = normalize(pixels.mean().expand(1, 3) + torch.tensor(3), dim=1)
    torch.testing.assert_close(model.encode_images([image]), expected.float())


def test_a_picture_is_turned_as_its_exif_says(model: Model) -> None:
    model.image_size = (5, 4)
    lying = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    lying.getexif()[0x0112] = 6
    buffer = io.BytesIO()
    lying.save(buffer, "PNG", exif=lying.getexif())
    seen: list[np.ndarray] = []

    def looked(image: Image.Image) -> torch.Tensor:
        seen.append(np.asarray(image))
        return preprocess(image)

    model.preprocess = looked
    model.encode_images([Image.open(buffer)])
    assert np.array_equal(seen[0], np.rot90(np.asarray(lying), -1))


def test_an_image_cut_short_is_named(model: Model) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((5, 4), 80).convert("RGB").save(buffer, "BMP")
    cut = Image.open(io.BytesIO(buffer.getvalue()[:-20]))
    with pytest.raises(UnreadableFile, match=r"^images: image 1 is not an image that the model"):
        model.encode_images([Image.new("RGB", (5, 4)), cut])
    with pytest.raises(UnreadableFile, match=r"^images: image 0 is not .*from -7 to -7"):
        model.encode_images([few([-7], np.float32)])


RGB = Image.new("RGB", (5, 4))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (RGB, "expected PIL images or a torch tensor, got Image"),
        ("cat.png", "expected PIL images or a torch tensor, got str 'cat.png'"),
        (Path("cat.png"), "expected PIL images or a torch tensor, got PosixPath"),
        (None, "expected PIL images or a torch tensor, got NoneType"),
        (np.zeros((1, 3, 4, 5)), r"expected PIL images or a torch tensor, got ndarray of shape"),
        ({"a": RGB}, "expected PIL images or a torch tensor, got dict"),
        ([RGB, "cat.png"], "expected PIL images, got str 'cat.png' in place of image 1"),
        ([np.zeros((4, 5, 3))], r"expected PIL images, got ndarray of shape \(4, 5, 3\) in place"),
        ([torch.zeros(3, 4, 5)], "expected PIL images, got Tensor of shape"),
    ],
)
def test_what_is_no_image_is_named(model: Model, images: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^images: {message}"):
        model.encode_images(images)


@pytest.mark.parametrize("images", [[], (), iter([])])
def test_no_images_are_named(model: Model, images: Any) -> None:
    with pytest.raises(ValueError, match=r"^images: expected at least one PIL image, got none$"):
        model.encode_images(images)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_pixels_of_other_kinds_of_numbers_are_named(model: Model, dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=f"^images: expected uint8, or floats .* got dtype {dtype}"):
        model.encode_images(torch.ones(1, 3, 4, 5, dtype=dtype))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_pixels_that_are_not_finite_are_named(
    model: Model, dtype: torch.dtype, value: float
) -> None:
    pixels = torch.ones(3, 3, 4, 5, dtype=dtype)
    pixels[2, 1, 3, 0] = value
    with pytest.raises(ValueError, match=r"^images: expected finite pixels, .* in image 2$"):
        model.encode_images(pixels)


def test_an_embedding_that_overflows_is_named(model: Model) -> None:
    pixels = torch.ones(2, 3, 4, 5)
    pixels[1] = 3e38
    with pytest.raises(ValueError, match=r"^images: image 1 is finite, its embedding in float32"):
        model.encode_images(pixels)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 5, 4), (1, 1, 4, 5)])
def test_images_of_another_shape_are_named(model: Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^images: expected shape \(n, 3, 4, 5\), got \("):
        model.encode_images(torch.zeros(shape))


@pytest.mark.parametrize("batch_size", [1, 2, 1024])
def test_texts_are_encoded_once_each_in_batches(model: Model, batch_size: int) -> None:
    texts = ["ab", "c", "ab", "", "abcabc", "c"]
    rows = model.encode_texts(texts, batch_size)
    torch.testing.assert_close(rows, normalize(tokenizer(texts).float() + 1, dim=1))
    assert torch.equal(rows[0], rows[2])
    asked: Any = model.module
    assert sum(asked.asked) == 4
    assert max(asked.asked) <= batch_size
    assert model.encode_texts([]).shape == (0, 3)


TEXTS = ["ab", "c", "abca"]


@pytest.mark.parametrize("made", [tuple, iter, np.array, pd.Series, pd.Index])
@pytest.mark.parametrize("texts", [TEXTS, [*TEXTS, "c"]])
def test_texts_come_in_any_iterable(model: Model, made: Any, texts: list[str]) -> None:
    assert torch.equal(model.encode_texts(made(texts)), model.encode_texts(texts))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], "expected strings, got NoneType None at place 1"),
        ([3], "expected strings, got int 3 at place 0"),
        ([b"a"], "expected strings, got bytes b'a' at place 0"),
        ([["a"]], "expected strings, got list"),
        (pd.Series(["a", float("nan")]), "expected strings, got float nan at place 1"),
        (b"a", "expected a sequence of strings, got bytes b'a'"),
        (None, "expected a sequence of strings, got NoneType"),
        ({"a": 1}, "expected a sequence of strings, got dict"),
        (np.array("a"), "expected a sequence of strings, got ndarray"),
        (pd.DataFrame({"a": ["b"]}), "expected a sequence of strings, got DataFrame of shape"),
    ],
)
def test_what_is_no_text_is_named(model: Model, texts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^texts: {message}"):
        model.encode_texts(texts)


def test_texts_and_batches_of_another_kind_are_named(model: Model) -> None:
    with pytest.raises(TypeError, match=r"^texts: expected a sequence of strings, got one string"):
        model.encode_texts("ab")
    with pytest.raises(ValueError, match=r"^batch_size"):
        model.encode_texts(["ab"], 0)


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12))
def test_distinct_texts_come_in_order_and_give_all_back(texts: list[str]) -> None:
    once, places = distinct(texts)
    assert [once[i] for i in places] == texts
    assert once == sorted(set(texts), key=texts.index)


def test_the_scale_is_the_softmaxs_own_and_the_repr_is_short(model: Model) -> None:
    assert model.logit_scale == pytest.approx(np.exp(2), rel=1e-6)
    assert repr(model) == "Model('few', dim=3, device=cpu, dtype=torch.float32)"


def test_a_device_is_taken_or_named(model: Model) -> None:
    assert model.to("cpu") is model
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match=r"^device"):
        model.to("abacus")
