"""Karpathy and Fei-Fei's files: splits, folders, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaputils.datasets._karpathy import read_karpathy


def image(name: str, split: str, *texts: object, **more: str) -> dict[str, object]:
    return {"filename": name, "split": split, "sentences": [{"raw": t} for t in texts], **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    images = [
        image("b.jpg", "train", "one", filepath="train2014"),
        image("a.jpg", "test", "two", "three"),
        image("c.jpg", "test", filepath="val2014"),
    ]
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"images": images, "dataset": "x"}))
    return path


def test_a_split_in_the_files_order_with_its_folders(file: Path) -> None:
    assert read_karpathy(file, "test") == [
        ("a.jpg", ["two", "three"]),
        (str(Path("val2014/c.jpg")), []),
    ]
    assert [Path(name).name for name, _ in read_karpathy(file, "all")] == [
        "b.jpg",
        "a.jpg",
        "c.jpg",
    ]


def test_an_unknown_split_is_told_the_known_ones(file: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one of \['test', 'train', 'all'\].*got 'val'"):
        read_karpathy(file, "val")


@pytest.mark.parametrize(
    "content", [[], {"dataset": "x"}, {"images": [{"split": "test"}]}, {"images": [3]}]
)
def test_what_is_not_in_the_format_names_the_file(file: Path, content: object) -> None:
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"dataset\.json is not in Karpathy and Fei-Fei's format"):
        read_karpathy(file, "test")


def test_a_caption_that_is_no_text_names_the_file(file: Path) -> None:
    file.write_text(json.dumps({"images": [image("a.jpg", "test", 3)]}))
    with pytest.raises(ValueError, match="expected a text, got 3"):
        read_karpathy(file, "test")
