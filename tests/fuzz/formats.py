"""Every reader of the package with a small whole file, and the ways to damage that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import damages
import grammars
import numpy as np
import pandas as pd
import torch
import whole
from safetensors.torch import save_file

import gaputils as gu
from gaputils import serving
from gaputils.closing import load as load_closing
from gaputils.datasets._parquet import ParquetImages
from gaputils.models._weights import plain_weights
from gaputils.storage._manifest import read_manifest
from gaputils.sweep import gallery, results


@dataclass(frozen=True)
class Format:
    """`make` writes a whole file into a folder, `read` reads it with all that lies beside it.

    `covered` is what the file's checksums vouch for in what was read.
    """

    make: whole.Make
    read: Callable[[Path], Any]
    within: damages.Damage = damages.damaged
    covered: Callable[[Any], Any] | None = None

    def damaged(self, random: Random, content: bytes) -> tuple[bytes, bool]:
        """Accidents to the whole file, or to what its checksums cover and its grammar says.

        And whether they must show in the checksums.
        """
        damage = random.choice((damages.damaged, self.within))
        return damage(random, content), damage is damages.damaged

    def vouched(self, found: Any) -> Any:
        """What of `found` must be that of the whole file, or nothing."""
        return None if self.covered is None else self.covered(found)


def _numbers(found: gu.Embeddings) -> list[bytes]:
    sides = (found.queries, found.gallery, found.targets)
    return [b"" if side is None else side.numpy().tobytes() for side in sides]


def _read_labels(path: Path) -> None:
    for name in ("q", "g"):
        np.save(path.with_name(f"{name}.npy"), whole.X)
    _sound(gu.read_pair(path.with_name("q.npy"), path.with_name("g.npy"), targets=path))


def _read_pair(path: Path) -> gu.Embeddings:
    return _sound(gu.read_pair(path))


def _sound(found: gu.Embeddings) -> gu.Embeddings:
    """What any pair that was read must be, whatever the file said."""
    sides, targets = (found.queries, found.gallery), found.targets
    assert all(side.ndim == 2 and len(side) and side.isfinite().all() for side in sides)
    assert found.queries.shape[1] == found.gallery.shape[1]
    if targets is not None:
        assert targets.shape == (len(found.queries),)
        assert int(targets.min()) >= 0
        assert int(targets.max()) < len(found.gallery)
    return found


def _read_flickr(path: Path) -> None:
    gu.datasets.load("flickr30k", path.parent)


def _read_weights(path: Path) -> None:
    with plain_weights(path) as found:
        found.stat()


def _all_images(name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        data = gu.datasets.load(name, path.parent)
        for index in range(len(data)):
            data.images[index]
        return data

    return read


def _image(suffix: str, **options: Any) -> Format:
    def read(path: Path) -> Any:
        return gu.datasets.load("imagefolder", path.parents[1]).images[0]

    def make(folder: Path) -> Path:
        (folder / "cat").mkdir()
        whole.picture_file(folder / "cat" / f"1.{suffix}", **options)
        return folder / "cat" / f"1.{suffix}"

    if suffix == "png":
        return Format(make, read, grammars.in_png, lambda image: image.tobytes())
    return Format(make, read)


FORMATS: dict[str, Format] = {
    "npy": Format(
        whole.saved("e.npy", lambda p: np.save(p, np.stack([whole.X, whole.X]))),
        _read_pair,
        grammars.in_npy,
    ),
    "npz": Format(
        whole.saved(
            "e.npz",
            lambda p: np.savez(p, queries=whole.X, gallery=whole.X[:4], targets=np.arange(6) % 4),
        ),
        _read_pair,
        grammars.in_zip,
        _numbers,
    ),
    "npz, compressed": Format(
        whole.saved(
            "e.npz", lambda p: np.savez_compressed(p, queries=whole.X, gallery=whole.X[:4])
        ),
        _read_pair,
        grammars.in_zip,
        _numbers,
    ),
    "safetensors": Format(
        whole.saved("e.safetensors", lambda p: save_file(whole.SIDES, p)),
        _read_pair,
        grammars.in_safetensors,
    ),
    "embeddings": Format(
        whole.saved(
            "e.safetensors", lambda p: gu.Embeddings(whole.X, whole.X, info={"a": [1]}).save(p)
        ),
        gu.Embeddings.load,
        grammars.in_safetensors,
    ),
    "closing": Format(
        whole.saved(
            "c.safetensors", lambda p: gu.MeanShift(2, 0.5).fit(whole.X, whole.X + 1).save(p)
        ),
        load_closing,
        grammars.in_safetensors,
    ),
    "closing onto the hull": Format(
        whole.saved("c.safetensors", whole.HULL.save), load_closing, grammars.in_safetensors
    ),
    "parquet": Format(
        whole.saved(
            "e.parquet",
            lambda p: pd.DataFrame({"image": list(whole.X), "text": list(whole.X)}).to_parquet(p),
        ),
        _read_pair,
        grammars.in_parquet,
    ),
    "arrow": Format(whole.saved("e.arrow", whole.arrow_file), _read_pair, grammars.in_arrow),
    "tensors": Format(
        whole.saved("e.pt", lambda p: torch.save(whole.SIDES, p)),
        _read_pair,
        grammars.in_zip,
        _numbers,
    ),
    "parquet of images": Format(
        whole.hub_file, lambda p: list(ParquetImages([p], "image")), grammars.in_parquet
    ),
    "parquet, long": Format(whole.saved("e.parquet", whole.long), _read_pair, grammars.in_parquet),
    "shard": Format(whole.sharded, lambda p: _read_pair(p.parents[1]), grammars.in_npy),
    "metadata of shards": Format(
        whole.with_metadata, lambda p: _read_pair(p.parents[1]), grammars.in_parquet
    ),
    "state of a data set": Format(
        whole.state_file, lambda p: _read_pair(p.parent), grammars.in_json
    ),
    "labels": Format(whole.labels_file, _read_labels, grammars.in_words),
    "labels, npy": Format(
        whole.saved("l.npy", lambda p: np.save(p, np.arange(6) % 4)), _read_labels, grammars.in_npy
    ),
    "served closing": Format(
        whole.saved("c.safetensors", whole.HULL.save), serving.load, grammars.in_safetensors
    ),
    "served shift": Format(
        whole.saved(
            "c.safetensors", lambda p: gu.MeanShift(2, 0.5).fit(whole.X, whole.X + 1).save(p)
        ),
        serving.load,
        grammars.in_safetensors,
    ),
    "csv": Format(
        whole.pictured("metadata.csv", whole.metadata_csv),
        _all_images("imagefolder"),
        grammars.in_words,
    ),
    "captions": Format(whole.captions, _all_images("imagefolder"), grammars.in_words),
    "metadata in parquet": Format(
        whole.pictured("metadata.parquet", whole.metadata_parquet),
        _all_images("imagefolder"),
        grammars.in_parquet,
    ),
    "tar of classes": Format(whole.tar_of_classes, _all_images("webdataset"), grammars.in_tar, len),
    "names of classes": Format(
        whole.names_of_classes, _all_images("webdataset"), grammars.in_words
    ),
    "the hub's CSV": Format(
        whole.flickr_with("flickr_annotations_30k.csv", whole.HUB_CSV),
        _read_flickr,
        grammars.in_words,
    ),
    "token file": Format(
        whole.flickr_with("results_20130124.token", "{}.png#0\ta dog {}\n"),
        _read_flickr,
        grammars.in_words,
    ),
    "Kaggle's CSV": Format(
        whole.flickr_with("results.csv", "{}.png| 0| a dog {}\n"), _read_flickr, grammars.in_words
    ),
    "record of a run": Format(
        whole.saved("a.json", whole.record),
        lambda p: results.done_records(p.parent),
        grammars.in_json,
    ),
    "index of a gallery": Format(
        whole.saved("gallery.json", whole.gallery_index),
        lambda p: gallery._written(p.parent),
        grammars.in_json,
    ),
    "jsonl": Format(
        whole.pictured("metadata.jsonl", whole.metadata_lines),
        _all_images("imagefolder"),
        grammars.in_json_lines,
    ),
    "tar": Format(whole.tar_file, _all_images("webdataset"), grammars.in_tar, len),
    "Karpathy's JSON": Format(
        whole.flickr, lambda p: gu.datasets.load("flickr30k", p.parent), grammars.in_json
    ),
    "COCO's JSON": Format(
        whole.coco_file, lambda p: gu.datasets.load("coco", p.parent), grammars.in_json
    ),
    "A-OKVQA's JSON": Format(
        whole.aokvqa, lambda p: gu.datasets.load("aokvqa", p.parent), grammars.in_json
    ),
    "CIFAR": Format(
        whole.cifar, lambda p: gu.datasets.load("cifar10", p.parents[1]), grammars.in_pickle
    ),
    "tensors, pickled": Format(
        whole.saved(
            "e.pt", lambda p: torch.save(whole.SIDES, p, _use_new_zipfile_serialization=False)
        ),
        _read_pair,
        grammars.in_pickle,
    ),
    "weights, pickled": Format(
        whole.saved(
            "w.pt", lambda p: torch.save(whole.SIDES, p, _use_new_zipfile_serialization=False)
        ),
        _read_weights,
        grammars.in_pickle,
    ),
    "manifest": Format(
        whole.manifest_file, lambda p: read_manifest(p.parent), grammars.in_manifest
    ),
    "grid": Format(whole.grid_file, gu.sweep.plan, grammars.in_words),
    "results": Format(
        whole.saved("results.parquet", whole.results_file),
        gu.sweep.load_results,
        grammars.in_parquet,
    ),
    "weights": Format(whole.saved("w.pt", whole.weights), _read_weights, grammars.in_zip),
    "weights, safetensors": Format(
        whole.saved("w.safetensors", lambda p: save_file({"module.logit_scale": torch.ones(2)}, p)),
        _read_weights,
        grammars.in_safetensors,
    ),
    "png": _image("png"),
    "jpg": _image("jpg"),
    "gif": _image("gif"),
    "tiff": _image("tiff", compression="tiff_lzw"),
    "webp": _image("webp"),
    "bmp": _image("bmp"),
}
