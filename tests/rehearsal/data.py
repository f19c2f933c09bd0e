"""The paper's data sets in their sources' own archives, of random images."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CIFAR = {
    "www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz": "cifar-10-batches-py",
    "www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz": "cifar-100-python",
}
COCO_IMAGES = "images.cocodataset.org/zips/val2017.zip"
COCO_TEXTS = "images.cocodataset.org/annotations/annotations_trainval2017.zip"
FLICKR = "shannon.cs.illinois.edu/DenotationGraph/flickr30k-images.tar.gz"
KARPATHY = "cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
IMAGENET = "www.kaggle.com/c/imagenet-object-localization-challenge.zip"
AOKVQA = "prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz"
AOKVQA_HUB = "datasets/HuggingFaceM4/A-OKVQA"
_WORDS = [
    "a",
    "the",
    "two",
    "red",
    "old",
    "small",
    "dog",
    "man",
    "boat",
    "street",
    "on",
    "beside",
    "under",
    "with",
    "eats",
    "holds",
]


def write_cifar(place: str, target: Path, rows: int) -> Path:
    """One of the two archives, with `rows` images in each of CIFAR-10's six files, or as many."""
    hundred = "100" in place
    rng, classes = np.random.default_rng(0), 100 if hundred else 10
    parts = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    sizes = {"train": 5 * rows, "test": rows} if hundred else dict.fromkeys(parts, rows)
    names = [f"thing_{i}" for i in range(classes)]
    with tarfile.open(target, "w:gz", compresslevel=1) as packed:
        for part, count in sizes.items():
            pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
            labels = [i % classes for i in range(count)]
            batch = {b"batch_label": part.encode(), b"data": pixels}
            batch |= {b"fine_labels" if hundred else b"labels": labels}
            _pack(packed, f"{CIFAR[place]}/{part}", pickle.dumps(batch, protocol=2))
        key = "fine_label_names" if hundred else "label_names"
        meta = pickle.dumps({key: names, "num_vis": 3072}, protocol=2)
        _pack(packed, f"{CIFAR[place]}/{'meta' if hundred else 'batches.meta'}", meta)
    return target


def write_coco(folder: Path, count: int) -> dict[str, Path]:
    """The images of val2017, about five captions of each, as the two archives have them."""
    images, texts = folder / "val2017.zip", folder / "annotations.zip"
    names = [f"{7 * i + 139:012d}.jpg" for i in range(count)]
    with zipfile.ZipFile(images, "w", zipfile.ZIP_STORED) as packed:
        for name, content in zip(names, _pictures(count, (640, 480)), strict=True):
            packed.writestr(f"val2017/{name}", content)
    known = [{"id": int(n[:12]), "file_name": n, "height": 480, "width": 640} for n in names]
    told = [
        {"image_id": one["id"], "id": 5 * i + j, "caption": _caption(5 * i + j)}
        for i, one in enumerate(known)
        for j in range(5)
    ]
    with zipfile.ZipFile(texts, "w", zipfile.ZIP_DEFLATED) as packed:
        content = json.dumps({"info": {}, "images": known, "licenses": [], "annotations": told})
        packed.writestr("annotations/captions_val2017.json", content)
    return {COCO_IMAGES: images, COCO_TEXTS: texts}


def write_flickr(folder: Path, count: int) -> dict[str, Path]:
    """Flickr30k's images as its authors pack them, with Karpathy and Fei-Fei's captions."""
    images, texts = folder / "flickr.tar.gz", folder / "captions.zip"
    names = [f"{1000 + i}.jpg" for i in range(count)]
    with tarfile.open(images, "w:gz", compresslevel=1) as packed:
        for name, content in zip(names, _pictures(count, (500, 375)), strict=True):
            _pack(packed, f"flickr30k-images/{name}", content)
    rows = [
        {"filename": n, "split": "test", "sentences": [{"raw": _caption(i + j)} for j in range(5)]}
        for i, n in enumerate(names)
    ]
    with zipfile.ZipFile(texts, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(
            "dataset_flickr30k.json", json.dumps({"dataset": "flickr30k", "images": rows})
        )
    return {FLICKR: images, KARPATHY: texts}


def write_imagenet(folder: Path, each: int = 1) -> dict[str, Path]:
    """The validation images as Kaggle packs them, `each` of every of the 1,000 classes."""
    target, rows = folder / "imagenet.zip", ["ImageId,PredictionString"]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for i, content in enumerate(_pictures(1000 * each, (120, 90))):
            name = f"ILSVRC2012_val_{i + 1:08d}"
            packed.writestr(f"ILSVRC/Data/CLS-LOC/val/{name}.JPEG", content)
            rows.append(f"{name},n{1440764 + i % 1000:08d} 1 1 100 80 ")
        packed.writestr("LOC_val_solution.csv", "\n".join(rows) + "\n")
    return {IMAGENET: target}


def write_aokvqa(folder: Path, count: int) -> tuple[dict[str, Path], Path]:
    """The authors' archive about COCO's images, and the hub's parquet file of the same."""
    import pyarrow
    import pyarrow.parquet

    target, table = folder / "aokvqa.tar.gz", folder / "validation-00000-of-00001.parquet"
    rows = [
        {
            "image_id": 7 * i + 139,
            "question_id": f"q{i}",
            "question": f"What is {_caption(i)}?",
            "choices": ["dog", "cat", "boat", "street"],
            "correct_choice_idx": i % 4,
        }
        for i in range(count)
    ]
    with tarfile.open(target, "w:gz") as packed:
        _pack(packed, "aokvqa_v1p0_val.json", json.dumps(rows).encode())
    images = [{"bytes": one, "path": None} for one in _pictures(count, (64, 48))]
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "image_id"}
    pyarrow.parquet.write_table(pyarrow.table({"image": images, **columns}), table)
    return {AOKVQA: target}, table


def _pack(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    packed.addfile(entry, io.BytesIO(content))


def _pictures(count: int, size: tuple[int, int]) -> Iterator[bytes]:
    rng = np.random.default_rng(1)
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        kept = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).save(kept, "JPEG")
        yield kept.getvalue()


def _caption(number: int) -> str:
    rng = np.random.default_rng(number)
    return " ".join(rng.choice(_WORDS, 7)) + f" number {number}."
