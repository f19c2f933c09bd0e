"""open_clip's loading, with its silent mismatches made errors."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

_COMPARED = ("mean", "std", "interpolation", "resize_mode")


def load(
    name: str, pretrained: str | Path | None, preprocess: dict[str, Any] | None
) -> tuple[nn.Module, Any, Any, dict[str, Any]]:
    """Model, image transform, tokenizer and a description of where the weights are from."""
    import open_clip

    if Path(name).is_dir():
        if not (Path(name) / "open_clip_config.json").is_file():
            raise ValueError(f"name: the folder {name} has no open_clip_config.json")
        name = f"local-dir:{Path(name).resolve()}"
    has_scheme = name.startswith(("local-dir:", "hf-hub:"))
    if has_scheme and pretrained is not None:
        raise ValueError(f"pretrained: {name!r} brings its own weights, got {str(pretrained)!r}")
    options: dict[str, Any] = {}
    declared: list[dict[str, Any]] = []
    if not has_scheme:
        options["force_quick_gelu"] = _check_weights(name, pretrained)
        declared = _declared(name, pretrained)
    for key, value in (preprocess or {}).items():
        options[f"image_{key}"] = value
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="QuickGELU mismatch")
        try:
            module, _, transform = open_clip.create_model_and_transforms(
                name, pretrained=None if pretrained is None else str(pretrained), **options
            )
            tokenizer = open_clip.get_tokenizer(name)
        except UserWarning as error:
            raise ValueError(f"pretrained: {error}") from error
        except (OSError, RuntimeError) as error:
            if "size mismatch" in str(error) or "state_dict" in str(error):
                raise ValueError(
                    f"pretrained: the weights {pretrained} do not fit the model {name!r}: {error}"
                ) from error
            raise ConnectionError(_unavailable(name, pretrained, error)) from error
    if not preprocess:
        _check_preprocess(name, module, declared)
    info = {} if pretrained is None else {"pretrained": str(pretrained)}
    return module, transform, tokenizer, info


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
        raise ValueError(
            f"pretrained: QuickGELU mismatch: the weights {pretrained!r} were trained "
            f"{'with' if needs else 'without'} QuickGELU, the model {name!r} computes "
            f"{'with' if has else 'without'} it; load {right!r} instead"
        )
    return False


def _declared(name: str, pretrained: str | Path | None) -> list[dict[str, Any]]:
    """The preprocessing that the tag, or for a local file any tag of the model, goes with."""
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    if pretrained is not None and not Path(pretrained).is_file():
        return [get_pretrained_cfg(name, str(pretrained))]
    return [get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)]


def _check_preprocess(name: str, module: nn.Module, declared: list[dict[str, Any]]) -> None:
    """Raise `ValueError` if no declared preprocessing is the one the model was given."""
    from open_clip.transform import PreprocessCfg

    default = asdict(PreprocessCfg())
    used: Any = module.visual.preprocess_cfg  # type: ignore[union-attr]
    differences = []
    for weights in declared:
        wanted = {key: weights.get(key, default[key]) for key in _COMPARED}
        wrong = {k: v for k, v in wanted.items() if _plain(used[k]) != _plain(v)}
        if not wrong:
            return
        differences.append(wrong)
    if differences:
        raise ValueError(
            f"preprocess: the published weights of {name!r} expect {differences[0]}, a local file "
            f"does not say, and open_clip would take { ({k: used[k] for k in differences[0]}) }; "
            f"pass what the file was trained with, as preprocess={differences[0]}"
        )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _unavailable(name: str, pretrained: str | Path | None, error: BaseException) -> str:
    from open_clip.pretrained import get_pretrained_cfg

    if name.startswith("hf-hub:"):
        wanted = f"the repository {name.removeprefix('hf-hub:')} of the Hugging Face hub"
        local = "download that repository's files into a folder and pass the folder as the name"
    elif name.startswith("local-dir:"):
        return f"name: the model {name!r} could not be read: {error}"
    else:
        weights = get_pretrained_cfg(name, str(pretrained)) or {}
        hub, url = weights.get("hf_hub", "").rstrip("/"), weights.get("url", "")
        wanted = f"{hub} of the Hugging Face hub" if hub else str(url or pretrained)
        local = (
            f'pass the weights as a local file: load_model("{name}", pretrained="/path/to/file")'
        )
    return (
        f"the model {name!r} with the weights {str(pretrained)!r} is not on this machine and could "
        f"not be fetched: wanted {wanted}. Without a network {local}. ({error})"
    )
