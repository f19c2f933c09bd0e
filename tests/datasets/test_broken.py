"""Images that are left out take all with them that is theirs, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gaputils.datasets._broken import ChosenImages, image_name, places_of, without
from gaputils.datasets.base import CaptionDataset, ChoiceDataset, ClassificationDataset


class Named:
    """Images that are their own places, under names."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return index

    def name(self, index: int) -> str:
        return f"{'abcde'[index]}.png"


IMAGES: Any = Named()
CLASSES = ClassificationDataset("classes", IMAGES, ["x", "y"], torch.tensor([0, 1, 0, 1, 1]))
CAPTIONS = CaptionDataset(
    "captions", IMAGES, [f"{i}" for i in range(7)], torch.tensor([4, 0, 2, 1, 2, 3, 0])
)
QUIZ = ChoiceDataset("quiz", IMAGES, list("vwxyz"), [["1", "2"]] * 5, torch.tensor([0, 1, 1, 0, 1]))


def test_labels_stay_with_their_images() -> None:
    left = without(CLASSES, [3, 0])
    assert [left.images[i] for i in range(len(left))] == [1, 2, 4]
    assert left.targets.tolist() == [1, 0, 1]
    assert left.info["left_out"] == ["a.png", "d.png"]
    assert len(CLASSES) == 5
    assert CLASSES.info == {}


def test_captions_stay_with_their_images_in_their_order() -> None:
    left = without(CAPTIONS, [2])
    owners = [left.images[i] for i in left.caption_image.tolist()]
    kept = [i for i in range(7) if CAPTIONS.caption_image[i] != 2]
    assert left.captions == [str(i) for i in kept]
    assert owners == CAPTIONS.caption_image[kept].tolist()


@pytest.mark.parametrize("known", [True, False])
def test_questions_go_with_their_images(known: bool) -> None:
    quiz = QUIZ if known else ChoiceDataset("quiz", IMAGES, list("vwxyz"), [["1"]] * 5, None)
    left = without(quiz, [0, 4])
    assert list(left.questions) == ["w", "x", "y"]
    assert len(left.options) == 3
    assert (left.answers is None) != known
    assert not known or left.answers.tolist() == [1, 1, 0]


def test_what_was_left_out_before_is_still_named() -> None:
    twice = without(without(CLASSES, [1]), [1])
    assert twice.info["left_out"] == ["b.png", "c.png"]
    assert [twice.images[i] for i in range(3)] == [0, 3, 4]
    assert twice.images.name(1) == "d.png"


def test_nothing_whole_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of the 5 images of 'classes' is whole"):
        without(CLASSES, range(5))


def test_images_are_found_by_their_names_or_their_places() -> None:
    assert places_of(CLASSES, ["e.png", "b.png", "z.png"]) == [1, 4]
    assert image_name([object()] * 3, 2) == "image 2"  # type: ignore[arg-type]
    assert image_name(ChosenImages(IMAGES, [4, 1]), 0) == "e.png"


def test_a_name_of_all_images_is_none_of_one() -> None:
    images: Any = Named()
    images.name = "holidays"
    assert image_name(images, 2) == "image 2"
    data = ClassificationDataset("classes", images, ["x"], [0] * 5)  # type: ignore[arg-type]
    assert without(data, [3]).info["left_out"] == ["image 3"]


@pytest.mark.parametrize("broken", [[1], [1, 3], [0, 3], [4]])
def test_images_of_one_name_are_told_apart(broken: list[int]) -> None:
    """What was left out leads to the same images again, and to the same names."""
    images: Any = Named()
    images.name = lambda index: "abcbb"[index]
    data = ClassificationDataset("classes", images, ["x"], torch.zeros(5, dtype=torch.int64))
    left_out = without(data, broken).info["left_out"]
    assert len(set(left_out)) == len(broken)
    assert places_of(data, left_out) == broken
    assert without(data, places_of(data, left_out)).info["left_out"] == left_out
