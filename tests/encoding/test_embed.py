"""Embedding: order, batches, templates, captions, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import gaputils as gu
from gaputils.datasets.base import (
    CaptionDataset,
    ChoiceDataset,
    ClassificationDataset,
    TensorImages,
)
from gaputils.datasets.templates import SEEN, UNSEEN
from gaputils.encoding.embed import embed_classes, embed_images

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def model():
    return gu.load_model("tiny-openmoji", device="cpu")


@pytest.fixture(scope="module")
def data():
    return gu.datasets.load("emoji10", copies=3)


@pytest.fixture(scope="module")
def captions(data):
    texts = [f"a {data.class_names[i // 3]} {i}" for i in range(30)]
    return CaptionDataset("pairs", data.images, texts, torch.arange(30))


def test_rows_are_in_the_order_of_the_data(model, data):
    e = gu.embed(model, data)
    torch.testing.assert_close(e.queries[7], model.encode_images([data.images[7]])[0], **CLOSE)
    assert torch.equal(e.targets, data.targets)
    assert e.queries.shape == (30, 256)
    assert e.gallery.shape == (10, 256)


@pytest.mark.parametrize("batch_size", [1, 7, 30, 1000])
def test_batches_change_nothing(model, data, batch_size):
    expected, e = gu.embed(model, data), gu.embed(model, data, batch_size=batch_size)
    torch.testing.assert_close(e.queries, expected.queries, **CLOSE)
    torch.testing.assert_close(e.gallery, expected.gallery, **CLOSE)


def test_twice_gives_the_same_bytes(model, data):
    first, again = gu.embed(model, data), gu.embed(model, data)
    assert torch.equal(first.queries, again.queries)
    assert torch.equal(first.gallery, again.gallery)


def test_an_ensemble_is_the_normalised_mean_of_its_templates(model, data):
    gallery = gu.embed(model, data, templates=UNSEEN[:3]).gallery
    each = [
        model.encode_texts([t.replace("{}", name) for name in data.class_names]) for t in UNSEEN[:3]
    ]
    torch.testing.assert_close(gallery, F.normalize(torch.stack(each).mean(0), dim=1), **CLOSE)


def test_one_template_is_its_own_ensemble(model, data):
    as_string = gu.embed(model, data, templates=SEEN[1])
    as_tuple = gu.embed(model, data, templates=(SEEN[1],))
    assert torch.equal(as_string.gallery, as_tuple.gallery)
    assert as_string.info["templates"] == [SEEN[1]]


def test_the_data_sets_own_templates_are_the_default(model, data):
    default, named = gu.embed(model, data), gu.embed(model, data, templates=SEEN)
    assert torch.equal(default.gallery, named.gallery)


def test_prompts_that_are_not_ensembled_stay_apart(model, data):
    rows = embed_classes(model, data.class_names, SEEN[:4], ensemble=False, batch_size=8)
    assert rows.shape == (10, 4, 256)
    text = SEEN[2].replace("{}", data.class_names[6])
    torch.testing.assert_close(rows[6, 2], model.encode_texts([text])[0], **CLOSE)


def test_images_in_memory_and_images_read_by_workers_are_embedded_alike(model, data):
    class Elsewhere:
        def __len__(self):
            return len(data.images)

        def __getitem__(self, index):
            return data.images[index]

    expected = embed_images(model, data.images)
    torch.testing.assert_close(embed_images(model, Elsewhere(), batch_size=8), expected, **CLOSE)


@pytest.mark.parametrize("made", [iter, tuple, np.array, pd.Series])
def test_names_and_templates_come_in_any_iterable(model, made):
    names, templates = ["cat", "dog", "cat"], ["a {}.", "the {}."]
    found = embed_classes(model, made(names), made(templates))
    assert torch.equal(found, embed_classes(model, names, templates))
    prompts = [["a cat.", "the cat."], ["a dog.", "the dog."], ["a cat.", "the cat."]]
    means = torch.stack([model.encode_texts(both).mean(0) for both in prompts])
    torch.testing.assert_close(found[:, 0], means / means.norm(dim=1, keepdim=True), **CLOSE)


def test_one_template_may_stand_alone(model):
    found = embed_classes(model, ["cat"], "a photo of a {}", ensemble=False)
    torch.testing.assert_close(found[0], model.encode_texts(["a photo of a cat"]), **CLOSE)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"class_names": "cat"},
            TypeError,
            "class_names: expected a list of class names, got str 'cat'",
        ),
        (
            {"class_names": []},
            ValueError,
            "class_names: expected at least one class name, got none",
        ),
        (
            {"class_names": ["a", None]},
            TypeError,
            "class_names: expected a text at place 1, got NoneType None",
        ),
        ({"class_names": 3}, TypeError, "class_names: expected a list of class names, got int 3"),
        ({"templates": []}, ValueError, "templates: expected at least one template, got none"),
        ({"templates": 3}, TypeError, "templates: expected a list of templates, got int 3"),
        (
            {"templates": ["{}", None]},
            TypeError,
            "templates: expected a text at place 1, got NoneType None$",
        ),
        ({"templates": ["{}", "a"]}, ValueError, "templates: .* one '{}', got 'a'"),
        ({"templates": "{} {}"}, ValueError, "templates: .* exactly one '{}', got '{} {}'"),
        ({"templates": [lambda c: f"a {c}"]}, TypeError, "templates: .* call it with '{}' to have"),
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1, got 0"),
        ({"ensemble": "no"}, TypeError, "ensemble: expected True or False, got str 'no'"),
        ({"model": "tiny-openmoji"}, TypeError, "model: expected what load_model returns, got str"),
    ],
)
def test_bad_names_and_templates_are_named(model, options, error, message):
    arguments = {"model": model, "class_names": ["cat"], "templates": ["a {}"], **options}
    with pytest.raises(error, match=f"^{message}"):
        embed_classes(**arguments)


def test_open_clips_own_templates_are_given_by_their_texts(model):
    few = open_clip.OPENAI_IMAGENET_TEMPLATES[:3]
    found = embed_classes(model, ["crane"], [t("{}") for t in few], ensemble=False)
    torch.testing.assert_close(found[0], model.encode_texts([t("crane") for t in few]), **CLOSE)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size: expected an integer"),
        ({"workers": -1}, ValueError, "workers: expected"),
        ({"images": "emoji"}, TypeError, "images: expected a sequence of PIL images, got str"),
        ({"images": None}, TypeError, "images: expected a sequence of PIL images, got NoneType"),
        ({"images": iter([])}, TypeError, "images: expected a sequence of PIL images, got list_it"),
        ({"images": Image.new("RGB", (3, 3))}, TypeError, "images: .* got Image"),
        ({"images": torch.zeros(2, 3, 4, 4)}, TypeError, "images: .*TensorImages"),
        ({"images": np.zeros((2, 3, 4, 4))}, TypeError, "images: .*ndarray of shape"),
        ({"images": [None]}, TypeError, "images: .* got NoneType None in place of image 0"),
        ({"model": 3}, TypeError, "model: expected what load_model returns, got int"),
    ],
)
def test_what_are_no_images_is_named(model, data, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        embed_images(**{"model": model, "images": data.images, **options})


def test_a_data_set_is_not_its_images(model, data):
    with pytest.raises(TypeError, match=r"^images: .*; pass its images$"):
        embed_images(model, data)


@pytest.mark.parametrize(
    ("templates", "error", "message"),
    [
        (["a photo"], ValueError, "exactly one"),
        ([lambda c: f"a {c}"], TypeError, "call it with"),
        (3, TypeError, "got int 3"),
    ],
)
def test_bad_templates_are_named_before_any_image_is_read(model, data, templates, error, message):
    class Unread(list):
        def __getitem__(self, index):
            raise AssertionError("an image was read")

    with pytest.raises(error, match=f"^templates: .*{message}"):
        gu.embed(model, replace(data, images=Unread([None] * 30)), templates=templates)


@pytest.fixture
def odd_files(tmp_path):
    """Pictures of more than 8 bits, one that lies on its side, and one in a palette."""
    grey = np.random.default_rng(0).integers(0, 2**16, (40, 60), np.uint16)
    grey[:20] //= 5
    folder = tmp_path / "images" / "odd"
    folder.mkdir(parents=True)
    Image.fromarray(grey).save(folder / "a.png")
    Image.fromarray(grey.astype(np.int32) * 30_000).save(folder / "b.tiff")
    Image.fromarray(grey.astype(np.float32) - 9).save(folder / "c.tiff")
    colour = Image.fromarray((grey // 256).astype(np.uint8)).convert("RGB")
    colour.paste((250, 9, 9), (0, 0, 20, 40))
    turned = colour.getexif()
    turned[0x0112] = 6
    colour.save(folder / "d.jpg", exif=turned)
    colour.quantize(7).save(folder / "e.png")
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_is_the_same_from_a_file_and_from_memory(model, odd_files, workers):
    data = gu.datasets.load("imagefolder", odd_files.parent)
    expected = gu.embed(model, data).queries
    opened = [Image.open(path) for path in sorted(odd_files.iterdir())]
    assert torch.equal(model.encode_images(opened), expected)
    for image in opened:
        image.load()
    in_memory = gu.embed(model, replace(data, images=opened), workers=workers)
    assert torch.equal(in_memory.queries, expected)


@pytest.mark.parametrize("skip_broken", [False, True])
def test_what_is_no_image_in_a_data_set_is_named(model, data, skip_broken):
    wrong = replace(data, images=[data.images[0], np.zeros((4, 4, 3))], targets=data.targets[:2])
    with pytest.raises(TypeError, match=r"^images: .*ndarray of shape \(4, 4, 3\) in .* image 1"):
        gu.embed(model, wrong, skip_broken=skip_broken)


def test_images_of_another_size_are_resized(model):
    large = gu.datasets.load("emoji10", size=96, copies=2)
    e = gu.embed(model, large)
    assert e.queries.shape == (20, 256)
    assert float(((e.queries @ e.gallery.T).argmax(1) == e.targets).float().mean()) > 0.5


def test_paired_captions(model, captions):
    e = gu.embed(model, captions)
    assert e.paired
    torch.testing.assert_close(e.gallery[4], model.encode_texts([captions.captions[4]])[0], **CLOSE)


def test_several_captions_an_image(model, data):
    owner = torch.tensor([1, 0, 1, 2, 0, 2])
    images = TensorImages(data.images.pixels[:3])
    texts = [f"caption {i}" for i in range(6)]
    e = gu.embed(model, CaptionDataset("several", images, texts, owner))
    assert e.targets.tolist() == [1, 0, 3]
    assert e.info["caption_image"] == owner.tolist()


@pytest.fixture(scope="module")
def quiz(data):
    """Which of four of the ten is it? The right one is at the place `i % 4`."""
    names, right = data.class_names, torch.arange(30) % 4
    options = [[names[(i // 3 + j - right[i]) % 10] for j in range(4)] for i in range(30)]
    return ChoiceDataset("quiz", data.images, ["a photo of a"] * 30, options, right)


@pytest.mark.parametrize("known", [True, False])
def test_choices_are_folded_and_answered(model, quiz, known):
    e = gu.embed(model, quiz if known else replace(quiz, answers=None))
    assert e.info["options"] == 4
    assert e.info["templates"] == ["{question} {choice}"]
    queries, options, answers = gu.as_choices(e)
    text = f"a photo of a {quiz.options[7][2]}"
    torch.testing.assert_close(options[7, 2], model.encode_texts([text])[0], **CLOSE)
    chosen = gu.multiple_choice(queries, options)
    assert float((chosen == quiz.answers).double().mean()) > 0.9
    if known:
        assert torch.equal(answers, quiz.answers)
        assert torch.equal(e.targets, torch.arange(30) * 4 + quiz.answers)
    else:
        assert e.targets is answers is None


def test_choices_take_one_prompt(model, quiz):
    e = gu.embed(model, quiz, templates="{choice}!")
    torch.testing.assert_close(
        e.gallery[5], model.encode_texts([f"{quiz.options[1][1]}!"])[0], **CLOSE
    )
    with pytest.raises(ValueError, match=r"templates: expected one prompt"):
        gu.embed(model, quiz, templates=["{choice}", "a {choice}"])
    with pytest.raises(ValueError, match=r"question 29 of 'quiz' has 1 options"):
        replace(quiz, options=[*quiz.options[:-1], ["cat"]])


def test_only_choices_are_folded(model, data):
    with pytest.raises(ValueError, match=r"embeddings: .*multiple-choice"):
        gu.as_choices(gu.embed(model, data))


def test_info_says_what_was_embedded_and_survives_saving(model, data, tmp_path):
    e = gu.embed(model, data, templates=SEEN[0])
    for key, value in {"model": "tiny-openmoji", "dataset": "emoji10", "split": "test"}.items():
        assert e.info[key] == value
    assert e.info["class_names"] == data.class_names
    assert gu.Embeddings.load(e.save(tmp_path / "e.safetensors")).info == e.info


def test_the_tiny_model_names_the_ten_emoji(model):
    e = gu.embed(model, gu.datasets.load("emoji10"))
    assert float(((e.queries @ e.gallery.T).argmax(1) == e.targets).float().mean()) > 0.97


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"workers": -1}, ValueError, "workers"),
        ({"templates": []}, ValueError, "templates"),
        ({"templates": ["a photo"]}, ValueError, "template"),
        ({"device": "abacus"}, ValueError, "device"),
    ],
)
def test_bad_options_are_named(model, data, options, error, name):
    with pytest.raises(error, match=name):
        gu.embed(model, data, **options)


def test_other_things_than_models_and_data_sets_are_refused(model, data):
    with pytest.raises(TypeError, match="model"):
        gu.embed("tiny-openmoji", data)
    with pytest.raises(TypeError, match="dataset"):
        gu.embed(model, "emoji10")


def test_empty_and_incomplete_data_sets_are_refused(model, data):
    none = TensorImages(data.images.pixels[:0])
    with pytest.raises(ValueError, match="no images"):
        gu.embed(model, ClassificationDataset("none", none, ["a"], torch.zeros(0).long()))
    with pytest.raises(ValueError, match=r"image 1 .* no caption"):
        gu.embed(model, CaptionDataset("two", data.images, ["a"], torch.tensor([0])))


def test_captions_take_no_templates(model, captions):
    with pytest.raises(ValueError, match="templates"):
        gu.embed(model, captions, templates=SEEN[0])
