"""Readers against small files in each source's own format."""

from __future__ import annotations

import csv
import gc
import json
import os
import pickle
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gaputils as gu
from gaputils.datasets import (
    CaptionDataset,
    ChoiceDataset,
    ClassificationDataset,
    DataUnavailable,
    load,
)


def picture(path: Path, value: int = 128, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (8, 6), value if mode == "L" else (value,) * len(mode)).save(path)
    return path


def level(image: Image.Image) -> int:
    """The grey level that `picture` painted, up to JPEG's rounding."""
    assert image.mode == "RGB"
    return round(float(np.asarray(image).mean()))


# CIFAR: pickled dictionaries with byte or text keys.


def cifar(root: Path, hundred: bool = False, rows: int = 4) -> Path:
    folder = root / ("cifar-100-python" if hundred else "cifar-10-batches-py")
    folder.mkdir(parents=True)
    classes = [f"thing_{i}" for i in range(100 if hundred else 10)]
    key = b"fine_labels" if hundred else b"labels"
    parts = (
        ["train", "test"] if hundred else [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    )
    for number, part in enumerate(parts):
        data = np.full((rows, 3072), number, dtype=np.uint8)
        data[0, :1024] = 255
        batch = {b"data": data, key: [i % 10 for i in range(rows)]}
        (folder / part).write_bytes(pickle.dumps(batch, protocol=2))
    names = {"fine_label_names" if hundred else "label_names": classes}
    (folder / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(names))
    return folder


@pytest.mark.parametrize(("name", "hundred"), [("cifar10", False), ("cifar100", True)])
def test_cifar_test_split(tmp_path, name, hundred):
    cifar(tmp_path, hundred)
    data = load(name, tmp_path)
    assert isinstance(data, ClassificationDataset)
    assert (len(data), len(data.class_names)) == (4, 100 if hundred else 10)
    assert data.class_names[3] == "thing 3"
    assert data.targets.tolist() == [0, 1, 2, 3]
    pixel = data.images[0].getpixel((31, 31))
    assert pixel[0] == 255, "the first third of a row is the red channel"
    assert pixel[1] == pixel[2] != 255
    assert data.info["as_published"] is False


def test_cifar_train_split_joins_its_batches_in_order(tmp_path):
    cifar(tmp_path)
    data = load("cifar10", tmp_path / "cifar-10-batches-py", "train")
    assert len(data) == 20
    assert [data.images[4 * i + 1].getpixel((0, 0))[0] for i in range(5)] == list(range(5))


def test_cifar_says_what_is_missing(tmp_path):
    with pytest.raises(DataUnavailable, match=r"batches-py.test_batch.*cs.toronto.edu.*download"):
        load("cifar10", tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing is fetched unless asked for"


def test_cifar_runs_nothing_that_its_pickles_ask_for(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    (cifar(tmp_path) / "test_batch").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="mkdir"):
        load("cifar10", tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_cifar_reads_arrays_of_every_pickle_protocol(tmp_path, protocol):
    batch = {"data": np.full((2, 3072), 7, dtype=np.uint8), "labels": [1, 0]}
    (cifar(tmp_path) / "test_batch").write_bytes(pickle.dumps(batch, protocol=protocol))
    assert load("cifar10", tmp_path).targets.tolist() == [1, 0]


@pytest.mark.parametrize("cut", [0, 10, 3000, -1])
def test_a_truncated_cifar_file_is_an_error(tmp_path, cut):
    file = cifar(tmp_path) / "test_batch"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ValueError, match="test_batch is not a whole CIFAR file"):
        load("cifar10", tmp_path)


def test_a_cifar_label_without_a_class_is_an_error(tmp_path):
    batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}
    (cifar(tmp_path) / "test_batch").write_bytes(pickle.dumps(batch))
    with pytest.raises(ValueError, match="none of the 10 classes"):
        load("cifar10", tmp_path)


# ImageNet: a folder for each class, or Kaggle's layout.


def wordnet_id(row: int) -> str:
    return f"n{10 * row + 1440764:08d}"


@pytest.fixture(scope="module")
def imagenet_folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("imagenet")
    first = picture(root / "val" / wordnet_id(0) / "ILSVRC2012_val_00000001.JPEG", 90)
    for row in range(1, 1000):
        folder = root / "val" / wordnet_id(row)
        folder.mkdir()
        os.link(first, folder / f"ILSVRC2012_val_{row:08d}.JPEG")
    return root


def test_imagenet_by_folders(imagenet_folders):
    data = load("imagenet", imagenet_folders)
    assert len(data) == 1000
    assert data.targets.tolist() == list(range(1000))
    assert data.class_names[:2] == ["tench", "goldfish"]
    assert len(data.templates) == 80
    assert data.templates[0] == "a bad photo of a {}."
    assert level(data.images[5]) == 90


def test_imagenet_in_kaggles_layout(tmp_path):
    images = tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    picture(images / "ILSVRC2012_val_00000002.JPEG", 40)
    with (tmp_path / "LOC_val_solution.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "PredictionString"])
        for row in reversed(range(1000)):
            box = f"{wordnet_id(999 - row)} 1 2 3 4 "
            writer.writerow([f"ILSVRC2012_val_{row + 1:08d}", box])
    data = load("imagenet", tmp_path)
    assert data.targets[:2].tolist() == [999, 998]
    assert level(data.images[1]) == 40
    with pytest.raises(DataUnavailable, match="00000001"):
        data.images[0]


def test_imagenet_with_a_class_missing_is_an_error(tmp_path):
    picture(tmp_path / "val" / wordnet_id(3) / "a.JPEG")
    with pytest.raises(ValueError, match="expected 1000 classes"):
        load("imagenet", tmp_path)


# COCO and Flickr30k.


@pytest.fixture
def coco_root(tmp_path):
    for number in (7, 3):
        picture(tmp_path / "val2017" / f"{number:012d}.jpg", number * 10)
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "height": 6, "width": 8} for i in (7, 3, 9)]
    annotations = [
        {"id": 1, "image_id": 3, "caption": "three, first"},
        {"id": 2, "image_id": 7, "caption": "seven, first \n"},
        {"id": 3, "image_id": 3, "caption": "three, second"},
    ]
    (tmp_path / "annotations").mkdir()
    content = {"info": {}, "licenses": [], "images": images, "annotations": annotations}
    (tmp_path / "annotations" / "captions_val2017.json").write_text(json.dumps(content))
    return tmp_path


