"""A finished folder: whole, shard by shard, by sides and by shares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gaputils.storage import folder as folders
from gaputils.storage._manifest import Manifest, plan, write_manifest
from gaputils.storage.folder import iter_shards, load_folder

Finished = tuple[Path, Manifest]


def test_the_whole_is_both_sides_with_what_belongs_to_them(
    finished: Finished, rows: dict[str, torch.Tensor]
) -> None:
    e = load_folder(finished[0])
    assert torch.equal(e.queries, rows["queries"])
    assert torch.equal(e.gallery, rows["gallery"])
    assert torch.equal(e.targets, rows["targets"])
    assert e.info["caption_image"] == rows["caption_image"].tolist()
    assert e.info["dataset"] == "pairs"
    assert e.info["dataset_source"] == "here"
    assert e.info["step"] == 3


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_one_side_comes_in_order(
    finished: Finished, rows: dict[str, torch.Tensor], side: str
) -> None:
    extra = {"queries": "targets", "gallery": "caption_image"}[side]
    shards = list(iter_shards(finished[0], side))
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 3), (3, len(rows[side]))]
    assert {shard.side for shard in shards} == {side}
    assert torch.equal(torch.cat([shard.rows for shard in shards]), rows[side])
    assert torch.equal(torch.cat([shard.extra for shard in shards]), rows[extra])


@pytest.mark.parametrize("shares", [1, 2, 3, 7])
def test_shares_part_the_shards_among_readers(finished: Finished, shares: int) -> None:
    def read(share: tuple[int, int]) -> list[tuple[str, int]]:
        return [(one.side, one.start) for one in iter_shards(finished[0], share=share)]

    parts = [read((i, shares)) for i in range(shares)]
    assert sorted(one for part in parts for one in part) == sorted(read((0, 1)))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("share", "error", "named"),
    [
        ((0, 0), ValueError, r"share\[1\]: expected an integer of at least 1, got 0"),
        ((-1, 2), ValueError, r"share\[0\]: expected an integer of at least 0, got -1"),
        ((2, 2), ValueError, r"share\[0\]: expected at most 1, got 2"),
        ((0.0, 2), TypeError, r"share\[0\]: expected an integer"),
        (3, TypeError, r"share: expected \(i, k\), .* got 3"),
        ((0, 1, 2), TypeError, r"share: expected \(i, k\)"),
    ],
)
def test_what_is_no_share_is_refused_by_name(
    finished: Finished, share: object, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=f"^{named}"):
        list(iter_shards(finished[0], share=share))  # type: ignore[arg-type]


def test_what_is_not_finished_says_how_much_is_there(written: Finished) -> None:
    folder, manifest = written
    (folder / manifest.shards[0].file).unlink()
    for read in (load_folder, lambda place: list(iter_shards(place))):
        with pytest.raises(ValueError, match="is not finished, 3 of 4 shards are there"):
            read(folder)


def test_a_stranger_among_the_shards_is_named(finished: Finished) -> None:
    (finished[0] / "gallery-00007.safetensors").touch()
    with pytest.raises(ValueError, match=r"gallery-00007\.safetensors is no shard of the run"):
        load_folder(finished[0])


def test_an_empty_path_is_not_the_working_folder(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished[0])
    for read in (load_folder, lambda folder: list(iter_shards(folder))):
        with pytest.raises(ValueError, match=r"^folder: expected a file or a folder, got ''$"):
            read("")


def test_another_side_is_refused(finished: Finished) -> None:
    with pytest.raises(ValueError, match=r"^side: expected 'queries', 'gallery' or None"):
        list(iter_shards(finished[0], "images"))


def test_another_run_that_takes_the_folder_meanwhile_is_no_part_of_it(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_shard, (place, manifest) = folders.read_shard, finished

    def meanwhile(*asked):
        write_manifest(place, plan({**manifest.description, "model": "another"}))
        return read_shard(*asked)

    monkeypatch.setattr(folders, "read_shard", meanwhile)
    expected = manifest.description["model_info"].items()
    assert expected <= load_folder(place).info.items()
