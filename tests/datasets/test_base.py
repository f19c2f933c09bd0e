"""What every data set is: its length, its pixels, its prompts, and what it shows of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaputils.datasets.base import (
    CaptionDataset,
    ChoiceDataset,
    ClassificationDataset,
    TensorImages,
)

PIXELS = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
QUIZ = ChoiceDataset(
    "quiz",
    TensorImages(PIXELS),
    ["What is {choice}?", "Who?"],
    [["a {question}", "b"], ["c", "d"]],
    torch.tensor([0, 1]),
    split="val",
)


def test_pixels_in_memory_are_the_image_channels_last() -> None:
    images = TensorImages(PIXELS)
    assert len(images) == 2
    image = images[1]
    assert (image.mode, image.size) == ("RGB", (5, 4))
    np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1), PIXELS[1])


def test_prompts_fill_each_choice_once_and_read_no_braces_in_the_words() -> None:
    assert QUIZ.prompts() == [
        ["What is {choice}? a {question}", "What is {choice}? b"],
        ["Who? c", "Who? d"],
    ]
    assert QUIZ.prompts("{choice}")[0] == ["a {question}", "b"]
    assert QUIZ.prompts("{choice}, {question} {question}")[1] == ["c, Who? Who?", "d, Who? Who?"]


@pytest.mark.parametrize("prompt", ["", "{question}", "{choice} {choice}", None])
def test_a_prompt_has_one_place_for_the_choice(prompt: str | None) -> None:
    with pytest.raises(ValueError, match=r"^prompt: expected exactly one '\{choice\}'"):
        QUIZ.prompts(prompt)  # type: ignore[arg-type]


def test_lengths_count_images_and_reprs_the_rest() -> None:
    images = TensorImages(PIXELS)
    classes = ClassificationDataset("two", images, list("abc"), torch.tensor([2, 0]), split="test")
    captions = CaptionDataset("pairs", images, list("vwxyz"), torch.tensor([0, 0, 1, 1, 1]))
    assert [len(data) for data in (classes, captions, QUIZ)] == [2, 2, 2]
    assert repr(classes) == "ClassificationDataset('two', split='test', images=2, classes=3)"
    assert repr(captions) == "CaptionDataset('pairs', split='', images=2, captions=5)"
    assert repr(QUIZ) == "ChoiceDataset('quiz', split='val', questions=2, options=2)"
