"""Weights in the wrappings that people keep them in, and what is said of the others."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import gaputils as gu
from gaputils._reading import UnreadableFile
from gaputils.models._weights import PREFIXES, misfit, plain_weights, without_prefixes
from gaputils.tiny_openmoji import checkpoints

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    return checkpoints.read_checkpoint(checkpoints.SHIPPED, 400)


def under(prefix: str) -> Callable[[State], Any]:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "plain": under(""),
    "data parallel": under("module."),
    "compiled": under("_orig_mod."),
    "compiled in parallel": under("module._orig_mod."),
    "parallel, compiled": under("_orig_mod.module."),
    "Lightning": lambda s: {"state_dict": under("model.")(s), "epoch": 3, "hyper_parameters": {}},
    "Lightning, compiled": lambda s: {"state_dict": under("model._orig_mod.")(s)},
    "Lightning with a loss": lambda s: {
        "state_dict": under("model.")(s) | {"loss.weight": torch.ones(3)}
    },
    "nested twice": lambda s: {"model": {"state_dict": s}},
    "a step beside": lambda s: {"step": torch.tensor(7), "state_dict": s},
    "bfloat16": lambda s: {name: value.bfloat16() for name, value in s.items()},
    "a NumPy number beside": lambda s: {"state_dict": s, "best": np.float64(0.5)},
    "numbers among weights": lambda s: s | {"best": np.float32(0.5), "epoch": 7, "name": "run"},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_every_wrapping_gives_the_weights(
    wrap: Callable[[State], Any], state: State, tmp_path: Path
) -> None:
    torch.save(wrap(state), tmp_path / "weights.pt")
    model = gu.load_model("tiny-openmoji", tmp_path / "weights.pt", device="cpu")
    for name, value in model.module.state_dict().items():
        torch.testing.assert_close(value, state[name], atol=0.02, rtol=0.01)
    assert model.info["pretrained"] == str(tmp_path / "weights.pt")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.module."])
def test_safetensors_too(prefix: str, state: State, tmp_path: Path) -> None:
    save_file(under(prefix)(state), tmp_path / "w.safetensors")
    model = gu.load_model("tiny-openmoji", tmp_path / "w.safetensors", device="cpu")
    assert torch.equal(model.module.state_dict()["text_projection"], state["text_projection"])


def test_weights_as_they_should_be_are_not_copied(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.pt"):
        with plain_weights(tmp_path / name) as path:
            assert path == tmp_path / name


@pytest.mark.parametrize("prefix", [*PREFIXES, "module._orig_mod.model."])
def test_prefixes_come_off_only_where_that_gives_a_clip(prefix: str) -> None:
    names = [f"{prefix}logit_scale", f"{prefix}visual.proj"]
    assert without_prefixes(names) == dict(zip(("logit_scale", "visual.proj"), names, strict=True))
    others = [f"{prefix}conv.weight", f"{prefix}fc.bias"]
    assert without_prefixes(others) == dict(zip(others, others, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"args": argparse.Namespace(lr=1), "state_dict": {}}, "it asks for argparse.Namespace"),
        ([torch.ones(2)], "it holds a list, no weights by their names"),
        ({"epoch": 3, "name": "run"}, "it holds no tensors but epoch, name"),
        ({}, "it holds no tensors"),
    ],
)
def test_what_holds_no_weights_says_what_it_holds(content, message, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UnreadableFile, match=f"pretrained: .*w.pt is not a whole .*{message}"):
        gu.load_model("tiny-openmoji", tmp_path / "w.pt")


def test_a_weight_that_was_changed_is_noticed(state: State, tmp_path: Path) -> None:
    """PyTorch itself loads it."""
    torch.save(state, tmp_path / "w.pt")
    content = bytearray((tmp_path / "w.pt").read_bytes())
    largest = max(state.values(), key=torch.Tensor.numel)
    content[content.index(largest.contiguous().numpy().tobytes()) + 3] ^= 64
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"w\.pt is not a whole .*the checksum of"):
        gu.load_model("tiny-openmoji", tmp_path / "w.pt")


def test_weights_of_another_model_are_listed_in_short(state: State, tmp_path: Path) -> None:
    lacking = {name: value for name, value in state.items() if "visual" not in name}
    torch.save(lacking | {"odd.weight": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"do not fit .*missing visual.* and \d+ more") as caught:
        gu.load_model("tiny-openmoji", tmp_path / "w.pt")
    assert "unexpected odd.weight" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert misfit("Error(s)\n\tsize mismatch for a: x") == "size mismatch for a: x"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_another_default_type_changes_nothing(dtype: torch.dtype) -> None:
    data = gu.datasets.load("emoji10")
    images, texts = [data.images[i] for i in range(3)], ["a cat", "two dogs", "naïve café"]
    expected = gu.load_model("tiny-openmoji", step=400, device="cpu")
    resized = [np.array(image.resize(expected.image_size[::-1])) for image in images]
    raw = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)
    wanted = [
        expected.encode_texts(texts),
        expected.encode_images(images),
        expected.encode_images(raw),
        expected.preprocess(images[0]),
    ]
    torch.set_default_dtype(dtype)
    try:
        model = gu.load_model("tiny-openmoji", step=400, device="cpu")
        for one in (expected, model):
            found = [
                one.encode_texts(texts),
                one.encode_images(images),
                one.encode_images(raw),
                one.preprocess(images[0]),
            ]
            for value, known in zip(found, wanted, strict=True):
                assert value.dtype == torch.float32
                assert torch.equal(value, known)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
