"""Every reader of the package with a small whole file, and the ways to damage that."""

from __future__ import annotations

import csv
import json
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damages
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

import gaputils as gu
from gaputils.closing import load as load_closing
from gaputils.datasets._parquet import ParquetImages
from gaputils.models._weights import plain_weights
from gaputils.storage._manifest import plan, read_manifest, write_manifest

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32).round(2)
Make = Callable[[Path], Path]
Damage = Callable[[bytes], st.SearchStrategy[bytes]]


@dataclass(frozen=True)
class Format:
    """`make` writes a whole file into a folder, `read` reads it with all that lies beside it."""

    make: Make
    read: Callable[[Path], Any]
    within: Damage = damages.damaged

    def damages(self, content: bytes) -> st.SearchStrategy[bytes]:
        """Accidents to the whole file, and to what its checksums cover."""
        return st.one_of(damages.damaged(content), self.within(content))


def _saved(name: str, save: Callable[[Path], Any]) -> Make:
    def make(folder: Path) -> Path:
        save(folder / name)
        return folder / name

    return make


def _picture(path: Path, **options: Any) -> None:
    Image.effect_noise((24, 20), 60).convert("RGB").save(path, **options)


def _pictured(name: str, save: Callable[[Path], Any]) -> Make:
    def make(folder: Path) -> Path:
        for number in range(3):
            _picture(folder / f"{number}.png")
        save(folder / name)
        return folder / name

    return make


def _metadata_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        rows = [(f"{i}.png", f'a "{i}", café') for i in range(3)]
        csv.writer(file).writerows([("file_name", "text"), *rows])


