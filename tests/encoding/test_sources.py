"""What images are told apart by: names, sizes of files, pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gaputils as gu
from gaputils.datasets._broken import ChosenImages
from gaputils.datasets._sources import ImageFiles
from gaputils.datasets.base import TensorImages
from gaputils.datasets.webdataset import TarImages
from gaputils.encoding._sources import source_digest


def pixels(seed: int = 0, count: int = 4) -> torch.Tensor:
    drawn = np.random.default_rng(seed).integers(0, 255, (count, 3, 48, 48), dtype=np.uint8)
    return torch.from_numpy(drawn)


def pictures(seed: int = 0) -> list[Image.Image]:
    return [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in pixels(seed)]


@pytest.mark.parametrize("images", [TensorImages(pixels()), pictures()], ids=["tensor", "list"])
def test_images_in_memory_are_told_by_their_pixels_and_place(images) -> None:
    kind = TensorImages if isinstance(images, TensorImages) else list
    same = kind(pixels()) if kind is TensorImages else pictures()
    other = kind(pixels(1)) if kind is TensorImages else pictures(1)
    assert source_digest(images, range(4)) == source_digest(same, range(4))
    assert source_digest(images, range(4)) != source_digest(other, range(4))
    assert source_digest(images, range(2)) != source_digest(images, range(2, 4))


def test_files_are_told_by_names_and_sizes_without_being_read(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"no image")
    before = source_digest(ImageFiles(paths), range(2))
    assert source_digest(ImageFiles(paths), range(2)) == before
    assert source_digest(ImageFiles(paths[::-1]), range(2)) != before
    paths[1].write_bytes(b"no image either")
    assert source_digest(ImageFiles(paths), range(2)) != before
    paths[1].unlink()
    assert source_digest(ImageFiles(paths), range(1)) == source_digest(ImageFiles(paths), [0])


def test_members_of_archives_are_told_by_key_and_size() -> None:
    places = [(Path("s.tar"), 0, 10), (Path("s.tar"), 512, 20)]
    before = source_digest(TarImages(places, ["a", "b"]), range(2))
    assert source_digest(TarImages(places, ["a", "c"]), range(2)) != before
    longer = [places[0], (Path("s.tar"), 512, 21)]
    assert source_digest(TarImages(longer, ["a", "b"]), range(2)) != before


def test_chosen_images_are_those_that_were_chosen() -> None:
    images = TensorImages(pixels())
    chosen = ChosenImages(ChosenImages(images, [0, 2, 3]), [1, 2])
    assert source_digest(chosen, range(2)) == source_digest(images, [2, 3])


@pytest.mark.parametrize("images", [TensorImages, list], ids=["tensor", "list"])
def test_other_pixels_in_memory_are_another_run(images, tmp_path: Path) -> None:
    model = gu.load_model("tiny-openmoji", step=0, device="cpu")
    runs = [
        gu.datasets.ClassificationDataset(
            "x",
            TensorImages(pixels(seed)) if images is TensorImages else pictures(seed),
            ["a"],
            torch.zeros(4, dtype=torch.int64),
        )
        for seed in (0, 1)
    ]
    gu.embed_to_folder(model, runs[0], tmp_path / "e")
    gu.embed_to_folder(model, runs[0], tmp_path / "e")
    with pytest.raises(ValueError, match="another run"):
        gu.embed_to_folder(model, runs[1], tmp_path / "e")