def test_coco(coco_root):
    data = load("coco", coco_root)
    assert isinstance(data, CaptionDataset)
    assert data.captions == ["seven, first", "three, first", "three, second"]
    assert data.caption_image.tolist() == [0, 1, 1]
    assert [level(data.images[i]) for i in range(len(data))] == [70, 30]


def test_coco_with_so_many_captions_an_image(coco_root):
    data = load("coco", coco_root, captions_per_image=1)
    assert data.captions == ["seven, first", "three, first"]


def test_coco_says_what_is_missing(coco_root):
    with pytest.raises(DataUnavailable, match=r"captions_val2014.json.*cocodataset.org"):
        load("coco", coco_root, "val2014")
    with pytest.raises(DataUnavailable, match=r"dataset_coco.json.*karpathy"):
        load("coco", coco_root, "karpathy-test")
    with pytest.raises(ValueError, match="split"):
        load("coco", coco_root, "validation")


def test_coco_that_is_no_json_is_an_error(coco_root):
    (coco_root / "annotations" / "captions_val2017.json").write_text('{"images": [')
    with pytest.raises(ValueError, match=r"captions_val2017.json is not whole JSON"):
        load("coco", coco_root)


def karpathy(path: Path, folder: str | None) -> None:
    def image(name: str, split: str) -> dict[str, object]:
        sentences = [{"raw": f"{name} {i}", "tokens": [name], "sentid": i} for i in range(5)]
        place = {} if folder is None else {"filepath": folder}
        return {"filename": name, "split": split, "sentences": sentences, **place}

    images = [image("a.jpg", "train"), image("b.jpg", "test"), image("c.jpg", "test")]
    path.write_text(json.dumps({"images": images, "dataset": "x"}))


def test_coco_in_karpathys_split(tmp_path):
    picture(tmp_path / "val2014" / "c.jpg", 33)
    karpathy(tmp_path / "dataset_coco.json", "val2014")
    data = load("coco", tmp_path, "karpathy-test")
    assert len(data) == 2
    assert data.captions[5] == "c.jpg 0"
    assert level(data.images[1]) == 33


