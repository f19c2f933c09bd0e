"""A small whole file of each kind that the package reads, with all that lies beside it."""

from __future__ import annotations

import csv
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import torch
from PIL import Image

import gaputils as gu
from gaputils.storage._manifest import plan, write_manifest

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32).round(2)
Make = Callable[[Path], Path]


def saved(name: str, save: Callable[[Path], Any]) -> Make:
    def make(folder: Path) -> Path:
        save(folder / name)
        return folder / name

    return make


def picture_file(path: Path, **options: Any) -> None:
    Image.effect_noise((24, 20), 60).convert("RGB").save(path, **options)


def pictured(name: str, save: Callable[[Path], Any]) -> Make:
    def make(folder: Path) -> Path:
        for number in range(3):
            picture_file(folder / f"{number}.png")
        save(folder / name)
        return folder / name

    return make


def metadata_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        rows = [(f"{i}.png", f'a "{i}", café') for i in range(3)]
        csv.writer(file).writerows([("file_name", "text"), *rows])


def metadata_lines(path: Path) -> None:
    rows = [{"file_name": f"{i}.png", "text": [f"a {i}", "b"]} for i in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def tar_file(folder: Path) -> Path:
    with tarfile.open(folder / "part.tar", "w") as archive:
        for number in range(3):
            for ending, write in {
                "png": picture_file,
                "txt": lambda path: path.write_text("a grey square\nanother"),
                "json": lambda path: path.write_text('{"caption": "a"}'),
            }.items():
                file = folder / f"{number}.{ending}"
                write(file)
                archive.add(file, file.name)
                file.unlink()
    return folder / "part.tar"


def cifar(folder: Path) -> Path:
    place = folder / "cifar-10-batches-py"
    place.mkdir()
    pixels = np.zeros((2, 3072), np.uint8)
    names = {"label_names": [f"thing {i}" for i in range(10)]}
    (place / "batches.meta").write_bytes(pickle.dumps(names))
    batch = {"data": pixels, "labels": [0, 1], "filenames": ["a", "b"]}
    (place / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    return place / "test_batch"


def manifest_file(folder: Path) -> Path:
    described: dict[str, Any] = {
        "format": "gaputils-shards/1", "model": "m", "tag": None, "model_info": {"a": 1},
        "weights_sha256": "0", "precision": "float32", "device": "cpu", "dim": 4, "dataset": "d",
        "split": "", "dataset_info": {}, "kind": "captions", "content_sha256": "0",
        "templates": None, "rows": {"queries": 6, "gallery": 4}, "shard_size": 3, "batch_size": 2,
        "versions": {},
    }  # fmt: skip
    write_manifest(folder, plan(described))
    return folder / "manifest.json"


def grid_file(folder: Path) -> Path:
    (folder / "page.md").write_text(
        "```{code-cell} ipython3\n:tags: [parameters]\na: int = 1\n```\n"
    )
    (folder / "grid.yml").write_text("sweeps:\n  - page: page.md\n    grid: {a: [1, 2.5, x]}\n")
    return folder / "grid.yml"


def results_file(path: Path) -> None:
    row = {"run": ["a"], "page": ["b"], "a": [3], "name": ["c"], "value": [1.0], "text": [None]}
    pd.DataFrame(row).to_parquet(path)


def karpathy(path: Path) -> None:
    images = [
        {"filename": f"{i}.png", "split": "test", "sentences": [{"raw": f"a {i}"}]}
        for i in range(3)
    ]
    path.write_text(json.dumps({"images": images}))


def flickr(folder: Path) -> Path:
    (folder / "images").mkdir()
    for number in range(3):
        picture_file(folder / "images" / f"{number}.png")
    karpathy(folder / "dataset_flickr30k.json")
    return folder / "dataset_flickr30k.json"


def coco_file(folder: Path) -> Path:
    (folder / "val2017").mkdir()
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(3)]
    captions = [{"image_id": number, "caption": f"a {number}"} for number in range(3)]
    content = {"images": images, "annotations": captions}
    (folder / "captions_val2017.json").write_text(json.dumps(content))
    return folder / "captions_val2017.json"


def aokvqa(folder: Path) -> Path:
    (folder / "val2017").mkdir()
    rows = [
        {"image_id": i, "question": "what?", "choices": ["a", "b"], "correct_choice_idx": i}
        for i in range(2)
    ]
    (folder / "aokvqa_v1p0_val.json").write_text(json.dumps(rows))
    return folder / "aokvqa_v1p0_val.json"


def hub_file(folder: Path) -> Path:
    pictures = []
    for number in range(3):
        picture_file(folder / f"{number}.png")
        pictures.append({"bytes": (folder / f"{number}.png").read_bytes()})
    pd.DataFrame({"image": pictures}).to_parquet(folder / "images.parquet")
    return folder / "images.parquet"


def arrow_file(path: Path) -> None:
    table = pa.table({"image": list(X), "text": list(X)})
    with pa.ipc.new_stream(str(path), table.schema) as file:
        file.write_table(table)


def weights(path: Path) -> None:
    torch.save({"state_dict": {"logit_scale": torch.ones(()), "a": torch.ones(3, 2)}}, path)


def long(path: Path) -> None:
    """Sides in columns of several kinds and chunks, with labels and an index."""
    frame = {"image": pa.array(list(X)), "text": pa.array(X.tolist(), pa.list_(pa.float16(), 4))}
    labels = {"label": pa.array(np.arange(6)), "__index_level_0__": pa.array(np.arange(6))}
    parquet.write_table(pa.table({**frame, **labels}), path, row_group_size=2)


def shards(folder: Path) -> Path:
    for side in ("img_emb", "text_emb"):
        (folder / side).mkdir()
        for number in range(2):
            np.save(folder / side / f"{side}_{number}.npy", X[number::2].astype(np.float16))
    return folder


def sharded(folder: Path) -> Path:
    return shards(folder) / "img_emb" / "img_emb_1.npy"


def with_metadata(folder: Path) -> Path:
    (shards(folder) / "metadata").mkdir()
    table = {"label": np.arange(6)[::-1], "url": ["a"] * 6}
    pd.DataFrame(table).to_parquet(folder / "metadata" / "metadata_0.parquet")
    return folder / "metadata" / "metadata_0.parquet"


def state_file(folder: Path) -> Path:
    arrow_file(folder / "data-00000-of-00001.arrow")
    content = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None}
    (folder / "state.json").write_text(json.dumps(content))
    return folder / "state.json"


