"""A-OKVQA: where its images are looked for, and what its questions must have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaputils.datasets import load
from gaputils.datasets._broken import without

GOOD = {"image_id": 7, "question": "What?", "choices": ["a", "b", "c"], "correct_choice_idx": 1}


def written(root: Path, rows: Any, split: str = "val") -> Path:
    (root / f"aokvqa_v1p0_{split}.json").write_text(json.dumps(rows))
    return root


@pytest.mark.parametrize("place", ["", "coco/", "images/"])
def test_images_are_in_the_folder_or_one_of_two_below(
    tmp_path: Path, paint: Callable[..., Path], place: str
) -> None:
    paint(f"{place}val2017/000000000007.jpg", 60)
    data = load("aokvqa", written(tmp_path, [GOOD]))
    assert round(float(np.asarray(data.images[0]).mean())) == 60
    assert data.answers.tolist() == [1]
    assert data.info["question_ids"] == [""]


def test_the_split_names_the_file_and_the_year_of_its_images(
    tmp_path: Path, paint: Callable[..., Path]
) -> None:
    paint("elsewhere/train2017/000000000007.jpg", 5)
    root = written(tmp_path, [GOOD, GOOD], "train")
    data = load("aokvqa", root, "train", images=tmp_path / "elsewhere")
    assert len(data) == 2, "an image may have several questions"
    assert data.split == "train"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"choices": ["a"]}, "row 1 has no question with choices"),
        ({"choices": "abc"}, "row 1 has no question with choices"),
        ({"question": 3}, "row 1 has no question with choices"),
        ({"choices": ["a", "b"]}, "row 1 has 2 choices, the first another"),
        ({"correct_choice_idx": 3}, "row 1: correct_choice_idx is 3"),
        ({"correct_choice_idx": -1}, "row 1: correct_choice_idx is -1"),
        ({"correct_choice_idx": "b"}, "row 1: correct_choice_idx is b"),
        ({"correct_choice_idx": True}, "row 1: correct_choice_idx is True"),
        ({"correct_choice_idx": 1.0}, "row 1: correct_choice_idx is 1.0"),
        (
            {"choices": ["a", None, "c"]},
            "row 1: choices: expected a text at place 1, got NoneType None",
        ),
        ({"choices": ["a", "b", 3]}, "row 1: choices: expected a text at place 2, got int 3"),
        ({"correct_choice_idx": None}, "row 1 has no correct_choice_idx"),
    ],
)
def test_a_question_that_does_not_fit_is_named_with_its_row(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    (tmp_path / "val2017").mkdir()
    with pytest.raises(ValueError, match=rf"aokvqa_v1p0_val\.json: {message}"):
        load("aokvqa", written(tmp_path, [GOOD, GOOD | row]))


@pytest.mark.parametrize("number", [True, 7.9, "seven", -7, None])
def test_an_image_is_known_by_a_whole_number(tmp_path: Path, number: Any) -> None:
    (tmp_path / "val2017").mkdir()
    with pytest.raises(ValueError, match=r"aokvqa_v1p0_val\.json .*row 1: .*image_id: expected"):
        load("aokvqa", written(tmp_path, [GOOD, GOOD | {"image_id": number}]))


def test_ids_of_questions_that_are_left_out_go_with_them(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    ids = ["q", "r", None, 0, "s"]
    data = load("aokvqa", written(tmp_path, [GOOD | {"question_id": one} for one in ids]))
    assert data.info["question_ids"] == ["q", "r", "", "0", "s"]
    assert without(data, [0, 2]).info["question_ids"] == ["r", "0", "s"]
    assert len(data.info["question_ids"]) == 5


def test_no_questions_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    with pytest.raises(ValueError, match="there are no questions"):
        load("aokvqa", written(tmp_path, []))


def test_a_part_of_the_hubs_files_that_is_not_there_is_missed(tmp_path: Path) -> None:
    (tmp_path / "validation-00001-of-00002-0a1b.parquet").touch()
    with pytest.raises(ValueError, match="1 of the shards 'validation' are not there"):
        load("aokvqa", tmp_path)
