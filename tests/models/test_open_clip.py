"""What is refused before anything is loaded, and what is wanted where there is no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gaputils.models import _open_clip


def test_a_folder_is_named_as_open_clip_names_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^name: the folder .* has no open_clip_config\.json"):
        _open_clip._resolved(str(tmp_path), None)
    (tmp_path / "open_clip_config.json").write_text("{}")
    assert _open_clip._resolved(str(tmp_path), None) == f"local-dir:{tmp_path.resolve()}"
    assert _open_clip._resolved("ViT-B-32", "openai") == "ViT-B-32"


@pytest.mark.parametrize("name", ["local-dir:/x", "hf-hub:someone/model"])
def test_what_brings_its_weights_takes_no_others(name: str) -> None:
    assert _open_clip._resolved(name, None) == name
    with pytest.raises(ValueError, match=r"^pretrained: .* brings its own weights, got 'openai'"):
        _open_clip._resolved(name, "openai")


@pytest.mark.parametrize(
    ("name", "tag", "forced"),
    [
        ("ViT-B-32", "openai", True),
        ("ViT-B-32-quickgelu", "openai", False),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
        ("ViT-B-32-quickgelu", "metaclip_400m", False),
    ],
)
def test_the_activation_follows_openais_weights_alone(name: str, tag: str, forced: bool) -> None:
    assert _open_clip._check_weights(name, tag) is forced


@pytest.mark.parametrize(
    ("name", "tag", "right"),
    [
        ("ViT-B-32", "metaclip_400m", "load 'ViT-B-32-quickgelu' instead"),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", "were trained without QuickGELU, the model"),
    ],
)
def test_another_activation_is_an_error_that_says_which(name: str, tag: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        _open_clip._check_weights(name, tag)


def test_names_and_tags_that_are_unknown_are_told_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^name: .*'vit-b-3'.*did you mean one of .*'ViT-B-32'"):
        _open_clip._check_weights("vit-b-3", "openai")
    for tag, message in (
        (None, "got none; tags: .*openai"),
        ("opanai", "'opanai'; tags: .*openai"),
    ):
        with pytest.raises(ValueError, match=rf"^pretrained: expected a tag.*{message}"):
            _open_clip._check_weights("ViT-B-32", tag)
    file = tmp_path / "weights.pt"
    file.touch()
    assert _open_clip._check_weights("ViT-B-32", file) is False


def test_a_file_says_nothing_of_its_preprocessing(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.touch()
    _open_clip._check_preprocess("ViT-B-32", file)
    _open_clip._check_preprocess("ViT-B-16-SigLIP", "webli")
    with pytest.raises(ValueError, match=r"^preprocess: .*'ViT-B-16-SigLIP'.*\(0\.5, 0\.5, 0\.5\)"):
        _open_clip._check_preprocess("ViT-B-16-SigLIP", file)


@pytest.mark.parametrize(
    ("name", "tag", "wanted"),
    [
        ("hf-hub:someone/model", None, "the repository someone/model of the Hugging Face hub"),
        ("ViT-B-32", "laion2b_s34b_b79k", r"laion/CLIP-ViT-B-32\S* of the Hugging Face hub"),
        ("local-dir:/x", None, "could not be read: no route"),
    ],
)
def test_what_was_wanted_is_named(name: str, tag: str | None, wanted: str) -> None:
    found = _open_clip._unavailable(name, tag, OSError("no route"))
    assert re.search(wanted, found)
    assert "no route" in found
