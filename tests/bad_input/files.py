"""Attempts with files: missing, cut short, of another kind, a pickle in disguise."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import gaputils as gu
from bad_input.arrays import good
from bad_input.kinds import Attempt
from bad_input.shards import finished, run
from gaputils.closing import load as load_closing
from gaputils.tiny_openmoji import checkpoints

PAGE = """{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"""
GRID = "sweeps: [{page: page.ipynb, fixed: {}}]\n"
MADE = "made-by-a-pickle"


@dataclass(frozen=True)
class Source:
    """A reader, the file that it reads, and what it says of one that is cut or something else.

    `make` writes whole files into a folder and returns the one to be spoilt; `read` is the public
    call. `absent` is the error without the file.
    """

    entry: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    damaged: str
    absent: tuple[str, str] = ("FileNotFoundError", "there is no file")


class Bomb:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder / MADE),)


def _cut(path: Path, _: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 8])


def _swap(path: Path, _: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(200)))


def _disguise(path: Path, folder: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb(folder)))


SPOIL: dict[str, Callable[[Path, Path], None]] = {
    "truncated": _cut,
    "another kind": _swap,
    "pickle": _disguise,
}


def _spoilt(source: Source, spoil: Callable[[Path, Path], None]) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        path = source.make(folder)
        spoil(path, folder)
        try:
            return source.read(path)
        finally:
            if (folder / MADE).exists():
                raise AssertionError(f"{path.name} ran code")

    return act


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    found = []
    for source in SOURCES:
        act = _spoilt(source, lambda path, _: path.unlink())
        found.append(Attempt(source.entry, "missing", "", act, *source.absent))
        for kind, spoil in SPOIL.items():
            act = _spoilt(source, spoil)
            found.append(Attempt(source.entry, kind, "", act, "ValueError", source.damaged))
    return found


def _embeddings(folder: Path) -> Path:
    return gu.Embeddings(*good()).save(folder / "e.safetensors")


def _closing(folder: Path) -> Path:
    return gu.MeanShift().fit(*good()).save(folder / "c.safetensors")


def _npy(folder: Path) -> Path:
    np.save(folder / "e.npy", np.stack(good()))
    return folder / "e.npy"


def _npz(folder: Path) -> Path:
    np.savez(folder / "e.npz", queries=good()[0], gallery=good()[1])
    return folder / "e.npz"


def _parquet(folder: Path) -> Path:
    queries, gallery = good()
    frame = pd.DataFrame({"queries": list(queries), "gallery": list(gallery)})
    frame.to_parquet(folder / "e.parquet")
    return folder / "e.parquet"


def _history_of_one(folder: Path) -> Path:
    for name in ("step-00400.safetensors", checkpoints.CONFIG_FILE):
        shutil.copy(checkpoints.SHIPPED / name, folder / name)
    return folder / "step-00400.safetensors"


def _weights(folder: Path) -> Path:
    return gu.models.export_checkpoint(folder, step=400)


def _grid(folder: Path) -> Path:
    (folder / "page.ipynb").write_text(PAGE)
    (folder / "grid.yml").write_text(GRID)
    return folder / "grid.yml"


def _table(folder: Path) -> Path:
    row = {"run": ["a"], "page": ["b"], "name": ["c"], "value": [1.0], "text": [None]}
    pd.DataFrame(row).to_parquet(folder / "results.parquet")
    return folder / "results.parquet"


def picture(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (90, 90, 90)).save(path)
    return path.name


def coco(folder: Path) -> Path:
    name = picture(folder / "val2017" / "1.jpg")
    content = {
        "images": [{"id": 1, "file_name": name}],
        "annotations": [{"image_id": 1, "caption": "a grey square"}],
    }
    (folder / "captions_val2017.json").write_text(json.dumps(content))
    return folder / "captions_val2017.json"


def flickr(folder: Path) -> Path:
    name = picture(folder / "images" / "1.jpg")
    image = {"filename": name, "split": "test", "sentences": [{"raw": "a grey square"}]}
    (folder / "dataset_flickr30k.json").write_text(json.dumps({"images": [image]}))
    return folder / "dataset_flickr30k.json"


def aokvqa(folder: Path) -> Path:
    picture(folder / "val2017" / "000000000001.jpg")
    row = {"image_id": 1, "question": "what?", "choices": ["a", "b"], "correct_choice_idx": 0}
    (folder / "aokvqa_v1p0_val.json").write_text(json.dumps([row]))
    return folder / "aokvqa_v1p0_val.json"


def cifar(folder: Path) -> Path:
    below = folder / "cifar-10-batches-py"
    below.mkdir()
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}
    (below / "test_batch").write_bytes(pickle.dumps(batch))
    names = {"label_names": [f"thing {i}" for i in range(10)]}
    (below / "batches.meta").write_bytes(pickle.dumps(names))
    return below / "test_batch"


def _image(folder: Path) -> Path:
    picture(folder / "cat" / "1.png")
    return folder / "cat" / "1.png"


def _tar(folder: Path) -> Path:
    (folder / "1.txt").write_text("a grey square")
    picture(folder / "1.png")
    with tarfile.open(folder / "part-000.tar", "w") as archive:
        for name in ("1.png", "1.txt"):
            archive.add(folder / name, name)
    return folder / "part-000.tar"


def _data(name: str) -> Callable[[Path], Any]:
    levels = {"coco": 1, "flickr30k": 1, "aokvqa": 1, "webdataset": 1, "cifar10": 2}
    return lambda path: gu.datasets.load(name, path.parents[levels[name] - 1])


def _first_image(path: Path) -> Any:
    return gu.datasets.load("imagefolder", path.parents[1]).images[0]


_WHOLE = r"is not a whole safetensors file"
_WANTED = ("DataUnavailable", r"wanted .* which is not there.*root=")
_SHARD_MISSING = ("FileNotFoundError", r"is missing; the same embed_to_folder call makes it again")

SOURCES: list[Source] = [
    Source("Embeddings.load", _embeddings, gu.Embeddings.load, f"^path: .*{_WHOLE}"),
    Source("closing.load", _closing, load_closing, f"^path: .*{_WHOLE}"),
    Source("read_pair (.safetensors)", _embeddings, gu.read_pair, _WHOLE),
    Source("read_pair (.npy)", _npy, gu.read_pair, r"is not a whole \.npy file"),
    Source("read_pair (.npz)", _npz, gu.read_pair, r"is not a whole \.npz file"),
    Source("read_pair (.parquet)", _parquet, gu.read_pair, r"is not a whole \.parquet file"),
    Source("load_model (a file of weights)", _weights,
           lambda path: gu.load_model("tiny-openmoji", path),
           "^pretrained: .* is not a whole file of weights",
           ("ValueError", "^pretrained: expected a tag .* or an existing file")),
    Source("load_model (a folder)", _weights, lambda path: gu.load_model(str(path.parent)),
           "^pretrained: .* is not a whole file of weights",
           ("DataUnavailable", "could not be read")),
    Source("load_model (a history)", _history_of_one,
           lambda path: gu.load_model(str(path.parent)), f"^path: .*{_WHOLE}",
           ("DataUnavailable", "could not be read")),
    Source("load_folder", finished, lambda path: gu.load_folder(path.parent), _WHOLE,
           _SHARD_MISSING),
    Source("iter_shards", finished, lambda path: list(gu.iter_shards(path.parent)), _WHOLE,
           _SHARD_MISSING),
    Source("folder_statistics", finished, lambda path: gu.folder_statistics(path.parent), _WHOLE,
           _SHARD_MISSING),
    Source("embed_to_folder", finished, lambda path: gu.embed_to_folder(*run(), path.parent),
           _WHOLE, ("answered", "")),
    Source("sweep.plan", _grid, gu.sweep.plan, r"^grid: .*(is not YAML|expected a list)",
           ("FileNotFoundError", "^grid: there is no file")),
    Source("sweep.load_results", _table, gu.sweep.load_results,
           r"^path: .* is not a whole \.parquet file"),
    Source("datasets.load (coco)", coco, _data("coco"), "is not whole JSON", _WANTED),
    Source("datasets.load (flickr30k)", flickr, _data("flickr30k"), "is not whole JSON", _WANTED),
    Source("datasets.load (aokvqa)", aokvqa, _data("aokvqa"), "is not whole JSON", _WANTED),
    Source("datasets.load (cifar10)", cifar, _data("cifar10"), "is not a whole CIFAR file",
           _WANTED),
    Source("datasets.load (webdataset)", _tar, _data("webdataset"),
           r"is (truncated|not a whole)", _WANTED),
    Source("datasets.load (imagefolder)", _image, _first_image, "is not a whole image",
           ("DataUnavailable", "wanted ")),
]  # fmt: skip
