"""Emoji that are drawn once and then read: the same bits, whatever became of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gaputils.datasets import _drawings
from gaputils.datasets._drawings import drawn, drawn_once

THREE = ("🐱", "🚗", "✈️")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    drawn_once.cache_clear()
    return tmp_path / "drawings"


def forbidden(*_: object) -> None:
    raise AssertionError("drawn a second time")


def again() -> torch.Tensor:
    """As another process finds them."""
    drawn_once.cache_clear()
    return drawn_once(THREE, 16)


def test_what_was_drawn_once_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = drawn(THREE, 16)
    assert expected.shape == (3, 4, 16, 16)
    assert torch.equal(drawn_once(THREE, 16), expected)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(_drawings, "drawn", forbidden)
    assert torch.equal(again(), expected)


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b[:-7] + b"\1" * 7, lambda _: b""])
def test_a_damaged_file_is_replaced(folder: Path, damage) -> None:
    expected = drawn_once(THREE, 16)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    assert damage(whole) != whole
    file.write_bytes(damage(whole))
    assert torch.equal(again(), expected)
    assert file.read_bytes() == whole


def test_a_folder_that_takes_no_file_is_done_without(folder: Path) -> None:
    folder.write_text("no folder")
    assert torch.equal(again(), drawn(THREE, 16))
    assert folder.read_text() == "no folder"


@pytest.mark.parametrize(
    ("emoji", "size", "font"), [(THREE, 17, "1"), (THREE[:2], 16, "1"), (THREE, 16, "2")]
)
def test_another_size_emoji_or_font_is_another_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, emoji, size: int, font: str
) -> None:
    monkeypatch.setattr(_drawings, "version", lambda _: "1")
    drawn_once(THREE, 16)
    monkeypatch.setattr(_drawings, "version", lambda _: font)
    drawn_once.cache_clear()
    drawn_once(emoji, size)
    assert len(list(folder.iterdir())) == 2
