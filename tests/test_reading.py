"""Whatever goes wrong while a file is read is one error, with the file, the place and a remedy."""

from __future__ import annotations

import tokenize
import zlib
from pathlib import Path
from typing import Any

import pytest

from gaputils._reading import (
    UnreadableFile,
    in_words,
    lines_of,
    named_place,
    read_csv,
    read_json,
    read_json_lines,
    read_text,
    reading,
)

ANYTHING = [
    zlib.error("Error -3 while decompressing data"),
    tokenize.TokenError("EOF in multi-line statement", (1, 0)),
    NotImplementedError("compression type 99"),
    RuntimeError("File is encrypted"),
    KeyError("images"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    OSError("truncated"),
    AssertionError(),
]


@pytest.mark.parametrize("error", ANYTHING, ids=lambda error: type(error).__name__)
def test_anything_becomes_one_line_with_file_and_place(error: Exception) -> None:
    def read() -> None:
        with reading("a.bin", "a whole file", argument="path") as at:
            at.place = "array 'x'"
            raise error

    with pytest.raises(UnreadableFile) as caught:
        read()
    message = str(caught.value)
    assert message.startswith("path: a.bin is not a whole file, array 'x': ")
    assert message.endswith(". Copy it again, or make it anew")
    assert "\n" not in message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        UnreadableFile("b.bin is not whole"),
        FileNotFoundError("there is no file a.bin"),
        PermissionError(13, "Permission denied", "a.bin"),
        ModuleNotFoundError("pyarrow"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_names_its_file_stays_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reading("a.bin", "a whole file"):
        raise error
    assert caught.value is error


def test_reasons_are_short_and_say_their_kind() -> None:
    assert in_words(ValueError("cut short.")) == "cut short"
    assert in_words(KeyError("x")) == "KeyError: 'x'"
    assert in_words(AssertionError()) == "AssertionError"
    assert in_words("one\n  two") == "one two"
    assert len(in_words(RuntimeError("long " * 1000))) < 400


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(mark + b"file_name,text\n1.png,caf\xc3\xa9\n")
    assert read_text(path).startswith("file_name")
    assert read_csv(path) == [{"file_name": "1.png", "text": "café"}]
    path.write_bytes(mark + b'{"a": 1}\r\n\n{"a": 2}')
    assert read_json_lines(path) == [{"a": 1}, {"a": 2}]
    path.write_bytes(mark + b"[1]")
    assert read_json(path) == [1]


@pytest.mark.parametrize("read", [read_text, read_csv, read_json, read_json_lines])
def test_another_encoding_names_file_line_and_byte(tmp_path: Path, read) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("file_name,text\n1.png,café\n".encode("latin-1"))
    with pytest.raises(UnreadableFile, match=r"latin\.csv is not .*line 2 holds the byte 0xe9"):
        read(path)


def test_only_line_feeds_part_lines() -> None:
    assert lines_of("a\u2028b\nc\x85d\r\ne\x0cf\n") == ["a\u2028b", "c\x85d", "e\x0cf"]


def test_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"a": 1}\n\n{"a": ')
    with pytest.raises(UnreadableFile, match=r"m\.jsonl is not a file of JSON lines, line 3: "):
        read_json_lines(path)
    path.write_text('{"a": 1}\n[1]\n')
    with pytest.raises(UnreadableFile, match="line 2: it is no JSON object"):
        read_json_lines(path)
    path.write_text("[" * 100_000)
    with pytest.raises(UnreadableFile, match="is not whole JSON: it is nested too deeply"):
        read_json(path)


def test_a_field_longer_than_any_caption_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text('file_name,text\n1.png,short\n2.png,"' + "long " * 40_000 + '"\n')
    with pytest.raises(UnreadableFile, match=r"metadata\.csv is not a CSV file, line 3: .*limit"):
        read_csv(path)


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named_place("path", "~/a/b.npy") == tmp_path / "a" / "b.npy"
    assert named_place("path", Path("~nobody-is-called-so.npy")) == Path("~nobody-is-called-so.npy")


@pytest.mark.parametrize("path", [None, b"a.npy", 3, ["a.npy"]])
def test_what_is_no_path_is_refused_by_the_name_of_the_argument(path: Any) -> None:
    with pytest.raises(TypeError, match=rf"^folder: expected a path, got {type(path).__name__}"):
        named_place("folder", path)


@pytest.mark.parametrize("path", ["", "a\0.npy"])
def test_a_path_that_no_system_has_is_refused_by_the_name_of_the_argument(path: str) -> None:
    with pytest.raises(ValueError, match=r"^folder: expected a file or a folder, got '"):
        named_place("folder", path)
