"""Models of Hugging Face's transformers, seen as open_clip's are: CLIP's and SigLIP's classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gaputils._extras import require_extra
from gaputils._reading import reading

KINDS = ("clip", "siglip")
CONFIG = "config.json"
_WHOLE = "a model that transformers saved"
_REMEDY = "Save model and processor with `save_pretrained` into one folder"
_NORMALISED = ("do_rescale", "do_normalize")


class TwoTowers(nn.Module):
    """A `CLIPModel` or `SiglipModel` by the names that `Model` calls."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.model.logit_scale
        return scale

    def encode_image(self, pixels: Tensor) -> Tensor:
        """(n, d) features of (n, 3, height, width)."""
        return _features(self.model.get_image_features(pixel_values=pixels))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """(n, d) features of (n, context length).

        No mask is needed: what pads CLIP's rows comes after the token that is read out, and SigLIP
        was trained to read its padding.
        """
        return _features(self.model.get_text_features(input_ids=tokens))


def is_saved_folder(name: Any) -> bool:
    """Whether `name` is a folder that `save_pretrained` wrote, and not one of open_clip's."""
    folder = Path(name)
    return (folder / CONFIG).is_file() and not (folder / "open_clip_config.json").is_file()


def load_folder(folder: Path) -> tuple[Any, Any]:
    """Model and processor of a folder that `save_pretrained` wrote; asks no network.

    Raises `UnreadableFile` for another or a damaged one, one of another kind of model, and weights
    in a pickle.
    """
    require_extra("transformers", f"{folder}: a model of transformers")
    from transformers import AutoConfig, AutoModel, AutoProcessor

    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with reading(folder, _WHOLE, argument="name", remedy=_REMEDY) as at:
        at.place = CONFIG
        _require_kind(AutoConfig.from_pretrained(folder, **here).model_type)
        at.place = "weights"
        model, told = AutoModel.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **here
        )
        if told["missing_keys"]:
            raise at.fault(f"it lacks {', '.join(sorted(told['missing_keys'])[:3])}")
        at.place = "processor"
        processors: Any = AutoProcessor
        processor = processors.from_pretrained(folder, **here)
        if not hasattr(processor, "image_processor"):
            raise at.fault(f"it is a {type(processor).__name__}, which reads no images")
    return model, processor


def is_model(value: Any) -> bool:
    """Whether `value` is a model of transformers."""
    return isinstance(value, nn.Module) and hasattr(getattr(value, "config", None), "model_type")


def parts(
    model: Any, processor: Any
) -> tuple[TwoTowers, Callable[[Any], Tensor], Callable[[list[str]], Tensor]]:
    """The encoders, what turns an image into pixels, and what turns texts into rows of tokens.

    Raises `TypeError` or `ValueError` for another kind of model, and for a processor that is none
    or does not bring pixels to the mean and deviation that it names.
    """
    _require_kind(model.config.model_type)
    images, words = (getattr(processor, n, None) for n in ("image_processor", "tokenizer"))
    if images is None or words is None:
        raise TypeError(
            f"processor: expected the model's own, as AutoProcessor.from_pretrained gives it, got "
            f"{type(processor).__name__}"
        )
    for step in _NORMALISED:
        if not getattr(images, step, True):
            raise ValueError(f"processor: expected {step}=True, got False")
    context = model.config.text_config.max_position_embeddings

    def preprocess(image: Any) -> Tensor:
        pixels: Tensor = images(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        return pixels[0]

    def tokenize(texts: list[str]) -> Tensor:
        rows = words(texts, padding="max_length", truncation=True, max_length=context)
        return torch.tensor(rows["input_ids"], dtype=torch.int64)

    return TwoTowers(model), preprocess, tokenize


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"expected a model of type {' or '.join(KINDS)}, got {kind!r}")


def _features(found: Any) -> Tensor:
    """The features, which transformers 5 wraps in an output and 4 does not."""
    features: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return features
