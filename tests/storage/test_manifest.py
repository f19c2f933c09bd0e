"""Manifests: planned without holes, written to the same bytes, and not believed when changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaputils.storage._manifest import Manifest, differences, plan, read_manifest, write_manifest
from storage.helpers import DESCRIPTION


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50))
def test_shards_cover_each_side_once_in_order(queries: int, gallery: int, size: int) -> None:
    rows = {"queries": queries, "gallery": gallery}
    planned = plan(DESCRIPTION | {"rows": rows, "shard_size": size})
    for side, count in rows.items():
        own = [shard for shard in planned.shards if shard.side == side]
        covered = [row for shard in own for row in range(shard.start, shard.stop)]
        assert covered == list(range(count))
        assert all(shard.stop - shard.start <= size for shard in own)
    assert len({shard.file for shard in planned.shards}) == len(planned.shards)
    assert not planned.complete


def test_what_is_written_comes_back_and_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    planned = plan(DESCRIPTION)
    write_manifest(tmp_path, planned)
    first = (tmp_path / "manifest.json").read_bytes()
    assert read_manifest(tmp_path) == planned
    write_manifest(tmp_path, plan(dict(reversed(DESCRIPTION.items()))))
    assert read_manifest(tmp_path) == planned
    write_manifest(tmp_path, planned)
    assert (tmp_path / "manifest.json").read_bytes() == first


def test_checksums_make_it_complete(tmp_path: Path) -> None:
    planned = plan(DESCRIPTION)
    for shard in planned.shards:
        (tmp_path / shard.file).write_text(shard.file)
    whole = planned.with_checksums(tmp_path)
    assert whole.complete
    assert whole.fingerprint == planned.fingerprint
    write_manifest(tmp_path, whole)
    assert read_manifest(tmp_path) == whole


@pytest.mark.parametrize("key", DESCRIPTION)
def test_the_fingerprint_knows_every_entry(key: str) -> None:
    changed = Manifest(DESCRIPTION | {key: "other"}, ())
    assert changed.fingerprint != Manifest(DESCRIPTION, ()).fingerprint


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"format": "another/1"}, "expected the format 'gaputils-shards/1'"),
    ({"dim": "4"}, "'dim' is missing or of another type"),
    ({"model": "other"}, "its fingerprint is not that of its description"),
    ({"fingerprint": "0" * 64}, "its fingerprint is not that of its description"),
    ({"shards": []}, "'shards' is missing, empty or no list"),
    ({"complete": True}, "'complete' does not fit the checksums"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_what_was_changed_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_manifest(tmp_path, plan(DESCRIPTION))
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../../secret.safetensors"}, "is not the name of a shard of this folder"),
        ({"file": "queries-00009.safetensors"}, "not those of its rows and shard_size"),
        ({"stop": 2}, "not those of its rows and shard_size"),
        ({"sha256": "abc"}, "has no SHA-256 but 'abc'"),
        ({"more": 1}, "a shard has other fields than"),
    ],
)
def test_a_shard_that_is_none_of_its_own_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_manifest(tmp_path, plan(DESCRIPTION))
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["shards"][0] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path)


def test_a_folder_without_one_is_no_folder_of_shards(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^folder: .* has no manifest\.json"):
        read_manifest(tmp_path)


def test_two_descriptions_are_told_apart_in_words() -> None:
    other = DESCRIPTION | {"dim": 8, "model_info": {"model": "few", "step": 9}, "tag": "x" * 99}
    found = differences(DESCRIPTION, other).split("; ")
    assert found[:2] == ["dim: 4, now 8", "model_info.step: 3, now 9"]
    assert found[2].startswith("tag: None, now 'xxx")
    assert found[2].endswith("...")
    assert len(found) == 3
    assert differences(DESCRIPTION, dict(DESCRIPTION)) == ""
