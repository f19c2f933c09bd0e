"""Loading: the shipped history, open_clip's own calls, and the mismatches that must not pass."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import open_clip
import pytest
import torch

import gaputils as gu
from gaputils import models
from gaputils.models import loading
from gaputils.models._open_clip import _check_weights
from gaputils.tiny_openmoji import checkpoints

TEXTS = ["a photo of a cat.", "an emoji of a ship."]


@pytest.fixture(scope="module")
def model():
    return gu.load_model("tiny-openmoji", device="cpu")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return models.export_checkpoint(tmp_path_factory.mktemp("exported") / "tiny")


def test_history_is_small_and_has_its_steps():
    steps = models.training_steps()
    assert steps == [0, 50, 200, 400, 750]
    shipped = [path for path in checkpoints.DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) <= 8 * 2**20


def test_the_last_step_is_the_default(model):
    assert model.info["step"] == models.training_steps()[-1]
    last = gu.load_model("tiny-openmoji", step=model.info["step"], device="cpu")
    assert torch.equal(model.encode_texts(TEXTS), last.encode_texts(TEXTS))


def test_loading_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    gu.load_model("tiny-openmoji")
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_differ(model):
    early = gu.load_model("tiny-openmoji", step=50, device="cpu")
    assert not torch.equal(model.encode_texts(TEXTS), early.encode_texts(TEXTS))
    assert early.logit_scale == pytest.approx(100, rel=1e-5)


def test_it_is_a_clip_of_open_clip(model):
    assert type(model.module) is open_clip.CLIP
    assert model.dim == 256
    assert model.image_size == (48, 48)


@pytest.mark.parametrize("way", ["file", "folder"])
def test_open_clips_own_calls_load_the_same_model(model, exported, way):
    models.register()
    if way == "file":
        name, options = "tiny-openmoji", {"pretrained": str(exported)}
    else:
        name, options = f"local-dir:{exported.parent}", {}
    module, _, transform = open_clip.create_model_and_transforms(name, **options)
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    image = gu.datasets.load("emoji10", copies=1).images[0]
    with torch.inference_mode():
        texts = module.eval().encode_text(tokens, normalize=True)
        images = module.encode_image(transform(image)[None], normalize=True)
    torch.testing.assert_close(texts, model.encode_texts(TEXTS))
    torch.testing.assert_close(images, model.encode_images([image]))


@pytest.mark.parametrize("way", ["file", "folder"])
def test_local_checkpoints_load(model, exported, way):
    arguments = ("tiny-openmoji", exported) if way == "file" else (str(exported.parent),)
    other = gu.load_model(*arguments, device="cpu")
    assert torch.equal(other.encode_texts(TEXTS), model.encode_texts(TEXTS))


def test_a_folder_that_training_wrote_loads_by_step():
    other = gu.load_model(str(checkpoints.SHIPPED), step=50, device="cpu")
    own = gu.load_model("tiny-openmoji", step=50, device="cpu")
    assert torch.equal(other.encode_texts(TEXTS), own.encode_texts(TEXTS))


def test_unused_words_have_zero_rows_and_used_ones_do_not():
    state = checkpoints.read_checkpoint(checkpoints.SHIPPED, 0)
    table = state["token_embedding.weight"]
    words = open_clip.get_tokenizer("ViT-B-32")(["cat", "software"])
    assert len(table) == 49408
    assert float(table[words[0, 1]].norm()) > 0
    assert float(table[words[1, 1]].norm()) == 0


def test_embeddings_have_norm_one_and_pixels_equal_preprocessed_images(model):
    data = gu.datasets.load("emoji10", copies=2)
    fast = model.encode_images(data.images.pixels)
    slow = model.encode_images([data.images[i] for i in range(len(data))])
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(fast.norm(dim=1), torch.ones(len(data)))


def test_batches_of_texts_change_nothing(model):
    texts = [f"a {n}" for n in ("cat", "dog", "ship", "bird", "frog")]
    torch.testing.assert_close(model.encode_texts(texts, batch_size=2), model.encode_texts(texts))


def test_no_texts_give_no_rows(model):
    assert model.encode_texts([]).shape == (0, 256)


def test_low_precision_is_close_and_comes_back_in_float32(model):
    low = gu.load_model("tiny-openmoji", device="cpu", precision="bf16")
    texts = low.encode_texts(TEXTS)
    assert texts.dtype == torch.float32
    assert not torch.equal(texts, model.encode_texts(TEXTS))
    assert float((texts * model.encode_texts(TEXTS)).sum(1).min()) > 0.99


@pytest.mark.parametrize(
    ("kind", "computed", "expected"),
    [
        ("cuda", True, torch.bfloat16),
        ("cuda", False, torch.float16),
        ("mps", True, torch.float32),
        ("cpu", True, torch.float32),
    ],
)
def test_automatic_precision(kind, computed, expected, monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or computed
    )
    assert loading.pick_dtype("auto", torch.device(kind)) == expected
    assert loading.pick_dtype("fp16", torch.device(kind)) == torch.float16


@pytest.mark.parametrize(("name", "tag"), models.PAPER_MODELS.values())
def test_paper_models_are_known_and_match_their_activation(name, tag):
    assert (name, tag) in open_clip.list_pretrained()
    assert _check_weights(name, tag) is False


@pytest.mark.parametrize(
    ("name", "tag", "right"),
    [
        ("ViT-B-16", "metaclip_400m", "load 'ViT-B-16-quickgelu'"),
        ("ViT-H-14", "dfn5b", "load 'ViT-H-14-quickgelu'"),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", "trained without QuickGELU"),
    ],
)
def test_a_quick_gelu_mismatch_is_an_error_that_names_the_right_model(name, tag, right):
    with pytest.raises(ValueError, match=rf"QuickGELU mismatch.*{right}"):
        gu.load_model(name, tag)


def test_openai_weights_choose_the_activation_themselves():
    assert _check_weights("ViT-B-16", "openai") is True


def test_a_local_siglip_file_needs_its_preprocessing(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.touch()
    with pytest.raises(ValueError, match=r"preprocess: .*'mean': \(0.5, 0.5, 0.5\)"):
        gu.load_model("ViT-B-16-SigLIP", file)


def test_preprocessing_can_be_given(exported):
    other = gu.load_model(
        "tiny-openmoji", exported, device="cpu", preprocess={"mean": (0.5, 0.5, 0.5)}
    )
    assert other.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", ["tiny-openmoji", str(checkpoints.SHIPPED)])
def test_preprocessing_can_be_given_for_a_training_history(model, name, tmp_path):
    plain = {"mean": [0, 0, 0], "std": (1, 1, 1)}
    other = gu.load_model(name, step=750, device="cpu", preprocess=plain)
    assert (other.mean, other.std) == ((0, 0, 0), (1, 1, 1))
    data = gu.datasets.load("emoji10", copies=1)
    pixels = data.images.pixels
    torch.testing.assert_close(other.preprocess(data.images[3]), pixels[3] / 255)
    expected = model.encode_images(pixels / 255)
    torch.testing.assert_close(other.encode_images(pixels), expected)
    e = gu.embed(other, data)
    assert e.info["preprocess"] == {"mean": [0, 0, 0], "std": [1, 1, 1]}
    assert gu.Embeddings.load(e.save(tmp_path / "e.safetensors")).info == e.info
    assert "preprocess" not in model.info


@pytest.mark.parametrize(
    ("preprocess", "error", "message"),
    [
        ({"meen": 1}, ValueError, "expected one of mean, std, interpolation, resize_mode, got 'm"),
        ({"size": 32}, ValueError, "expected one of mean"),
        ({"mean": 0}, TypeError, "mean: expected a list of numbers, got int 0"),
        ({"mean": None}, TypeError, "mean: expected a list of numbers"),
        ({"mean": [0, 0]}, ValueError, "mean: expected 3 numbers"),
        ({"mean": [0, 0, "x"]}, TypeError, "mean: expected a number"),
        ({"std": [1, 1, 0]}, ValueError, "std: expected a number in"),
        ({"interpolation": "nearest"}, ValueError, "interpolation: expected one of bicubic"),
        ({"resize_mode": 3}, ValueError, "resize_mode: expected one of shortest"),
        ([("mean", 0)], TypeError, "expected a mapping, got list"),
    ],
)
@pytest.mark.parametrize("way", ["history", "file"])
def test_other_preprocessing_is_named(exported, way, preprocess, error, message):
    weights = exported if way == "file" else None
    with pytest.raises(error, match=f"^preprocess: {message}"):
        gu.load_model("tiny-openmoji", weights, device="cpu", preprocess=preprocess)


@pytest.mark.parametrize("step", [None, 50])
def test_a_training_history_takes_no_other_weights(step):
    with pytest.raises(ValueError, match=r"^pretrained: .*own weights, got 'openai'"):
        gu.load_model(checkpoints.SHIPPED, "openai", step=step)


@pytest.mark.parametrize("weights", ["foo", "file"])
def test_weights_that_have_no_steps_are_named_before_the_step(exported, weights):
    given = exported if weights == "file" else weights
    with pytest.raises(ValueError, match=r"^pretrained: expected the folder .* step 3 .*got '"):
        gu.load_model("tiny-openmoji", given, step=3)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"step": 50.0}, "step"), ({"step": False}, "step"), ({"pretrained": 3}, "pretrained")],
)
def test_arguments_of_another_kind_are_named(options, name):
    with pytest.raises(TypeError, match=f"^{name}: expected"):
        gu.load_model("tiny-openmoji", **options)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("ViT-B-16", "openai"), "timm/vit_base_patch16_clip_224.openai"),
        (("ViT-H-14", "laion2b_s32b_b79k"), "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
        (("hf-hub:owner/model",), "owner/model"),
    ],
)
def test_without_network_the_error_says_what_was_wanted(monkeypatch, arguments, wanted):
    def closed(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setattr("open_clip.factory.download_pretrained", closed)
    monkeypatch.setattr("open_clip.factory.download_pretrained_from_hf", closed)
    with pytest.raises(gu.datasets.DataUnavailable) as caught:
        gu.load_model(*arguments)
    message = str(caught.value)
    assert arguments[0] in message
    assert wanted in message
    assert "local file" in message or "folder" in message


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        (("tiny-openmoji",), {"step": 7}, "step"),
        (("tiny-openmoji",), {"device": "abacus"}, "device"),
        (("tiny-openmoji",), {"precision": "int3"}, "precision"),
        (("ViT-B-99", "openai"), {}, "name"),
        (("",), {}, "name"),
        (("siglip:base", "webli"), {}, "name"),
        (("ViT-B-16",), {}, "pretrained"),
        (("ViT-B-16", "no-such-tag"), {}, "pretrained"),
        (("ViT-B-16", "openai"), {"step": 3}, "step"),
        (("hf-hub:owner/model", "tag"), {}, "pretrained"),
    ],
)
def test_bad_input_is_named(arguments, options, name):
    with pytest.raises(ValueError, match=rf"^{name}:"):
        gu.load_model(*arguments, **options)


def test_a_folder_without_a_config_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"open_clip_config\.json"):
        gu.load_model(str(tmp_path))


def test_weights_of_another_shape_are_refused(tmp_path, exported):
    from safetensors.torch import load_file, save_file

    state = load_file(exported)
    state["text_projection"] = torch.zeros(128, 64)
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match="do not fit"):
        gu.load_model("tiny-openmoji", tmp_path / "odd.safetensors")


def test_wrong_shapes_and_types_are_named(model):
    with pytest.raises(ValueError, match=r"images: expected shape \(n, 3, 48, 48\)"):
        model.encode_images(torch.zeros(2, 3, 32, 32))
    with pytest.raises(TypeError, match="texts"):
        model.encode_texts("a cat")
    with pytest.raises(TypeError, match="name"):
        gu.load_model(3)


def test_shipped_config_states_the_preprocessing_that_open_clip_uses():
    default = asdict(open_clip.transform.PreprocessCfg())
    for key, value in checkpoints.PREPROCESS_CONFIG.items():
        assert default[key] == (tuple(value) if isinstance(value, list) else value)


def test_attribution_ships_with_the_weights():
    assert "CC BY-SA 4.0" in (Path(checkpoints.DATA) / "ATTRIBUTION.md").read_text()


def test_equal_texts_have_equal_embeddings() -> None:
    """In a batch of its own a text is rounded differently; ImageNet names two classes "missile"."""
    model = gu.load_model("tiny-openmoji")
    texts = [f"a photo of a {'very ' * (i % 4)}small thing {i % 7}" for i in range(41)]
    for batch_size in (1, 3, 40, 1024):
        found = model.encode_texts(texts, batch_size)
        first = [texts.index(text) for text in texts]
        assert torch.equal(found, found[first])
    names = ["missile", "crane", "missile", "cat", "crane"]
    rows = gu.embed_classes(model, names, ["a {}.", "the {}."], ensemble=False, batch_size=3)
    assert torch.equal(rows, rows[[0, 1, 0, 3, 1]])
    alone = gu.embed_classes(model, ["crane"], ["a {}.", "the {}."], ensemble=False)
    torch.testing.assert_close(rows[1:2], alone)
