"""open_clip's loading, with its silent mismatches made errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from gaputils._checks import choice, listed, number
from gaputils._reading import Reading, in_words, read_json
from gaputils.datasets.base import DataUnavailable
from gaputils.models import _hub
from gaputils.models._weights import REMEDY, WHOLE, misfit, plain_weights

_COMPLETE = ("local-dir:", "hf-hub:")
"""What open_clip's names that bring their own weights start with."""
_COMPARED = ("mean", "std", "interpolation", "resize_mode")
_WAYS = {
    "interpolation": ("bicubic", "bilinear", "random"),
    "resize_mode": ("shortest", "longest", "squash"),
}


def checked_preprocess(preprocess: Any) -> dict[str, Any]:
    """The values of `preprocess`; raises for a name or a value that open_clip does not take."""
    if not isinstance(preprocess, Mapping):
        raise TypeError(f"preprocess: expected a mapping, got {type(preprocess).__name__}")
    checked: dict[str, Any] = {}
    for key, value in preprocess.items():
        name = f"preprocess: {choice('preprocess', key, _COMPARED)}"
        if key in _WAYS:
            checked[key] = choice(name, value, _WAYS[key])
            continue
        low, strict = (0.0, True) if key == "std" else (-math.inf, False)
        checked[key] = [
            number(name, one, low=low, strict=strict) for one in listed(name, value, "number")
        ]
        if len(checked[key]) != 3:
            raise ValueError(f"{name}: expected 3 numbers, one a channel, got {value!r}")
    return checked


def image_options(preprocess: dict[str, Any]) -> dict[str, Any]:
    """The values of `preprocess` by the names of open_clip's arguments."""
    return {f"image_{key}": value for key, value in preprocess.items()}


def load(
    name: str, pretrained: str | Path | None, preprocess: dict[str, Any]
) -> tuple[nn.Module, Any, Any, dict[str, Any]]:
    """Model, image transform, tokenizer and a description of where the weights are from."""
    import open_clip

    name = _resolved(name, pretrained)
    options = image_options(preprocess)
    if not name.startswith(_COMPLETE):
        options["force_quick_gelu"] = _check_weights(name, pretrained)
        if not preprocess:
            _check_preprocess(name, pretrained)
    weights = None if pretrained is None else str(pretrained)
    local = name.startswith("local-dir:") or (weights is not None and Path(weights).is_file())
    with warnings.catch_warnings(), ExitStack() as held:
        warnings.filterwarnings("error", message="QuickGELU mismatch")
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        plain = weights
        fetched = None if local else _fetched(name, weights)
        if weights is not None and local:
            plain = str(held.enter_context(plain_weights(Path(weights))))
        try:
            module, _, transform = open_clip.create_model_and_transforms(
                name, pretrained=plain, require_pretrained=True, **options
            )
        except UserWarning as error:
            raise ValueError(f"pretrained: {error}") from error
        except (OSError, RuntimeError) as error:
            if "state_dict" in str(error):
                raise ValueError(
                    f"pretrained: the weights {weights or name} do not fit the model {name!r}: "
                    f"{misfit(str(error))}"
                ) from error
            raise DataUnavailable(_unavailable(name, weights, error)) from error
        except Exception as error:
            if fetched is not None:
                at = Reading(str(fetched), WHOLE, "Delete it, to fetch it again")
            elif local:
                at = Reading(f"pretrained: {weights or name}", WHOLE, REMEDY)
            else:
                raise
            raise at.fault(error) from error
    tokenizer = _tokenizer(name, fetched)
    return module, transform, tokenizer, {} if weights is None else {"pretrained": weights}


def _fetched(name: str, weights: str | None) -> Path | None:
    """The hub's weights of a name or a tag, in the hub's cache; nothing where it has none."""
    from open_clip.pretrained import get_pretrained_cfg

    try:
        if name.startswith("hf-hub:"):
            repository = name.removeprefix("hf-hub:")
            _hub.fetch(repository, [_hub.CONFIG])
            return _hub.fetch(repository, _hub.WEIGHTS)
        hub = str((get_pretrained_cfg(name, str(weights)) or {}).get("hf_hub", ""))
        return _hub.fetch(*_hub.weights_of(hub)) if hub else None
    except DataUnavailable as error:
        raise DataUnavailable(_unavailable(name, weights, error)) from error


def _tokenizer(name: str, weights: Path | None) -> Any:
    """The tokenizer of `name`, whose `weights` the hub has given; its own files are checked too."""
    import open_clip

    if weights is not None and name.startswith("hf-hub:"):
        config = read_json(weights.with_name(_hub.CONFIG))["model_cfg"]
    else:
        config = open_clip.get_model_config(name) or {}
    repository = config.get("text_cfg", {}).get("hf_tokenizer_name")
    try:
        try:
            return open_clip.get_tokenizer(name)
        finally:
            if repository:
                _hub.check_stored(repository)
    except OSError as error:
        raise DataUnavailable(
            f"the tokenizer of {name!r} is not on this machine and could not be fetched; put its "
            f"files in the Hugging Face cache (HF_HOME). ({in_words(error)})"
        ) from error


