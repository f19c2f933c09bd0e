"""Checkpoints as the hub has them, with random weights: made by open_clip from its own configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg
from safetensors.torch import save_file

from gaputils.models._hub import CONFIG, WEIGHTS
from gaputils.models.loading import PAPER_MODELS

PAIRS = tuple(PAPER_MODELS.values())
SIGLIP = "timm/ViT-B-16-SigLIP"


def repository_of(name: str, tag: str) -> str:
    """Where open_clip looks for the weights `tag` of the model `name`."""
    return str(get_pretrained_cfg(name, tag)["hf_hub"]).rstrip("/")


def write(name: str, tag: str, folder: Path) -> Path:
    """The weights file of the model `name` with random weights, in `folder`; as large as it is."""
    torch.manual_seed(len(name) + len(tag))  # two tags of one model are not the same weights
    model = open_clip.create_model(name)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / WEIGHTS[0]
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, file)
    return file


def write_repository(folder: Path, config: dict[str, Any]) -> dict[str, Path]:
    """The files of a repository that brings its own `config`, for ``hf-hub:owner/model``."""
    name = "rehearsal"
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "configs" / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "configs")
    (folder / CONFIG).write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return {CONFIG: folder / CONFIG, WEIGHTS[0]: write(name, "", folder)}


def write_tokenizer(folder: Path, size: int = 32_000) -> list[Path]:
    """A tokenizer of `size` pieces in the files that SigLIP's has."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    letters = [f"{start}{chr(c)}" for start in ("", "▁") for c in range(33, 127)]
    pieces = [*special, "▁", *letters]
    pieces += [f"▁piece{number}" for number in range(size - len(pieces))]
    scores = [(piece, 0.0 if piece in special else -5.0) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>"
    )
    return [Path(path) for path in wrapped.save_pretrained(folder) if Path(path).is_file()]
