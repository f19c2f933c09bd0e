"""COCO: folders of images, captions to an image, and names that lead elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaputils.datasets import DataUnavailable, load


def annotated(root: Path, images: dict[int, str], captions: list[tuple[int, Any]]) -> Path:
    content = {
        "images": [{"id": number, "file_name": name} for number, name in images.items()],
        "annotations": [{"image_id": number, "caption": text} for number, text in captions],
    }
    (root / "captions_train2014.json").write_text(json.dumps(content))
    return root


def test_the_folder_of_images_may_lie_below_images(
    tmp_path: Path, paint: Callable[..., Path]
) -> None:
    paint("images/train2014/b.jpg", 50)
    root = annotated(tmp_path, {4: "a.jpg", 2: "b.jpg"}, [(2, "x"), (2, " y "), (4, "z")])
    data = load("coco", root, "train2014")
    assert data.captions == ["z", "x", "y"]
    assert data.caption_image.tolist() == [0, 1, 1]
    assert round(float(np.asarray(data.images[1]).mean())) == 50
    with pytest.raises(DataUnavailable, match=r"image 0: there is no file .*a\.jpg"):
        data.images[0]


def test_an_image_without_a_caption_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "train2014").mkdir()
    data = load("coco", annotated(tmp_path, {4: "a.jpg", 2: "b.jpg"}, [(2, "x")]), "train2014")
    assert len(data) == 1
    assert data.images.name(0) == "b.jpg"
    with pytest.raises(ValueError, match="has no image with a caption"):
        load("coco", annotated(tmp_path, {4: "a.jpg"}, []), "train2014")


def test_more_captions_than_there_are_are_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "train2014").mkdir()
    root = annotated(tmp_path, {1: "a.jpg"}, [(1, "x"), (1, "y")])
    data = load("coco", root, "train2014", captions_per_image=9)
    assert data.captions == ["x", "y"]
    assert data.info["captions_per_image"] == 9
    with pytest.raises(ValueError, match="captions_per_image"):
        load("coco", root, "train2014", captions_per_image=0)


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "", None, 3])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: Any) -> None:
    (tmp_path / "train2014").mkdir()
    with pytest.raises(ValueError, match="coco: expected"):
        load("coco", annotated(tmp_path, {1: name}, [(1, "x")]), "train2014")


@pytest.mark.parametrize(
    ("twice", "message"), [({"id": 1}, "the image id 1"), ({"file_name": "a.jpg"}, "'a.jpg'")]
)
def test_an_image_twice_names_the_file_and_it(
    tmp_path: Path, twice: dict[str, Any], message: str
) -> None:
    (tmp_path / "train2014").mkdir()
    file = annotated(tmp_path, {1: "a.jpg"}, [(1, "x")]) / "captions_train2014.json"
    content = json.loads(file.read_text())
    content["images"].append({"id": 2, "file_name": "b.jpg"} | twice)
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"captions_train2014\.json.* {message} is there twice"):
        load("coco", tmp_path, "train2014")


def test_an_image_twice_in_karpathys_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    image = {"filepath": "val2014", "filename": "a.jpg", "split": "test"}
    images = [image | {"sentences": [{"raw": text}]} for text in "xy"]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    with pytest.raises(
        ValueError, match=r"dataset_coco\.json: the image 'val2014/a\.jpg' is there"
    ):
        load("coco", tmp_path, "karpathy-test")


def test_a_caption_of_no_image_or_no_text_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "train2014").mkdir()
    for captions in ([(9, "x")], [(1, 3)]):
        root = annotated(tmp_path, {1: "a.jpg"}, captions)
        with pytest.raises(ValueError, match=r"train2014\.json is not in COCO's format"):
            load("coco", root, "train2014")
