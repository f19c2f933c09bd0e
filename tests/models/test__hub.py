"""Files of the hub: the first that there is, by its checksum; what is said where there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from gaputils.datasets import DataUnavailable
from gaputils.models import _hub

Answer = bytes | Exception


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, bool]]]:
    """`hub(answers)` stands in for the hub's library; gives the list of what it is asked for."""

    def stand_in(answers: dict[str, Answer], announced: str = "", known: bool = False) -> Any:
        asked: list[tuple[str, bool]] = []

        def download(_repository: str, name: str, *, local_files_only: bool) -> str:
            asked.append((name, local_files_only))
            answer = answers[name]
            if isinstance(answer, Exception):
                raise answer
            blob = tmp_path / "blobs" / (announced or hashlib.sha256(answer).hexdigest())
            link = tmp_path / "snapshot" / name
            for path in (blob, link):
                path.parent.mkdir(exist_ok=True)
            blob.write_bytes(answer)
            link.symlink_to(blob)
            return str(link)

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        stored = "a/file" if known else None
        monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: stored)
        return asked

    return stand_in


def offline(reason: str) -> LocalEntryNotFoundError:
    error = LocalEntryNotFoundError("An error happened, check your connection")
    error.__cause__ = OSError(reason)
    return error


def test_the_first_that_there_is(hub: Any) -> None:
    asked = hub({"a": EntryNotFoundError("no a"), "b": b"content"})
    assert _hub.fetch("owner/model", ["a", "b"]).read_bytes() == b"content"
    assert asked == [("a", False), ("b", False)]


def test_after_a_failure_only_the_cache_is_asked(hub: Any) -> None:
    asked = hub({"a": offline("no route"), "b": b"content"})
    assert _hub.fetch("owner/model", ["a", "b"]).name == "b"
    assert asked == [("a", False), ("b", True)]


def test_the_first_failure_is_told_with_its_cause_address_and_remedy(hub: Any) -> None:
    hub({"a": offline("no route.\nMore"), "b": offline("offline")})
    with pytest.raises(
        DataUnavailable,
        match=r"/owner/model/resolve/main/a: no route. Try again; HF_ENDPOINT names another",
    ):
        _hub.fetch("owner/model", ["a", "b"])


def test_a_repository_without_the_files_says_which(hub: Any) -> None:
    hub({"a": EntryNotFoundError("no a"), "b": EntryNotFoundError("no b")})
    with pytest.raises(DataUnavailable, match=r"owner/model/resolve/main/a: there is no a or b"):
        _hub.fetch("owner/model", ["a", "b"])


@pytest.mark.parametrize("announced", ["0" * 64, "1" * 40])
def test_another_content_is_deleted(hub: Any, announced: str, tmp_path: Path) -> None:
    hub({"a": b"content"}, announced)
    with pytest.raises(DataUnavailable, match=f"checksum {announced}, got .*it was deleted"):
        _hub.fetch("owner/model", ["a"])
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


@pytest.mark.parametrize("announced", [hashlib.sha1(b"blob 7\0content").hexdigest(), "w.bin", ""])
def test_small_files_are_known_by_gits_checksum(hub: Any, announced: str) -> None:
    hub({"a": b"content"}, announced)
    assert _hub.fetch("owner/model", ["a"]).read_bytes() == b"content"


def test_what_was_there_is_not_read_again(hub: Any) -> None:
    hub({"a": b"content"}, "0" * 64, known=True)
    assert _hub.fetch("owner/model", ["a"]).read_bytes() == b"content"


def test_files_that_another_library_fetched_are_compared(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hub.check_stored("owner/model")
    hub({"tokenizer.json": b"content", "w.bin": b"weights"})
    for name in ("tokenizer.json", "w.bin"):
        _hub.fetch("owner/model", [name])
    stored, weights = (tmp_path / "snapshot" / name for name in ("tokenizer.json", "w.bin"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(stored))
    weights.write_bytes(b"others")
    _hub.check_stored("owner/model")
    stored.write_bytes(b"CONTENT")
    with pytest.raises(DataUnavailable, match=r"main/tokenizer.json: what came is not the file"):
        _hub.check_stored("owner/model")
    assert not stored.exists()


@pytest.mark.parametrize(
    ("entry", "repository", "names"),
    [
        ("owner/model/", "owner/model", _hub.WEIGHTS),
        ("owner/model/w.bin", "owner/model", ("w.safetensors", "w.bin")),
        ("owner/model/w.pt", "owner/model", ("w.pt",)),
    ],
)
def test_where_a_tag_has_its_weights(entry: str, repository: str, names: tuple[str, ...]) -> None:
    assert _hub.weights_of(entry) == (repository, names)
