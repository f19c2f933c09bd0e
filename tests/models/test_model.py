"""A pair of encoders of a few numbers: shapes, norms, batches, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torch.nn.functional import normalize

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