def flickr_files(root: Path, form: str) -> None:
    if form == "karpathy":
        karpathy(root / "dataset_flickr30k.json", None)
    elif form == "hub":
        with (root / "flickr_annotations_30k.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["raw", "sentids", "split", "filename", "img_id"])
            for name, split in (("a.jpg", "train"), ("b.jpg", "test"), ("c.jpg", "test")):
                raw = json.dumps([f"{name} {i}" for i in range(5)])
                writer.writerow([raw, "[0]", split, name, 0])
    elif form == "token":
        lines = [f"{name}#{i}\t{name} {i}" for name in ("b.jpg", "c.jpg") for i in range(5)]
        (root / "results_20130124.token").write_text("\n".join(lines) + "\n")
    else:
        lines = [f"{name}| {i}| {name} {i}" for name in ("b.jpg", "c.jpg") for i in range(5)]
        lines[7] = "c.jpg| 2   c.jpg 2"
        (root / "results.csv").write_text(
            "image_name| comment_number| comment\n" + "\n".join(lines)
        )


@pytest.mark.parametrize("form", ["karpathy", "hub", "token", "kaggle"])
def test_flickr30k_in_every_form_is_the_same(tmp_path, form):
    picture(tmp_path / "flickr30k-images" / "b.jpg", 20)
    flickr_files(tmp_path, form)
    data = load("flickr30k", tmp_path)
    assert data.captions == [f"{name} {i}" for name in ("b.jpg", "c.jpg") for i in range(5)]
    assert data.caption_image.tolist() == [0] * 5 + [1] * 5
    assert level(data.images[0]) == 20


def test_flickr30k_says_what_it_knows(tmp_path):
    with pytest.raises(DataUnavailable, match=r"results_20130124.token"):
        load("flickr30k", tmp_path)
    flickr_files(tmp_path, "token")
    with pytest.raises(ValueError, match="knows no splits"):
        load("flickr30k", tmp_path, "test")
    with pytest.raises(DataUnavailable, match="flickr30k-images"):
        load("flickr30k", tmp_path)


# A-OKVQA.

QUESTIONS = [
    {
        "split": "val",
        "image_id": 5,
        "question_id": "q5",
        "question": "What is it?",
        "choices": ["ant", "bee", "cow", "dog"],
        "correct_choice_idx": 2,
        "direct_answers": ["cow"] * 10,
        "difficult_direct_answer": False,
        "rationales": ["It is one."],
    },
    {
        "split": "val",
        "image_id": 4,
        "question_id": "q4",
        "question": "Why {choice}?",
        "choices": ["one", "two", "three", "four"],
        "correct_choice_idx": 0,
        "direct_answers": ["one"],
        "difficult_direct_answer": True,
        "rationales": [],
    },
]


def choices_from_json(root: Path) -> None:
    for row in QUESTIONS:
        number = int(str(row["image_id"]))
        picture(root / "val2017" / f"{number:012d}.jpg", number * 20)
    (root / "aokvqa_v1p0_val.json").write_text(json.dumps(QUESTIONS))


def choices_from_parquet(root: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema(
        {
            "image": image,
            "question_id": pa.string(),
            "question": pa.string(),
            "choices": pa.list_(pa.string()),
            "correct_choice_idx": pa.int8(),
            "direct_answers": pa.string(),
            "difficult_direct_answer": pa.bool_(),
            "rationales": pa.list_(pa.string()),
        }
    )
    (root / "data").mkdir()
    for part, row in enumerate(QUESTIONS):
        content = picture(root / "x.jpg", int(str(row["image_id"])) * 20).read_bytes()
        kept = {key: row[key] for key in schema.names if key != "image"}
        kept |= {"image": {"bytes": content, "path": None}}
        kept["direct_answers"] = str(row["direct_answers"])
        table = pa.Table.from_pylist([kept], schema=schema)
        parquet.write_table(table, root / "data" / f"validation-0000{part}-of-00002.parquet")


@pytest.mark.parametrize("write", [choices_from_json, choices_from_parquet])
def test_aokvqa(tmp_path, write):
    write(tmp_path)
    data = load("aokvqa", tmp_path)
    assert isinstance(data, ChoiceDataset)
    assert data.answers.tolist() == [2, 0]
    assert data.options[1] == ["one", "two", "three", "four"]
    assert [level(data.images[i]) for i in (0, 1, 0)] == [100, 80, 100]
    assert data.prompts()[0][2] == "What is it? cow"
    assert data.prompts("a photo of {choice}, {question}")[1][0] == "a photo of one, Why {choice}?"
    assert data.info["question_ids"] == ["q5", "q4"]


def test_aokvqa_test_split_has_no_answers(tmp_path):
    rows = [{k: v for k, v in row.items() if k != "correct_choice_idx"} for row in QUESTIONS]
    (tmp_path / "aokvqa_v1p0_test.json").write_text(json.dumps(rows))
    (tmp_path / "test2017").mkdir()
    assert load("aokvqa", tmp_path, "test").answers is None
    (tmp_path / "aokvqa_v1p0_val.json").write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="row 0 has no correct_choice_idx"):
        load("aokvqa", tmp_path, images=picture(tmp_path / "coco/val2017/a.jpg").parents[1])


def test_aokvqa_says_what_is_missing(tmp_path):
    with pytest.raises(DataUnavailable, match=r"aokvqa_v1p0_val.json.*HuggingFaceM4/A-OKVQA"):
        load("aokvqa", tmp_path)
    (tmp_path / "aokvqa_v1p0_val.json").write_text(json.dumps(QUESTIONS))
    with pytest.raises(DataUnavailable, match="val2017"):
        load("aokvqa", tmp_path)


def test_a_prompt_needs_the_choice(tmp_path):
    choices_from_json(tmp_path)
    with pytest.raises(ValueError, match="choice"):
        load("aokvqa", tmp_path).prompts("a photo of {}")


# Folders of images.


def metadata(folder: Path, form: str, rows: list[dict[str, object]]) -> None:
    if form == "csv":
        with (folder / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif form == "jsonl":
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(pa.Table.from_pylist(rows), folder / "metadata.parquet")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_imagefolder_with_metadata(tmp_path, form):
    picture(tmp_path / "train" / "b.png", 10)
    picture(tmp_path / "train" / "deep" / "a.png", 20, "L")
    rows = [
        {"file_name": "deep/a.png", "text": "first, of a", "other": 1},
        {"file_name": "b.png", "text": "of b", "other": 2},
        {"file_name": "deep/a.png", "text": "second, of a", "other": 3},
    ]
    metadata(tmp_path / "train", form, rows)
    data = load("imagefolder", tmp_path, "train")
    assert data.captions == ["first, of a", "second, of a", "of b"]
    assert data.caption_image.tolist() == [0, 0, 1]
    assert [level(data.images[i]) for i in range(2)] == [20, 10]


def test_imagefolder_agrees_with_hugging_face_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    for number in range(3):
        picture(tmp_path / "data" / f"{number}.png", 50 * number)
    rows = [{"file_name": f"{i}.png", "caption": f"caption {i}"} for i in (2, 0, 1)]
    metadata(tmp_path / "data", "jsonl", rows)
    theirs = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "data"), split="train", cache_dir=str(tmp_path / "c")
    )
    ours = load("imagefolder", tmp_path / "data")
    expected = {row["caption"]: level(row["image"]) for row in theirs}
    assert expected == {text: level(ours.images[i]) for i, text in enumerate(ours.captions)}


