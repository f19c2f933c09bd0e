"""Folders of images: metadata at several depths, and captions that are empty."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gaputils.datasets import load

Painter = Callable[..., Path]


def described(folder: Path, *rows: dict[str, object]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines)


def test_metadata_name_files_beside_themselves_at_any_depth(tmp_path: Path, paint: Painter) -> None:
    for name in ("one/a.png", "two/deep/a.png", "two/deep/b.png"):
        paint(name)
    described(tmp_path / "two" / "deep", {"file_name": "b.png", "text": "second"})
    described(
        tmp_path / "one",
        {"file_name": "a.png", "text": "first"},
        {"file_name": "./a.png", "text": "first again"},
    )
    data = load("imagefolder", tmp_path)
    assert data.captions == ["first", "first again", "second"]
    assert [data.images.name(i) for i in range(2)] == ["one/a.png", "two/deep/b.png"]


def test_the_first_known_column_is_the_caption_unless_one_is_named(
    tmp_path: Path, paint: Painter
) -> None:
    paint("a.png")
    described(tmp_path, {"file_name": "a.png", "prompt": "p", "caption": "c", "words": "w"})
    assert load("imagefolder", tmp_path).captions == ["c"]
    assert load("imagefolder", tmp_path, caption="words").captions == ["w"]
    with pytest.raises(ValueError, match=r"metadata\.jsonl: expected the columns .* 'absent'"):
        load("imagefolder", tmp_path, caption="absent")


def test_an_empty_caption_is_an_error_or_is_left_out_by_name(
    tmp_path: Path, paint: Painter
) -> None:
    paint("a.png").with_suffix(".txt").write_text("\n \n")
    paint("b.png").with_suffix(".txt").write_text("of b\n\n")
    with pytest.raises(ValueError, match=r"a\.png: image 0 .* no or empty captions"):
        load("imagefolder", tmp_path)
    data = load("imagefolder", tmp_path, skip_broken=True)
    assert data.captions == ["of b"]
    assert data.info["left_out"] == ["a.png"]
    assert data.images.name(0) == "b.png"


def test_options_of_captions_are_refused_where_there_are_none(
    tmp_path: Path, paint: Painter
) -> None:
    paint("cat/a.png")
    with pytest.raises(ValueError, match=r"caption: .* has no metadata file, got 'words'"):
        load("imagefolder", tmp_path, caption="words")
    with pytest.raises(ValueError, match=r"captions_per_image: .* has no captions"):
        load("imagefolder", tmp_path, captions_per_image=1)


def test_a_class_is_the_folder_right_below_however_deep_its_images(
    tmp_path: Path, paint: Painter
) -> None:
    for name in ("b/x/1.png", "a/2.JPEG", "b/3.gif"):
        paint(name)
    (tmp_path / "c").mkdir()
    (tmp_path / "a" / "notes.md").write_text("no image")
    data = load("imagefolder", tmp_path)
    assert data.class_names == ["a", "b"]
    found = [data.class_names[i] for i in data.targets]
    assert found == [data.images.name(i).partition("/")[0] for i in range(3)]


def test_names_of_files_may_be_in_capitals(tmp_path: Path, paint: Painter) -> None:
    paint("one/a.PNG")
    (tmp_path / "one" / "A.TXT").write_text("not its caption")
    (tmp_path / "one" / "a.TXT").write_text("beside it")
    assert load("imagefolder", tmp_path).captions == ["beside it"]
    (tmp_path / "one" / "Metadata.CSV").write_text("file_name,text\na.PNG,from the list\n")
    assert load("imagefolder", tmp_path).captions == ["from the list"]


def test_two_lists_in_one_folder_are_refused(tmp_path: Path, paint: Painter) -> None:
    paint("a.png")
    described(tmp_path, {"file_name": "a.png", "text": "once"})
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,once\n")
    with pytest.raises(ValueError, match=r"metadata\.csv: there is metadata\.jsonl too"):
        load("imagefolder", tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines"])
def test_bytes_that_are_no_text_name_no_class(tmp_path: Path, paint: Painter, name: bytes) -> None:
    paint("cat/a.png")
    (tmp_path / "cat").rename(tmp_path / os.fsdecode(name))
    with pytest.raises(ValueError, match="is no name of a class"):
        load("imagefolder", tmp_path)


def test_a_file_whose_name_is_no_utf8_can_be_named(tmp_path: Path, paint: Painter) -> None:
    paint("cat/a.png")
    (tmp_path / "cat" / "a.png").rename(tmp_path / "cat" / os.fsdecode(b"caf\xe9.png"))
    data = load("imagefolder", tmp_path)
    assert data.images.name(0) == r"caf\xe9.png"
    assert data.images[0].size


def test_a_folder_in_place_of_a_name_is_told_how_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paint: Painter
) -> None:
    monkeypatch.chdir(tmp_path)
    paint("imgs/cat/a.png")
    for name in ("./imgs", Path("imgs")):
        with pytest.raises(ValueError, match=r"^name: .*'imagefolder' with the root '(\./)?imgs'$"):
            load(name)
    with pytest.raises(ValueError, match=r"got './none'$"):
        load("./none")
    assert len(load("imagefolder", "./imgs")) == 1
