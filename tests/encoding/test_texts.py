"""The texts of every kind of data set, and what belongs to what; no model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from gaputils.datasets.base import (
    CaptionDataset,
    ChoiceDataset,
    ClassificationDataset,
    TensorImages,
)
from gaputils.encoding._texts import gather_texts, kept

IMAGES = TensorImages(torch.zeros(3, 3, 2, 2, dtype=torch.uint8))
CLASSES = ClassificationDataset("animals", IMAGES, ["cat", "dog"], torch.tensor([1, 0, 1]))
CAPTIONS = CaptionDataset(
    "pairs", IMAGES, ["b", "a", "a again", "c", "b again"], torch.tensor([1, 0, 0, 2, 1])
)
CHOICES = ChoiceDataset(
    "quiz",
    IMAGES,
    ["what?", "who?", "where?"],
    [["cat", "dog"], ["me", "you"], ["here", "there"]],
    torch.tensor([1, 0, 0]),
)


def test_classes_are_their_names_with_the_templates_beside_them() -> None:
    texts = gather_texts(CLASSES, ["a {}", "the {}"])
    assert (texts.kind, texts.texts, texts.templates) == (
        "classes",
        ["cat", "dog"],
        ("a {}", "the {}"),
    )
    assert texts.targets is not None
    assert texts.targets.tolist() == [1, 0, 1]
    assert gather_texts(CLASSES, None).templates == tuple(CLASSES.templates)
    assert gather_texts(CLASSES, "one {}").templates == ("one {}",)
    assert texts.labels()["class_names"] == ["cat", "dog"]


def test_an_image_is_answered_by_the_first_of_its_captions_and_owns_all() -> None:
    texts = gather_texts(CAPTIONS, None)
    assert len(texts) == 5
    assert texts.targets is not None
    assert texts.owners is not None
    assert [texts.texts[i] for i in texts.targets] == ["a", "b", "c"]
    assert texts.owners.tolist() == [1, 0, 0, 2, 1]
    assert texts.labels() == {"templates": None, "class_names": None, "options": None}


def test_questions_stand_one_after_the_other() -> None:
    texts = gather_texts(CHOICES, "{question} {choice}!")
    assert texts.texts == [
        "what? cat!",
        "what? dog!",
        "who? me!",
        "who? you!",
        "where? here!",
        "where? there!",
    ]
    assert texts.options == 2
    assert texts.targets is not None
    assert texts.targets.tolist() == [1, 2, 4]
    assert gather_texts(replace(CHOICES, answers=None), None).targets is None


@pytest.mark.parametrize(
    ("dataset", "templates", "message"),
    [
        (CLASSES, [], "templates: expected at least one"),
        (CLASSES, ["a {}", "a photo"], r"^templates: expected exactly one '\{\}', got 'a photo'"),
        (CAPTIONS, "a {}", "templates: the captions of 'pairs' take none"),
        (CHOICES, ["{choice}"], "templates: expected one prompt"),
        (
            replace(CAPTIONS, captions=["b", "c"], caption_image=torch.tensor([1, 2])),
            None,
            "image 0 of 'pairs' has no caption",
        ),
    ],
)
def test_what_does_not_fit_is_named(dataset: Any, templates: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gather_texts(dataset, templates)


@pytest.mark.parametrize("templates", [[None], ["a {}", str.upper], [b"a {}"], 3])
def test_templates_that_are_no_texts_are_named(templates: Any) -> None:
    with pytest.raises(TypeError, match=r"^templates: expected"):
        gather_texts(CLASSES, templates)


def test_templates_may_come_from_anything_that_lists_them() -> None:
    assert gather_texts(CLASSES, (f"{{}} {i}" for i in range(2))).templates == ("{} 0", "{} 1")


def test_the_checksum_sees_every_text_and_what_belongs_to_what() -> None:
    described = [
        gather_texts(data, None).description()
        for data in (
            CAPTIONS,
            replace(CAPTIONS, captions=["b", "a", "a again", "c", "other"]),
            replace(CAPTIONS, captions=["b", "a", "a again", "c", "b again"][::-1]),
            replace(CAPTIONS, caption_image=torch.tensor([1, 0, 2, 2, 1])),
        )
    ]
    sums = [one["content_sha256"] for one in described]
    assert len(set(sums)) == 4
    assert sums[0] == gather_texts(CAPTIONS, None).description()["content_sha256"]
    assert all(one["kind"] == "captions" and one["class_names"] is None for one in described)


def test_templates_that_come_one_at_a_time_are_read_again() -> None:
    assert kept(None) is None
    assert kept("a {}.") == "a {}."
    assert kept(iter(["a {}.", "the {}."])) == ("a {}.", "the {}.")
    with pytest.raises(TypeError, match=r"^templates: expected a list of templates, got int 3"):
        kept(3)  # type: ignore[arg-type]
