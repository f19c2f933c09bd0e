"""Models of transformers, randomly initialised, embed as they do there."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import gaputils as gu
from gaputils._reading import UnreadableFile
from pretended_gpu import pretended_gpu

tf = pytest.importorskip("transformers")

TEXTS = ["a cat", "a dog at a table", "x" * 40, "a cat"]
IMAGES = [Image.effect_noise(size, 80).convert("RGB") for size in ((40, 30), (32, 32))]
TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2}  # fmt: skip
SEEN = {**TOWER, "image_size": 32, "patch_size": 8}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("words")
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "at</w>"]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\na t</w>\n")
    return tf.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


@pytest.fixture(scope="module", params=["clip", "siglip"])
def pair(request: pytest.FixtureRequest, tokenizer):
    torch.manual_seed(0)
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    read = {**TOWER, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 12}
    if request.param == "clip":
        config = tf.CLIPConfig(text_config=read, vision_config=SEEN, projection_dim=8)
        look = tf.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        )
        return tf.CLIPModel(config).eval(), tf.CLIPProcessor(look, tokenizer)
    config = tf.SiglipConfig(text_config={**read, "projection_size": 16}, vision_config=SEEN)
    look = tf.SiglipImageProcessor(size={"height": 32, "width": 32})
    return tf.SiglipModel(config).eval(), tf.SiglipProcessor(look, tokenizer)


@torch.inference_mode()
def reference(model, processor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sides by the model's own forward pass, which also scales them to norm 1."""
    given = processor(text=TEXTS, images=IMAGES, return_tensors="pt", padding="max_length",
                      truncation=True, max_length=12)  # fmt: skip
    if model.config.model_type == "siglip":
        given.pop("attention_mask", None)
    out = model(**given)
    return out.image_embeds, out.text_embeds


def test_it_embeds_as_transformers_does(pair) -> None:
    model, processor = pair
    images, texts = reference(model, processor)
    ours = gu.load_model(model, processor=processor, device="cpu")
    torch.testing.assert_close(ours.encode_images(IMAGES), images)
    torch.testing.assert_close(ours.encode_texts(TEXTS), texts)
    assert ours.dim == images.shape[1]
    assert ours.image_size == (32, 32)
    assert ours.logit_scale == pytest.approx(float(model.logit_scale.exp()))
    raw = torch.from_numpy(np.asarray(IMAGES[1]).copy()).permute(2, 0, 1)[None]
    torch.testing.assert_close(ours.encode_images(raw), images[1:], rtol=1e-4, atol=1e-5)


def test_a_saved_folder_is_the_same_model(pair, tmp_path: Path) -> None:
    model, processor = pair
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    ours = gu.load_model(str(tmp_path), device="cpu")
    assert torch.equal(
        ours.encode_texts(TEXTS),
        gu.load_model(model, processor=processor, device="cpu").encode_texts(TEXTS),
    )
    data = gu.datasets.load("emoji10", copies=1)
    assert gu.embed(ours, data).dim == ours.dim


def test_on_a_gpu_it_embeds_the_same(pair, tmp_path: Path) -> None:
    model, processor = pair
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    with pretended_gpu():
        there = gu.load_model(str(tmp_path), device="cuda", precision="fp32")
        found = there.encode_images(IMAGES).cpu(), there.encode_texts(TEXTS).cpu()
    torch.testing.assert_close(found, reference(model, processor), rtol=1e-4, atol=1e-5)


def test_what_it_cannot_take_is_named(pair, tmp_path: Path) -> None:
    model, processor = pair
    for given, options, message in (
        (model, {}, "processor: expected the model's own"),
        (model, {"processor": processor, "step": 3}, "step: a model of transformers has its own"),
        ("tiny-openmoji", {"processor": processor}, "processor: only a model of transformers"),
        (tf.BertModel(tf.BertConfig(**TOWER)), {"processor": processor}, "type clip or siglip"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            gu.load_model(given, **options)
    model.save_pretrained(tmp_path)
    with pytest.raises(UnreadableFile, match=r"is not a model that transformers saved, processor"):
        gu.load_model(tmp_path)
    processor.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-60])
    with pytest.raises(UnreadableFile, match="is not a model that transformers saved, weights"):
        gu.load_model(tmp_path)
    weights.unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UnreadableFile, match="is not a model that transformers saved, weights"):
        gu.load_model(tmp_path)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("gaputils._extras.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"gaputils\[transformers\]"):
        gu.load_model(tmp_path)


def test_errors_say_how_a_model_of_transformers_is_given() -> None:
    bare = SimpleNamespace(config=None)
    with pytest.raises(TypeError, match=r"load_model\(model, processor=…\) takes it"):
        gu.embed(bare, gu.datasets.load("emoji10"))
    with pytest.raises(ValueError, match="a model of transformers is given as itself"):
        gu.load_model("openai/clip-vit-base-patch32")