def test_imagefolder_with_lists_of_captions(tmp_path):
    picture(tmp_path / "a.png")
    metadata(tmp_path, "jsonl", [{"file_name": "a.png", "words": ["x", "y", "z"]}])
    data = load("imagefolder", tmp_path, caption="words", captions_per_image=2)
    assert data.captions == ["x", "y"]


def test_imagefolder_with_texts_beside_the_images(tmp_path):
    picture(tmp_path / "a.jpg").with_suffix(".txt").write_text("one\ntwo\n")
    picture(tmp_path / "b.jpg").with_suffix(".txt").write_text("three")
    assert load("imagefolder", tmp_path).captions == ["one", "two", "three"]
    (tmp_path / "b.txt").unlink()
    with pytest.raises(ValueError, match=r"1 images have no .txt"):
        load("imagefolder", tmp_path)


def test_imagefolder_with_a_folder_for_each_class(tmp_path):
    picture(tmp_path / "wild_cat" / "1.png")
    picture(tmp_path / "ant" / "2.png")
    data = load("imagefolder", tmp_path)
    assert data.class_names == ["ant", "wild cat"]
    assert data.targets.tolist() == [0, 1]


def test_two_folders_of_one_class_name_are_refused(tmp_path):
    picture(tmp_path / "wild_cat" / "1.png")
    picture(tmp_path / "wild cat" / "2.png")
    with pytest.raises(ValueError, match="wild cat and wild_cat are one class name"):
        load("imagefolder", tmp_path)


