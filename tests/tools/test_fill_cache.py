"""Filling the loader's cache from a folder: the published files alone, and no other."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from fill_cache import fill, wanted
from gaputils.datasets._published_sources import File


def test_only_the_published_files_are_copied(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "copies"
    (folder / "theirs").mkdir(parents=True)
    (folder / "theirs" / "good.npy").write_bytes(b"published")
    (folder / "theirs" / "other.npy").write_bytes(b"changed")
    digest = sha256(b"published").hexdigest()
    files = [File("", f"theirs/{name}.npy", digest) for name in ("good", "other", "lost")]
    outcomes = {"copied": 1, "not the published file": 1, "not in the folder": 1}
    assert fill(folder, files) == outcomes
    assert (tmp_path / "cache" / "theirs" / "good.npy").read_bytes() == b"published"
    assert not (tmp_path / "cache" / "theirs" / "other.npy").exists()
    assert fill(folder, files[:1]) == {"there already": 1}


@pytest.mark.parametrize("part", ["liang2022/features_clip.npy", "CLIP_meta_info.json"])
def test_every_file_is_asked_for_once(part: str) -> None:
    places = [file.place for file in wanted()]
    assert len(places) == len(set(places))
    assert any(part in place for place in places)
