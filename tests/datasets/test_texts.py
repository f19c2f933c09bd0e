"""Captions and lists as spreadsheets and other systems write them."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

import gaputils as gu
from gaputils._reading import UnreadableFile

MARKS = {"plain": "utf-8", "with a byte order mark": "utf-8-sig"}
CAPTION = "two\u2028lines, a café\x85and more"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(2):
        Image.new("RGB", (8, 6), (90 * number, 90, 90)).save(tmp_path / f"{number}.png")
    return tmp_path


def write(folder: Path, kind: str, encoding: str, texts: tuple[str, str]) -> None:
    if kind == "txt":
        for number, text in enumerate(texts):
            (folder / f"{number}.txt").write_bytes(f"{text}\r\n".encode(encoding))
    elif kind == "csv":
        rows = [("file_name", "text"), *((f"{i}.png", text) for i, text in enumerate(texts))]
        stream = io.StringIO()
        csv.writer(stream).writerows(rows)
        (folder / "metadata.csv").write_bytes(stream.getvalue().encode(encoding))
    else:
        lines = [f'{{"file_name": "{i}.png", "text": "{text}"}}' for i, text in enumerate(texts)]
        (folder / "metadata.jsonl").write_bytes("\r\n".join(lines).encode(encoding))


@pytest.mark.parametrize("encoding", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
def test_marks_and_line_ends_are_no_part_of_a_caption(folder, kind: str, encoding: str) -> None:
    write(folder, kind, encoding, (CAPTION, "one"))
    data = gu.datasets.load("imagefolder", folder)
    assert data.captions == [CAPTION, "one"]
    assert data.caption_image.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_names_the_file(folder: Path, kind: str, encoding: str) -> None:
    write(folder, kind, encoding, ("a café", "one"))
    name = "0.txt" if kind == "txt" else f"metadata.{kind}"
    with pytest.raises(UnreadableFile, match=rf"{name} is not .*holds the byte 0x"):
        gu.datasets.load("imagefolder", folder)


def test_captions_in_shards(tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (8, 6)).save(image, "PNG")
    with tarfile.open(tmp_path / "part.tar", "w") as archive:
        for name, content in (
            ("0.png", image.getvalue()),
            ("0.txt", f"{CAPTION}\r\nanother\n".encode("utf-8-sig")),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert gu.datasets.load("webdataset", tmp_path).captions == [CAPTION, "another"]


def test_a_field_without_end_names_file_and_line(folder: Path) -> None:
    (folder / "metadata.csv").write_text('file_name,text\n0.png,"' + "long " * 40_000 + '"\n')
    with pytest.raises(
        UnreadableFile, match=r"metadata\.csv is not a CSV file, line 2: .*quotation"
    ):
        gu.datasets.load("imagefolder", folder)


def test_a_list_nested_without_end_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "captions_val2017.json").write_text("[" * 100_000)
    (tmp_path / "val2017").mkdir()
    with pytest.raises(UnreadableFile, match=r"captions_val2017\.json is not whole JSON: .*nested"):
        gu.datasets.load("coco", tmp_path)


@pytest.mark.parametrize("caption", [None, 3, ["a"], {}])
def test_a_caption_that_is_no_text_names_the_file(tmp_path: Path, caption: object) -> None:
    (tmp_path / "images").mkdir()
    image = {"filename": "0.png", "split": "test", "sentences": [{"raw": caption}]}
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps({"images": [image]}))
    with pytest.raises(UnreadableFile, match=r"dataset_flickr30k\.json is not .*expected a text"):
        gu.datasets.load("flickr30k", tmp_path)
    (tmp_path / "val2017").mkdir()
    content = {
        "images": [{"id": 1, "file_name": "0.png"}],
        "annotations": [{"image_id": 1, "caption": caption}],
    }
    (tmp_path / "captions_val2017.json").write_text(json.dumps(content))
    with pytest.raises(UnreadableFile, match=r"captions_val2017\.json is not .*expected a text"):
        gu.datasets.load("coco", tmp_path)


@pytest.mark.parametrize(
    "content", [{}, [3], [{"image_id": 0, "question": "?", "choices": ["a", "b"]}, None]]
)
def test_questions_that_are_no_objects_name_the_file(tmp_path: Path, content: object) -> None:
    (tmp_path / "val2017").mkdir()
    (tmp_path / "aokvqa_v1p0_val.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"aokvqa_v1p0_val\.json is not in A-OKVQA's format"):
        gu.datasets.load("aokvqa", tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metadata.csv", "file_name,text\n0.png,a cat, sitting\n", "line 2: it has 3 cells"),
        ("metadata.csv", "file_name,text\n0.png,a\n1.png\n", "line 3: it has 1 cells"),
        ("metadata.csv", "file_name,text,text\n0.png,a,b\n", "two columns have the same name"),
        (
            "metadata.jsonl",
            '{"file_name": "0.png", "text": "a", "text": "b"}',
            "'text' is .* twice",
        ),
        ("metadata.jsonl", '{"file_name": "0.png", "text": "a \\ud83d"}', "surrogates not allowed"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(folder: Path, name, text, message) -> None:
    (folder / name).write_text(text)
    with pytest.raises(UnreadableFile, match=rf"{name} is not .*{message}"):
        gu.datasets.load("imagefolder", folder)


def test_whole_characters_and_empty_names_are_read(folder: Path) -> None:
    (folder / "metadata.jsonl").write_text('{"file_name": "0.png", "text": "a \\ud83d\\ude00"}')
    assert gu.datasets.load("imagefolder", folder).captions == ["a \U0001f600"]
    (folder / "metadata.jsonl").unlink()
    (folder / "metadata.csv").write_text("file_name,text,,\n0.png,a,,\n\n1.png,b,,\n")
    assert gu.datasets.load("imagefolder", folder).captions == ["a", "b"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.png": None, "a.webp": None, "a.txt": b"x"}, "a second image or text .*'a.webp'"),
        (
            {"a.png": None, "a.json": b'{"caption": "x", "caption": "y"}'},
            "'caption' is .* twice",
        ),
        ({"a.png": None, "a.txt": b"x", "a.TXT": b"y"}, "a second image or text .*'a.TXT'"),
    ],
)
def test_a_sample_of_two_meanings_is_refused(tmp_path: Path, members, message: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 6)).save(picture, "PNG")
    with tarfile.open(tmp_path / "part.tar", "w") as archive:
        for name, content in members.items():
            content = picture.getvalue() if content is None else content
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match=rf"part\.tar.*{message}"):
        gu.datasets.load("webdataset", tmp_path)