def test_folders_behind_links_are_classes_and_those_of_the_system_are_none(tmp_path):
    root = tmp_path / "data"
    picture(root / "ant" / "1.png")
    for own in ("$RECYCLE.BIN", "lost+found", "__pycache__", "__MACOSX", ".Trash", "ant/@eaDir"):
        picture(root / own / "2.png")
    picture(tmp_path / "far" / "deep" / "3.png")
    (root / "cat").symlink_to(tmp_path / "far")
    data = load("imagefolder", root)
    assert data.class_names == ["ant", "cat"]
    assert data.targets.tolist() == [0, 1]
    (root / "cat" / "back").symlink_to(root)
    with pytest.raises(ValueError, match="back: it links to a folder that holds it"):
        load("imagefolder", root)


@pytest.mark.parametrize("suffix", ["heic", "HEIF", "jp2"])
def test_an_image_that_cannot_be_read_is_never_passed_over(tmp_path, suffix):
    picture(tmp_path / "ant" / "1.png")
    (tmp_path / "ant" / f"2.{suffix}").write_bytes(b"a phone's photograph")
    images = load("imagefolder", tmp_path).images
    assert len(images) == 2
    with pytest.raises(ValueError, match=rf"2\.{suffix} is not a whole image"):
        images[1]


@pytest.mark.parametrize("suffix", ["jfif", "ppm", "jpe"])
def test_other_suffixes_of_images_are_read(tmp_path, suffix):
    picture(tmp_path / "ant" / "1.png", 40)
    (tmp_path / "ant" / "1.png").rename(tmp_path / "ant" / f"1.{suffix}")
    assert load("imagefolder", tmp_path).images[0].getpixel((0, 0)) == (40, 40, 40)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "../secret.png", "text": "x"}, "below"),
        ({"file_name": "/etc/passwd", "text": "x"}, "below"),
        ({"file_name": "a.png", "text": 3}, "expected a text"),
        ({"file_name": "a.png", "note": "x"}, "expected the columns"),
        ({"file_name": None, "text": "x"}, "name of a file"),
        ({"file_name": "a.png", "text": " "}, "empty captions"),
    ],
)
def test_imagefolder_refuses_metadata_that_do_not_fit(tmp_path, row, message):
    picture(tmp_path / "a.png")
    metadata(tmp_path, "jsonl", [row])
    with pytest.raises(ValueError, match=message):
        load("imagefolder", tmp_path)


def test_imagefolder_without_images(tmp_path):
    with pytest.raises(DataUnavailable, match="images in"):
        load("imagefolder", tmp_path)
    with pytest.raises(DataUnavailable, match="absent"):
        load("imagefolder", tmp_path / "absent")
    picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match="neither a caption"):
        load("imagefolder", tmp_path)


def test_a_damaged_image_names_its_file(tmp_path):
    file = picture(tmp_path / "cat" / "a.png")
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"a.png is not a whole image"):
        load("imagefolder", tmp_path).images[0]


# Tar shards, written by webdataset itself.


