"""Parquet files of the hub: columns over several files, images by row group."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gaputils.datasets._parquet import ParquetImages, read_rows


def encoded(value: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (value,) * 3).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of five and three rows, two rows a group; the second keeps plain bytes."""
    first = [{"bytes": encoded(10 * i), "path": None} for i in range(5)]
    second = [encoded(10 * i) for i in range(5, 8)]
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, images, start in zip(paths, (first, second), (0, 5), strict=True):
        numbers = list(range(start, start + len(images)))
        table = pa.table({"number": numbers, "image": images, "word": [str(i) for i in numbers]})
        pq.write_table(table, path, row_group_size=2)
    return paths


def grey(image: Image.Image) -> int:
    return int(np.asarray(image)[0, 0, 0])


def test_rows_run_over_the_files_in_order(files: list[Path]) -> None:
    found = read_rows(files, ("word", "absent", "number"))
    assert found == [{"word": str(i), "number": i} for i in range(8)]
    assert list(found[0]) == ["word", "number"]


def test_files_of_other_columns_are_refused(files: list[Path]) -> None:
    pq.write_table(pa.table({"number": [8]}), files[1])
    with pytest.raises(ValueError, match=r"b\.parquet has the columns \['number'\]"):
        read_rows(files, ("number", "word"))


def test_images_are_found_in_whatever_order_they_are_asked_for(files: list[Path]) -> None:
    images = ParquetImages(files, "image")
    assert len(images) == 8
    for index in (7, 0, 4, 5, 3, 1, 6, 2):
        assert grey(images[index]) == 10 * index
    assert grey(images[-1]) == 70
    assert grey(images[-8]) == 0
    for index in (8, -9):
        with pytest.raises(IndexError, match="there are 8 images"):
            images[index]


def test_an_image_is_known_by_its_file(files: list[Path]) -> None:
    images = ParquetImages(files, "image")
    assert images.name(4).startswith("a.parquet: row 4")
    assert images.name(5).startswith("b.parquet: row 5")


def test_one_row_group_is_held_at_a_time(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, number, **how: asked.append(number) or read(self, number, **how),
    )
    images = ParquetImages(files, "image")
    for index in (0, 1, 0, 2, 3, 4, 0):
        images[index]
    assert asked == [0, 1, 2, 0]


def test_what_holds_no_images_names_column_and_row(files: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"a\.parquet has no column 'picture'"):
        ParquetImages(files, "picture")
    with pytest.raises(ValueError, match=r"row 1 has no bytes in the column 'word'"):
        ParquetImages(files, "word")[1]
