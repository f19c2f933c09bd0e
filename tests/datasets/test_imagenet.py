"""ImageNet's two layouts, read without the thousand classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gaputils.datasets import DataUnavailable, imagenet, load


def test_folders_of_wordnets_ids_alone_are_classes(
    tmp_path: Path, paint: Callable[..., Path]
) -> None:
    for name in (
        "n02/b.JPEG",
        "n02/a.png",
        "n01/c.jpg",
        "n02/.hidden.jpg",
        "x01/d.jpg",
        "n0a/e.jpg",
    ):
        paint(name)
    (tmp_path / "n03.jpg").write_bytes(b"")
    (tmp_path / "n02" / "notes.txt").write_text("")
    ids, paths = imagenet._class_folders(tmp_path)
    assert list(ids) == ["n01", "n02", "n02"]
    assert [path.name for path in paths] == ["c.jpg", "a.png", "b.JPEG"]
    assert imagenet._class_folders(tmp_path / "absent") == ([], [])


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    (tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val").mkdir(parents=True)
    return tmp_path


def test_kaggles_solution_is_read_in_the_order_of_the_images(kaggle: Path) -> None:
    solution = kaggle / "LOC_val_solution.csv"
    solution.write_text(
        "ImageId,PredictionString\nval_2,n01 1 2 3 4 n01 5 6 7 8\nval_1,n07 1 2 3 4\n"
    )
    ids, paths = imagenet._kaggle(kaggle, solution)
    assert ids == ["n07", "n01"]
    assert [path.name for path in paths] == ["val_1.JPEG", "val_2.JPEG"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns ImageId and PredictionString"),
        ("ImageId,Class\nval_1,n01\n", "expected the columns ImageId and PredictionString"),
        ("ImageId,PredictionString\nval_1,n01 1\nval_2,\n", "not Kaggle's solution, row 1"),
    ],
)
def test_a_solution_that_does_not_fit_names_the_file(kaggle: Path, text: str, message: str) -> None:
    (kaggle / "LOC_val_solution.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"LOC_val_solution\.csv.*{message}"):
        load("imagenet", kaggle)


def test_a_solution_without_images_says_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n")
    with pytest.raises(DataUnavailable, match=r"imagenet: wanted .*CLS-LOC"):
        load("imagenet", tmp_path)
