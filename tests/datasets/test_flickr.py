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


HEAD = "image_name| comment_number| comment\n"


@pytest.mark.parametrize("head", ["", HEAD, "image_name|comment_number|comment\n"])
def test_kaggles_first_line_is_a_caption_or_the_known_head(root: Path, head: str) -> None:
    (root / "results.csv").write_text(head + "a.jpg| 0| A dog runs\nb c.jpg |1|2 dogs\n\n")
    data = load("flickr30k", root)
    assert data.captions == ["A dog runs", "2 dogs"]
    assert [path.name for path in data.images.paths] == ["a.jpg", "b c.jpg"]


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("results_20130124.token", "a.jpg one caption", 1),
        ("results_20130124.token", "a.jpg#0\tone\na.jpg\tone caption", 2),
        ("results_20130124.token", "a.jpg#zero\tone caption", 1),
        ("results.csv", HEAD + "a.jpg", 2),
        ("results.csv", HEAD + "a.jpg| 0| A dog\na.jpg| A dog runs", 3),
        ("results.csv", HEAD + "a.jpg| A dog| runs", 2),
        ("results.csv", HEAD + "a.jpg| 4dogs run", 2),
        ("results.csv", HEAD + "a.jpg| 4", 2),
        ("results.csv", HEAD + " | 4| A dog runs", 2),
        ("results.csv", HEAD + "a.jpg| 0| A dog\n" + HEAD, 3),
        ("results.csv", "picture| number| text\na.jpg| 0| A dog runs", 1),
        ("results.csv", "image_name,comment_number,comment\na.jpg,0,A dog runs", 1),
        ("results.csv", "a.jpg,0,A dog runs", 1),
    ],
)
def test_a_line_in_another_format_names_file_and_line(
    root: Path, file: str, text: str, line: int
) -> None:
    (root / file).write_text(text)
    with pytest.raises(ValueError, match=rf"{file}: line {line}: expected IMAGE.*, got '"):
        load("flickr30k", root)


def test_an_image_twice_in_the_hubs_or_karpathys_file_is_refused(root: Path) -> None:
    rows = [["raw", "split", "filename"], *([f'["{i}"]', "test", "a.jpg"] for i in range(2))]
    with (root / "flickr_annotations_30k.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(ValueError, match=r"30k\.csv: the image 'a\.jpg' is there twice"):
        load("flickr30k", root)
    images = [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": t}]} for t in "xy"]
    (root / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
    with pytest.raises(ValueError, match=r"30k\.json: the image 'a\.jpg' is there twice"):
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