def _resolved(name: str, pretrained: str | Path | None) -> str:
    """`name` in open_clip's spelling: a folder becomes ``local-dir:FOLDER``."""
    if Path(name).is_dir():
        if not (Path(name) / "open_clip_config.json").is_file():
            raise ValueError(
                f"name: the folder {name} has no open_clip_config.json, and no config.json that "
                f"transformers saved"
            )
        name = f"local-dir:{Path(name).resolve()}"
    if name.startswith(_COMPLETE) and pretrained is not None:
        raise ValueError(f"pretrained: {name!r} brings its own weights, got {str(pretrained)!r}")
    return name


def _check_weights(name: str, pretrained: str | Path | None) -> bool:
    """Raise `ValueError` for an unknown name, tag or file; True if QuickGELU is to be forced.

    OpenAI's weights were all trained with QuickGELU, so for them the activation follows the
    weights; for any other tag a mismatch is an error that names the right model.
    """
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    config = open_clip.get_model_config(name)
    if config is None:
        close = [known for known in open_clip.list_models() if name.lower() in known.lower()]
        hint = f"; did you mean one of {close[:5]}?" if close else ""
        if "/" in name:
            hint = "; a model of transformers is given as itself, with its processor"
        raise ValueError(
            f"name: open_clip knows no model {name!r}, and it is no folder with an "
            f"open_clip_config.json{hint} (see open_clip.list_models())"
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        raise ValueError(
            f"pretrained: expected a tag of {name!r} or a local file, got none; tags: {tags}"
        )
    if Path(pretrained).is_file():
        return False
    weights = get_pretrained_cfg(name, str(pretrained))
    if not weights:
        raise ValueError(
            f"pretrained: expected a tag of {name!r} or an existing file, got "
            f"{str(pretrained)!r}; tags: {tags}"
        )
    needs, has = bool(weights.get("quick_gelu")), bool(config.get("quick_gelu"))
    if needs and not has and pretrained == "openai":
        return True
    if needs != has:
        right = f"{name}-quickgelu" if needs else name.removesuffix("-quickgelu")
        hint = f"load {right!r}" if right in open_clip.list_models() else "load other weights"
        raise ValueError(
            f"pretrained: QuickGELU mismatch: the weights {pretrained!r} were trained "
            f"{'with' if needs else 'without'} QuickGELU, the model {name!r} computes "
            f"{'with' if has else 'without'} it; {hint} instead"
        )
    return False


def _check_preprocess(name: str, pretrained: str | Path | None) -> None:
    """Raise `ValueError` for a local file that open_clip would feed with the wrong images.

    A tag brings its preprocessing; a file brings none, and open_clip then takes OpenAI's. That is
    an error where no published weights of the model were trained so.
    """
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg
    from open_clip.transform import PreprocessCfg

    if pretrained is None or not Path(pretrained).is_file():
        return
    default = asdict(PreprocessCfg())
    differences = []
    for tag in open_clip.list_pretrained_tags_by_model(name):
        weights = get_pretrained_cfg(name, tag)
        wanted = {key: weights.get(key, default[key]) for key in _COMPARED}
        wrong = {key: value for key, value in wanted.items() if value != default[key]}
        if not wrong:
            return
        differences.append(wrong)
    if differences:
        raise ValueError(
            f"preprocess: the published weights of {name!r} expect {differences[0]}, the file "
            f"{pretrained} does not say, and open_clip would take "
            f"{ ({key: default[key] for key in differences[0]}) }; "
            f"pass what the file was trained with, as preprocess={differences[0]}"
        )


def _unavailable(name: str, pretrained: str | None, error: BaseException) -> str:
    from open_clip.pretrained import get_pretrained_cfg

    if name.startswith("local-dir:"):
        return f"the model {name!r} could not be read: {error}"
    if name.startswith("hf-hub:"):
        wanted = f"the repository {name.removeprefix('hf-hub:')} of the Hugging Face hub"
        local = "download its files into a folder and pass the folder as the name"
    else:
        weights = get_pretrained_cfg(name, str(pretrained)) or {}
        hub, url = weights.get("hf_hub", "").rstrip("/"), weights.get("url", "")
        wanted = f"{hub} of the Hugging Face hub" if hub else str(url or pretrained)
        local = f'pass a local file with them: load_model("{name}", pretrained="/path/to/file")'
    return (
        f"the model {name!r} with the weights {pretrained!r} is not on this machine and could not "
        f"be fetched: wanted {wanted}. Without a network, {local}. ({error})"
    )
