"""Flickr30k: order, splits, and lines that are not in their format."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gaputils.datasets import load


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path


def test_an_image_has_all_its_captions_wherever_their_lines_are(root: Path) -> None:
    lines = ["b.jpg#0\tone", "a.jpg#0\ttwo # three", "", "b.jpg#1\t four", "a#b.jpg#0\tfive"]
    (root / "results_20130124.token").write_text("\n".join(lines))
    data = load("flickr30k", root)
    assert data.split == "all"
    assert data.captions == ["one", "four", "two # three", "five"]
    assert data.caption_image.tolist() == [0, 0, 1, 2]
    assert [path.name for path in data.images.paths] == ["b.jpg", "a.jpg", "a#b.jpg"]


def test_a_caption_may_hold_kaggles_own_bar(root: Path) -> None:
    (root / "results.csv").write_text(
        "image_name| comment_number| comment\na.jpg| 0| one | two\na.jpg| 1 three .\n"
    )
    data = load("flickr30k", root)
    assert data.captions == ["one | two", "three ."]
    assert data.info["captions_from"] == "results.csv"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("results_20130124.token", "a.jpg one caption"),
        ("results_20130124.token", "a.jpg\tone caption"),
        ("results.csv", "image_name| comment_number| comment\na.jpg"),
    ],
)
def test_a_line_in_another_format_names_the_file(root: Path, file: str, text: str) -> None:
    (root / file).write_text(text)
    with pytest.raises(ValueError, match=rf"{file}: expected lines IMAGE"):
        load("flickr30k", root)


def test_the_hubs_file_knows_its_splits(root: Path) -> None:
    with (root / "flickr_annotations_30k.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["raw", "split", "filename"])
        for name, split in (("a.jpg", "val"), ("b.jpg", "train"), ("c.jpg", "val")):
            rows.writerow([json.dumps([f"{name}, first", "second"]), split, name])
    assert load("flickr30k", root, "val").captions[::2] == ["a.jpg, first", "c.jpg, first"]
    assert len(load("flickr30k", root, "all")) == 3
    with pytest.raises(ValueError, match=r"expected one of \['train', 'val', 'all'\]"):
        load("flickr30k", root)