def _metadata_lines(path: Path) -> None:
    rows = [{"file_name": f"{i}.png", "text": [f"a {i}", "b"]} for i in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _tar(folder: Path) -> Path:
    with tarfile.open(folder / "part.tar", "w") as archive:
        for number in range(3):
            for ending, write in {
                "png": _picture,
                "txt": lambda path: path.write_text("a grey square\nanother"),
                "json": lambda path: path.write_text('{"caption": "a"}'),
            }.items():
                file = folder / f"{number}.{ending}"
                write(file)
                archive.add(file, file.name)
                file.unlink()
    return folder / "part.tar"


def _cifar(folder: Path) -> Path:
    place = folder / "cifar-10-batches-py"
    place.mkdir()
    pixels = np.zeros((2, 3072), np.uint8)
    names = {"label_names": [f"thing {i}" for i in range(10)]}
    (place / "batches.meta").write_bytes(pickle.dumps(names))
    batch = {"data": pixels, "labels": [0, 1], "filenames": ["a", "b"]}
    (place / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    return place / "test_batch"


def _manifest(folder: Path) -> Path:
    described: dict[str, Any] = {
        "format": "gaputils-shards/1", "model": "m", "tag": None, "model_info": {"a": 1},
        "weights_sha256": "0", "precision": "float32", "device": "cpu", "dim": 4, "dataset": "d",
        "split": "", "dataset_info": {}, "kind": "captions", "content_sha256": "0",
        "templates": None, "rows": {"queries": 6, "gallery": 4}, "shard_size": 3, "batch_size": 2,
        "versions": {},
    }  # fmt: skip
    write_manifest(folder, plan(described))
    return folder / "manifest.json"


def _grid(folder: Path) -> Path:
    (folder / "page.md").write_text(
        "```{code-cell} ipython3\n:tags: [parameters]\na: int = 1\n```\n"
    )
    (folder / "grid.yml").write_text("sweeps:\n  - page: page.md\n    grid: {a: [1, 2.5, x]}\n")
    return folder / "grid.yml"


def _results(path: Path) -> None:
    row = {"run": ["a"], "page": ["b"], "a": [3], "name": ["c"], "value": [1.0], "text": [None]}
    pd.DataFrame(row).to_parquet(path)


def _karpathy(path: Path) -> None:
    images = [
        {"filename": f"{i}.png", "split": "test", "sentences": [{"raw": f"a {i}"}]}
        for i in range(3)
    ]
    path.write_text(json.dumps({"images": images}))


def _flickr(folder: Path) -> Path:
    (folder / "images").mkdir()
    for number in range(3):
        _picture(folder / "images" / f"{number}.png")
    _karpathy(folder / "dataset_flickr30k.json")
    return folder / "dataset_flickr30k.json"


def _coco(folder: Path) -> Path:
    (folder / "val2017").mkdir()
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(3)]
    captions = [{"image_id": number, "caption": f"a {number}"} for number in range(3)]
    content = {"images": images, "annotations": captions}
    (folder / "captions_val2017.json").write_text(json.dumps(content))
    return folder / "captions_val2017.json"


def _aokvqa(folder: Path) -> Path:
    (folder / "val2017").mkdir()
    rows = [
        {"image_id": i, "question": "what?", "choices": ["a", "b"], "correct_choice_idx": i}
        for i in range(2)
    ]
    (folder / "aokvqa_v1p0_val.json").write_text(json.dumps(rows))
    return folder / "aokvqa_v1p0_val.json"


def _hub(folder: Path) -> Path:
    pictures = []
    for number in range(3):
        _picture(folder / f"{number}.png")
        pictures.append({"bytes": (folder / f"{number}.png").read_bytes()})
    pd.DataFrame({"image": pictures}).to_parquet(folder / "images.parquet")
    return folder / "images.parquet"


def _arrow(path: Path) -> None:
    table = pa.table({"image": list(X), "text": list(X)})
    with pa.ipc.new_stream(str(path), table.schema) as file:
        file.write_table(table)


def _weights(path: Path) -> None:
    torch.save({"state_dict": {"logit_scale": torch.ones(()), "a": torch.ones(3, 2)}}, path)


def _read_weights(path: Path) -> None:
    with plain_weights(path) as found:
        found.stat()


def _all_images(name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        data = gu.datasets.load(name, path.parent)
        for index in range(len(data)):
            data.images[index]

    return read


def _image(suffix: str, **options: Any) -> Format:
    def read(path: Path) -> Any:
        return gu.datasets.load("imagefolder", path.parents[1]).images[0]

    def make(folder: Path) -> Path:
        (folder / "cat").mkdir()
        _picture(folder / "cat" / f"1.{suffix}", **options)
        return folder / "cat" / f"1.{suffix}"

    return Format(make, read, damages.in_png if suffix == "png" else damages.damaged)


SIDES = {"queries": torch.from_numpy(X), "gallery": torch.from_numpy(X[:4].copy())}
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
HULL = gu.HullProjection(radius=2.0).fit(UNIT, UNIT[:4])

FORMATS: dict[str, Format] = {
    "npy": Format(_saved("e.npy", lambda p: np.save(p, np.stack([X, X]))), gu.read_pair),
    "npz": Format(
        _saved("e.npz", lambda p: np.savez(p, queries=X, gallery=X[:4], targets=np.arange(6) % 4)),
        gu.read_pair,
        damages.in_zip,
    ),
    "npz, compressed": Format(
        _saved("e.npz", lambda p: np.savez_compressed(p, queries=X, gallery=X[:4])),
        gu.read_pair,
        damages.in_zip,
    ),
    "safetensors": Format(
        _saved("e.safetensors", lambda p: save_file(SIDES, p)),
        gu.read_pair,
        damages.in_safetensors,
    ),
    "embeddings": Format(
        _saved("e.safetensors", lambda p: gu.Embeddings(X, X, info={"a": [1]}).save(p)),
        gu.Embeddings.load,
        damages.in_safetensors,
    ),
    "closing": Format(
        _saved("c.safetensors", lambda p: gu.MeanShift(2, 0.5).fit(X, X + 1).save(p)),
        load_closing,
        damages.in_safetensors,
    ),
    "closing onto the hull": Format(
        _saved("c.safetensors", HULL.save), load_closing, damages.in_safetensors
    ),
    "parquet": Format(
        _saved(
            "e.parquet",
            lambda p: pd.DataFrame({"image": list(X), "text": list(X)}).to_parquet(p),
        ),
        gu.read_pair,
    ),
    "arrow": Format(_saved("e.arrow", _arrow), gu.read_pair),
    "tensors": Format(_saved("e.pt", lambda p: torch.save(SIDES, p)), gu.read_pair, damages.in_zip),
    "parquet of images": Format(
        _hub, lambda p: list(ParquetImages([p], "image"))
    ),
    "csv": Format(_pictured("metadata.csv", _metadata_csv), _all_images("imagefolder")),
    "jsonl": Format(
        _pictured("metadata.jsonl", _metadata_lines),
        _all_images("imagefolder"),
        damages.in_json_lines,
    ),
    "tar": Format(_tar, _all_images("webdataset"), damages.in_tar),
    "Karpathy's JSON": Format(
        _flickr, lambda p: gu.datasets.load("flickr30k", p.parent), damages.in_json
    ),
    "COCO's JSON": Format(_coco, lambda p: gu.datasets.load("coco", p.parent), damages.in_json),
    "A-OKVQA's JSON": Format(
        _aokvqa, lambda p: gu.datasets.load("aokvqa", p.parent), damages.in_json
    ),
    "CIFAR": Format(_cifar, lambda p: gu.datasets.load("cifar10", p.parents[1])),
    "manifest": Format(_manifest, lambda p: read_manifest(p.parent), damages.in_manifest),
    "grid": Format(_grid, gu.sweep.plan),
    "results": Format(_saved("results.parquet", _results), gu.sweep.load_results),
    "weights": Format(_saved("w.pt", _weights), _read_weights, damages.in_zip),
    "weights, safetensors": Format(
        _saved("w.safetensors", lambda p: save_file({"module.logit_scale": torch.ones(2)}, p)),
        _read_weights,
        damages.in_safetensors,
    ),
    "png": _image("png"),
    "jpg": _image("jpg"),
    "gif": _image("gif"),
    "tiff": _image("tiff", compression="tiff_lzw"),
    "webp": _image("webp"),
    "bmp": _image("bmp"),
}  # fmt: skip
