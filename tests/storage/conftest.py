"""A folder of shards for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gaputils.storage._manifest import Manifest, plan, write_manifest
from gaputils.storage._shard import write_shard
from storage.helpers import DESCRIPTION


@pytest.fixture
def rows() -> dict[str, torch.Tensor]:
    """Both sides, and what belongs to each row."""
    generator = torch.Generator().manual_seed(0)
    return {
        "queries": torch.randn(5, 4, generator=generator),
        "gallery": torch.randn(4, 4, generator=generator),
        "targets": torch.tensor([3, 0, 1, 1, 2]),
        "caption_image": torch.tensor([1, 2, 4, 0]),
    }


@pytest.fixture
def written(tmp_path: Path, rows: dict[str, torch.Tensor]) -> tuple[Path, Manifest]:
    """A folder whose shards are all there, its manifest not finished yet."""
    folder, manifest = tmp_path / "shards", plan(DESCRIPTION)
    folder.mkdir()
    extra = {"queries": "targets", "gallery": "caption_image"}
    for entry in manifest.shards:
        part = slice(entry.start, entry.stop)
        names = (entry.side, extra[entry.side])
        write_shard(folder, manifest, entry, {name: rows[name][part] for name in names})
    write_manifest(folder, manifest)
    return folder, manifest


@pytest.fixture
def finished(written: tuple[Path, Manifest]) -> tuple[Path, Manifest]:
    """The same with its checksums."""
    folder, manifest = written
    manifest = manifest.with_checksums(folder)
    write_manifest(folder, manifest)
    return folder, manifest