def shards(root: Path, samples: list[dict[str, object]]) -> None:
    webdataset = pytest.importorskip("webdataset")
    root.mkdir(exist_ok=True)
    half = -(-len(samples) // 2)
    for shard in range(2):
        with webdataset.TarWriter(str(root / f"part-{shard:03d}.tar")) as sink:
            for number, sample in enumerate(samples[shard * half : (shard + 1) * half]):
                sink.write({"__key__": f"{shard}/sample{number:03d}", **sample})


def grey(value: int) -> Image.Image:
    return Image.new("RGB", (8, 6), (value,) * 3)


def test_webdataset_captions(tmp_path):
    shards(tmp_path, [{"png": grey(30 * i), "txt": f"caption {i}\nother {i}"} for i in range(5)])
    data = load("webdataset", tmp_path)
    assert data.captions[:3] == ["caption 0", "other 0", "caption 1"]
    assert data.caption_image.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [level(data.images[i]) for i in (4, 0, 2)] == [120, 0, 60]


def test_webdataset_agrees_with_webdatasets_own_reader(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    shards(tmp_path, [{"jpg": grey(30 * i), "json": {"caption": f"text {i}"}} for i in range(5)])
    pattern = str(tmp_path / "part-{000..001}.tar")
    theirs = webdataset.WebDataset(pattern, shardshuffle=False).decode("pil")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # its shards stay open until collected
        expected = [(level(sample["jpg"]), sample["json"]["caption"]) for sample in theirs]
        del theirs
        gc.collect()
    ours = load("webdataset", pattern)
    assert expected == [(level(ours.images[i]), text) for i, text in enumerate(ours.captions)]


def test_webdataset_classes(tmp_path):
    shards(tmp_path / "test", [{"png": grey(9), "cls": i % 2} for i in range(4)])
    (tmp_path / "classnames.txt").write_text("cat\ndog\n")
    (tmp_path / "zeroshot_classification_templates.txt").write_text("my {c}.\n")
    data = load("webdataset", tmp_path, "test")
    assert data.class_names == ["cat", "dog"]
    assert data.targets.tolist() == [0, 1, 0, 1]
    assert data.templates == ("my {}.",)
    (tmp_path / "classnames.txt").write_text("cat\n")
    with pytest.raises(ValueError, match=r"expected a class in \[0, 1\)"):
        load("webdataset", tmp_path, "test")


def test_webdataset_refuses_what_is_not_whole(tmp_path):
    shards(tmp_path, [{"png": grey(1), "txt": "x"}, {"png": grey(2)}])
    with pytest.raises(ValueError, match="sample000' has no caption"):
        load("webdataset", tmp_path)
    shards(tmp_path, [{"png": grey(1), "txt": "x"}, {"txt": "y"}])
    with pytest.raises(ValueError, match="has no image"):
        load("webdataset", tmp_path)
    shards(tmp_path, [{"txt": "x", "png": grey(1)}, {"txt": "y", "png": grey(2)}])
    file = tmp_path / "part-001.tar"
    with tarfile.open(file) as archive:
        last = archive.getmembers()[-1]
    file.write_bytes(file.read_bytes()[: last.offset_data + 10])
    with pytest.raises(ValueError, match=r"part-001.tar is (truncated|not a whole)"):
        load("webdataset", tmp_path)
    file.write_bytes(b"not a tar file" * 100)
    with pytest.raises(ValueError, match=r"part-001.tar is not a whole"):
        load("webdataset", tmp_path)


def test_webdataset_without_shards(tmp_path):
    with pytest.raises(DataUnavailable, match=r"\*\.tar"):
        load("webdataset", tmp_path)
    with pytest.raises(DataUnavailable, match=r"x-01\.tar"):
        load("webdataset", tmp_path / "x-{01..03}.tar")


# All of them.


def test_every_source_without_files_says_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    for name in set(gu.datasets.names()) - {"openmoji", "emoji10"}:
        with pytest.raises(DataUnavailable, match=f"(?s){name}: wanted .*{tmp_path}.*root="):
            load(name)


def test_an_unknown_option_is_named():
    with pytest.raises(ValueError, match="colour"):
        load("coco", colour="red")


def test_reprs_are_short():
    data = load("openmoji", split="held-out")
    assert len(repr(data)) < 100
    assert "classes=" in repr(data)
    captions = CaptionDataset("c", data.images, ["x"] * 999, torch.zeros(999, dtype=torch.int64))
    assert len(repr(captions)) < 100


def test_a_caption_data_set_from_files_can_be_embedded(coco_root):
    e = gu.embed(gu.load_model("tiny-openmoji", step=0, device="cpu"), load("coco", coco_root))
    assert e.queries.shape == (2, 256)
    assert e.targets.tolist() == [0, 1]