def labels_file(folder: Path) -> Path:
    (folder / "l.csv").write_text("label,other\n0,a\n1,b\n2,c\n3,d\n0,e\n1,f\n")
    return folder / "l.csv"


def captions(folder: Path) -> Path:
    picture_file(folder / "1.png")
    (folder / "1.txt").write_text("a café\nanother, 1e3\n")
    return folder / "1.txt"


def metadata_parquet(path: Path) -> None:
    rows = {"file_name": [f"{i}.png" for i in range(3)], "text": [["a", "b"]] * 3}
    pd.DataFrame(rows).to_parquet(path)


def tar_of_classes(folder: Path) -> Path:
    names_of_classes(folder)
    return folder / "part.tar"


def names_of_classes(folder: Path) -> Path:
    picture_file(folder / "a.png")
    (folder / "a.cls").write_text("1")
    with tarfile.open(folder / "part.tar", "w") as archive:
        for number in range(3):
            for ending in ("png", "cls"):
                archive.add(folder / f"a.{ending}", f"{number}.{ending}")
    (folder / "classnames.txt").write_text("a cat\na dog\n")
    (folder / "zeroshot_classification_templates.txt").write_text("a photo of a {c}\n")
    return folder / "classnames.txt"


HUB_CSV = '"[""a dog {}"", ""b""]",test,{}.png\n'


def flickr_with(name: str, line: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "images").mkdir()
        for number in range(3):
            picture_file(folder / "images" / f"{number}.png")
        head = "image_name| comment_number| comment\n" if name == "results.csv" else ""
        head = "raw,split,filename\n" if name.startswith("flickr") else head
        (folder / name).write_text(head + "".join(line.format(n, n) for n in range(3)))
        return folder / name

    return make


def record(path: Path) -> None:
    path.with_suffix(".ipynb").touch()
    row = {"run": "a", "page": "b", "notebook": "/b.md", "status": "done", "error": "",
           "seconds": 1.0, "parameters": {"k": 1}, "fingerprint": "0",
           "values": {"x": 1.0, "y": "z"}}  # fmt: skip
    path.write_text(json.dumps(row))


def gallery_index(path: Path) -> None:
    content = {"format": "gaputils-gallery/1", "pages": [["index.md", ["00"]]]}
    path.write_text(json.dumps(content))


SIDES = {"queries": torch.from_numpy(X), "gallery": torch.from_numpy(X[:4].copy())}
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
HULL = gu.HullProjection(radius=2.0).fit(UNIT, UNIT[:4])
