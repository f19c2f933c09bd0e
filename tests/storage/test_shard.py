"""A shard is believed only if it is what the manifest says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gaputils._files import write_safetensors
from gaputils.storage._manifest import Manifest
from gaputils.storage._shard import _label, read_shard, write_shard

Written = tuple[Path, Manifest]


def test_what_is_written_comes_back(finished: Written, rows: dict[str, torch.Tensor]) -> None:
    folder, manifest = finished
    for entry in manifest.shards:
        found = read_shard(folder, manifest, entry)
        assert torch.equal(found[entry.side], rows[entry.side][entry.start : entry.stop])
        assert len(found) == 2


def test_the_rows_may_lie_anywhere_in_memory(written: Written, tmp_path: Path) -> None:
    _, manifest = written
    entry = manifest.shards[0]
    turned = torch.randn(4, 3).mT
    for name, tensor in (("a", turned), ("b", turned.contiguous())):
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name, manifest, entry, {entry.side: tensor})
    assert (tmp_path / "a" / entry.file).read_bytes() == (tmp_path / "b" / entry.file).read_bytes()


def test_what_a_kill_left_of_the_same_shard_is_cleared_away(written: Written) -> None:
    folder, manifest = written
    first, second = manifest.shards[:2]
    for entry in (first, second):
        (folder / f".{entry.file}.123.part").touch()
    write_shard(folder, manifest, first, {first.side: torch.zeros(3, 4)})
    assert [path.name for path in folder.glob(".*.part")] == [f".{second.file}.123.part"]


def test_a_missing_one_says_how_to_make_it_again(finished: Written) -> None:
    folder, manifest = finished
    (folder / manifest.shards[1].file).unlink()
    with pytest.raises(FileNotFoundError, match=r"gallery-00001.* is missing; the same embed_to"):
        read_shard(folder, manifest, manifest.shards[1])


def test_half_a_file_another_run_and_another_place_are_told(finished: Written) -> None:
    folder, manifest = finished
    first, second = manifest.shards[:2]
    path = folder / first.file
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    with pytest.raises(ValueError, match="it is truncated or no safetensors file"):
        read_shard(folder, manifest, first)
    path.write_bytes(content)
    other = Manifest(manifest.description | {"model": "other"}, manifest.shards)
    with pytest.raises(ValueError, match="it is from another run"):
        read_shard(folder, other, first)
    (folder / second.file).write_bytes(content)
    with pytest.raises(ValueError, match="mislabelled: start is '0', expected '3'"):
        read_shard(folder, manifest, second)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"gallery": torch.zeros(2, 4)}, r"expected 'gallery' of shape \(3, 4\) in float32"),
        ({"gallery": torch.zeros(3, 4).half()}, "in float32"),
        ({"queries": torch.zeros(3, 4)}, "expected 'gallery'"),
        (
            {"gallery": torch.zeros(3, 4), "caption_image": torch.zeros(3)},
            "'caption_image' is not 3 integers",
        ),
        (
            {"gallery": torch.zeros(3, 4), "caption_image": torch.arange(2)},
            "'caption_image' is not 3 integers",
        ),
    ],
)
def test_rows_of_another_shape_or_type_are_told(
    written: Written, tensors: dict[str, torch.Tensor], message: str
) -> None:
    folder, manifest = written
    write_shard(folder, manifest, manifest.shards[0], tensors)
    with pytest.raises(ValueError, match=message):
        read_shard(folder, manifest, manifest.shards[0])


@pytest.mark.parametrize("state", ["written", "finished"])
def test_a_number_that_was_changed_is_noticed(state: str, request: pytest.FixtureRequest) -> None:
    """By the shard's own digest before the folder is finished, by the manifest's after."""
    folder, manifest = request.getfixturevalue(state)
    entry = manifest.shards[2]
    path = folder / entry.file
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="its checksum is not the one recorded"):
        read_shard(folder, manifest, entry)


def test_numbers_that_are_none_are_told(written: Written) -> None:
    folder, manifest = written
    entry = manifest.shards[0]
    write_shard(folder, manifest, entry, {"gallery": torch.full((3, 4), torch.nan)})
    with pytest.raises(ValueError, match="it holds NaN or infinity"):
        read_shard(folder, manifest, entry)
    plain = {"gallery": torch.zeros(3, 4)}
    write_safetensors(folder / entry.file, plain, {**_label(manifest, entry), "content": "x"})
    with pytest.raises(ValueError, match="its checksum is not the one recorded"):
        read_shard(folder, manifest, replace(entry, sha256=None))


def test_a_disk_that_refuses_says_what_is_kept(written: Written) -> None:
    folder, manifest = written
    with pytest.raises(OSError, match=r"could not be written .* The shards written before are"):
        write_shard(folder / "absent", manifest, manifest.shards[0], {"gallery": torch.zeros(3, 4)})
