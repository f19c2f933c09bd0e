"""Attempts with lists of files that name others' files, or say what their files do not hold."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

import gaputils as gu
from bad_input.arrays import good
from bad_input.files import aokvqa, cifar, coco, flickr, picture
from bad_input.kinds import Attempt
from bad_input.shards import finished, run
from gaputils.closing import load as load_closing

OUTSIDE = "../secret.jpg"
Change = Callable[[dict[str, Any]], Any]

FOLDERS: dict[str, Callable[[Path], Any]] = {
    "load_folder": gu.load_folder,
    "iter_shards": lambda folder: list(gu.iter_shards(folder)),
    "folder_statistics": gu.folder_statistics,
    "embed_to_folder": lambda folder: gu.embed_to_folder(*run(), folder),
}

TRAVERSALS: list[Change] = [
    lambda m: m["shards"][0].update(file="../secret.safetensors"),
    lambda m: m["shards"][0].update(file="/etc/passwd"),
]

LIES: dict[str, tuple[Change, str]] = {
    "another model": (lambda m: m.update(model="ViT-H-14"), "its fingerprint is not that"),
    "more rows": (lambda m: m["rows"].update(queries=99), "its fingerprint is not that"),
    "a shard less": (lambda m: m["shards"].pop(), "are not those of its rows"),
    "other rows": (lambda m: m["shards"][0].update(stop=9), "are not those of its rows"),
    "another checksum": (lambda m: m["shards"][0].update(sha256="0" * 64), "its checksum is not"),
    "finished": (lambda m: m["shards"][0].update(sha256=None), "'complete' does not fit"),
}


def _edited(change: Change, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        place = finished(folder).parent
        manifest = json.loads((place / "manifest.json").read_text())
        change(manifest)
        (place / "manifest.json").write_text(json.dumps(manifest))
        return read(place)

    return act


def _shards() -> list[Attempt]:
    found = []
    for entry, read in FOLDERS.items():
        for number, change in enumerate(TRAVERSALS):
            act = _edited(change, read)
            message = "is not the name of a shard"
            found.append(Attempt(entry, "path", str(number), act, "ValueError", message))
        for name, (change, message) in LIES.items():
            act = _edited(change, read)
            found.append(Attempt(entry, "lie", name, act, "ValueError", message))
    return found


def _rewritten(make: Callable[[Path], Path], change: Change, name: str) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        path = make(folder)
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return gu.datasets.load(name, path.parent).images[0]

    return act


def _hub_names_outside(folder: Path) -> Any:
    picture(folder / "images" / "1.jpg")
    with (folder / "flickr_annotations_30k.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["raw", "split", "filename"])
        rows.writerow(['["a grey square"]', "test", OUTSIDE])
    return gu.datasets.load("flickr30k", folder)


def _metadata(name: str) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        picture(folder / "1.png")
        (folder / "metadata.csv").write_text(f"file_name,text\n{name},a grey square\n")
        return gu.datasets.load("imagefolder", folder).images[0]

    return act


def _other_labels(folder: Path) -> Any:
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 10]}
    cifar(folder).write_bytes(pickle.dumps(batch))
    return gu.datasets.load("cifar10", folder)


def _targets_beyond(folder: Path) -> Any:
    queries, gallery = good()
    targets = np.array([0, 1, 2, 3, 4, 6])
    save_file(
        {"queries": queries, "gallery": gallery, "targets": targets}, folder / "e.safetensors"
    )
    return gu.Embeddings.load(folder / "e.safetensors")


def _options_that_are_none(_: Path) -> Any:
    return gu.as_choices(gu.Embeddings(*good(), info={"options": 7}))


def _method_unknown(folder: Path) -> Any:
    metadata = {"format": "gaputils-closing/2", "closing": "Path"}
    save_file({"shift_": np.ones(5)}, folder / "c.safetensors", metadata)
    return load_closing(folder / "c.safetensors")


_BELOW = "expected a file below"
_OTHERS: list[tuple[str, str, Callable[[Path], Any], str, str]] = [
    ("datasets.load (coco)", "path",
     _rewritten(coco, lambda c: c["images"][0].update(file_name=OUTSIDE), "coco"),
     "ValueError", _BELOW),
    ("datasets.load (flickr30k)", "path",
     _rewritten(flickr, lambda c: c["images"][0].update(filename=OUTSIDE), "flickr30k"),
     "ValueError", _BELOW),
    ("datasets.load (flickr30k)", "path", _hub_names_outside, "ValueError", _BELOW),
    ("datasets.load (imagefolder)", "path", _metadata(OUTSIDE), "ValueError", _BELOW),
    ("datasets.load (coco)", "lie",
     _rewritten(coco, lambda c: c["images"][0].update(file_name="2.jpg"), "coco"),
     "DataUnavailable", "there is no file"),
    ("datasets.load (coco)", "lie",
     _rewritten(coco, lambda c: c["annotations"][0].update(image_id=7), "coco"),
     "ValueError", "not in COCO's format"),
    ("datasets.load (flickr30k)", "lie",
     _rewritten(flickr, lambda c: c["images"][0].update(sentences=[]), "flickr30k"),
     "ValueError", "has no or empty captions"),
    ("datasets.load (aokvqa)", "lie",
     _rewritten(aokvqa, lambda c: c[0].update(correct_choice_idx=2), "aokvqa"),
     "ValueError", "correct_choice_idx is 2"),
    ("datasets.load (imagefolder)", "lie", _metadata("2.png"), "DataUnavailable", "no file"),
    ("datasets.load (cifar10)", "lie", _other_labels, "ValueError", "none of the 10 classes"),
    ("Embeddings.load", "lie", _targets_beyond, "ValueError",
     r"^path: .*\.safetensors.*: targets: expected indices"),
    ("as_choices", "lie", _options_that_are_none, "ValueError",
     "^embeddings: expected those of a multiple-choice data set"),
    ("closing.load", "lie", _method_unknown, "ValueError", "^path: .* holds the closing 'Path'"),
]  # fmt: skip


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    others = [
        Attempt(entry, kind, f"{number}", act, result, message)
        for number, (entry, kind, act, result, message) in enumerate(_OTHERS)
    ]
    return [*_shards(), *others]
