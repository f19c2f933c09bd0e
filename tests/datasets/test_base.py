"""What every data set is: its length, its pixels, its prompts, and what it shows of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


CLASSES = ClassificationDataset("two", TensorImages(PIXELS), list("abc"), torch.tensor([2, 0]))
CAPTIONS = CaptionDataset("pairs", TensorImages(PIXELS), list("xyz"), torch.tensor([0, 1, 1]))
OWN = {"targets": CLASSES, "caption_image": CAPTIONS, "answers": QUIZ}
FITTING = {"targets": [2, 0], "caption_image": [0, 1, 1], "answers": [0, 1]}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", [list, np.array, np.uint8, tuple, torch.IntTensor])
def test_indices_may_be_any_integers(name: str, kind: Any) -> None:
    found = getattr(replace(OWN[name], **{name: kind(FITTING[name])}), name)
    assert found.dtype == torch.int64
    assert found.tolist() == FITTING[name]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda rows: rows[:-1], ValueError),
        (lambda rows: [*rows, 0], ValueError),
        (lambda rows: rows[:1], ValueError),
        (lambda rows: [*rows[:-1], 3], ValueError),
        (lambda rows: [*rows[:-1], -1], ValueError),
        (lambda rows: [rows], ValueError),
        (lambda rows: torch.tensor(rows) * 1.0, TypeError),
        (lambda rows: np.array(rows) > 0, TypeError),
        (lambda rows: ["a"] * len(rows), TypeError),
    ],
)
def test_indices_that_do_not_fit_are_refused_by_name(name: str, change: Any, error: Any) -> None:
    with pytest.raises(error, match=rf"^{name}: expected "):
        replace(OWN[name], **{name: change(FITTING[name])})


@pytest.mark.parametrize("bad", [None, float("nan"), b"b", 3])
@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        (CLASSES, "class_names"),
        (CLASSES, "templates"),
        (CAPTIONS, "captions"),
        (QUIZ, "questions"),
    ],
)
def test_what_is_no_text_is_named_with_its_place(dataset: Any, name: str, bad: Any) -> None:
    given = [*getattr(dataset, name)]
    with pytest.raises(TypeError, match=rf"^{name}: expected a text at place {len(given) - 1}"):
        replace(dataset, **{name: [*given[:-1], bad]})
    with pytest.raises(TypeError, match=rf"^{name}: expected"):
        replace(dataset, **{name: bad})


@pytest.mark.parametrize("dataset", [CLASSES, CAPTIONS, QUIZ])
def test_one_text_is_no_list_of_them(dataset: Any) -> None:
    for name in {"class_names", "captions", "questions"} & set(vars(dataset)):
        with pytest.raises(TypeError, match=rf"^{name}: expected a list of .*, got str 'abc'"):
            replace(dataset, **{name: "abc"})


@pytest.mark.parametrize("name", ["class_names", "templates"])
def test_classes_have_a_name_and_a_template(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: expected at least one"):
        replace(CLASSES, **{name: []})


def test_a_template_has_one_place_for_the_name() -> None:
    with pytest.raises(ValueError, match=r"^templates: expected exactly one '\{\}', got 'a photo'"):
        replace(CLASSES, templates=["a {}", "a photo"])
    assert replace(CLASSES, templates="a {}").templates == ("a {}",)


@pytest.mark.parametrize("answers", [None, torch.tensor([0, 1])])
@pytest.mark.parametrize("more", [0, 2])
def test_each_image_has_one_question_with_options(answers: Any, more: int) -> None:
    for name in ("questions", "options"):
        given = [*getattr(QUIZ, name)[:1]] * (1 + more)
        wanted = rf"^{name}: expected one for each of the 2 images, got {1 + more}"
        with pytest.raises(ValueError, match=wanted):
            replace(QUIZ, answers=answers, **{name: given})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ([["a", None], ["c", "d"]], TypeError, "options of question 0: expected a text at place 1"),
        ([["a", "b"], "cd"], TypeError, "options of question 1: expected a list .* got str 'cd'"),
        ([["a", "b"], []], ValueError, "options of question 1: expected at least one"),
        ([["a", "b"], ["c"]], ValueError, "options: question 1 of 'quiz' has 1 options, .* has 2"),
        ("abcd", TypeError, "options: expected a list"),
    ],
)
def test_options_that_do_not_fit_are_named(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        replace(QUIZ, options=options)


@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS.long(),
        PIXELS / 255,
        torch.full((2, 3, 4, 5), torch.nan),
        PIXELS > 3,
        PIXELS.to(torch.int8),
        PIXELS.tolist(),
        "pixels",
    ],
)
def test_pixels_of_another_kind_are_refused(pixels: Any) -> None:
    with pytest.raises(TypeError, match=r"^pixels: expected "):
        TensorImages(pixels)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 4, 5, 3), (2, 1, 4, 5), (2, 3, 0, 5)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^pixels: expected shape \(n, 3, height, width\), got"):
        TensorImages(torch.zeros(shape, dtype=torch.uint8))


def test_an_array_of_pixels_is_held_as_a_tensor() -> None:
    assert torch.equal(TensorImages(PIXELS.numpy()).pixels, PIXELS)
