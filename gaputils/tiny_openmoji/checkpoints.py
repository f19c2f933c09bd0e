"""Checkpoints of `tiny-openmoji` in small: half precision, only the token rows in use.

A folder holds `open_clip_config.json`, one `step-NNNNN.safetensors` a kept step and the recorded
trajectory. A checkpoint's token table has only the rows of words that some caption of the data
set uses; `expand` puts them in the full table, the other rows being zero.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gaputils._files import read_safetensors, write_safetensors, write_text

CONFIG_FILE = "open_clip_config.json"
TOKEN_TABLE = "token_embedding.weight"
TOKEN_ROWS = "token_rows"

DATA = Path(str(files("gaputils"))) / "data"
SHIPPED = DATA / "tiny-openmoji"
MODEL_FILE = DATA / "open_clip" / "tiny-openmoji.json"
MODEL_CONFIG: dict[str, Any] = json.loads(MODEL_FILE.read_text())
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def write_config(folder: Path) -> None:
    """Write the architecture and the preprocessing in open_clip's own format."""
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    write_text(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:05d}.safetensors"


def kept_steps(folder: Path) -> list[int]:
    """The steps whose checkpoints lie in `folder`, in order."""
    return sorted(int(path.stem.split("-")[1]) for path in folder.glob("step-*.safetensors"))


def write_checkpoint(
    path: Path, state: dict[str, Tensor], rows: Tensor, training: dict[str, Any]
) -> None:
    """Write `state`, whose token table has just the vocabulary's `rows`, in half precision.

    Single numbers, such as the logit scale, stay as they are. `training` says where they are
    from; it is one entry of the file's metadata, since safetensors writes several in any order
    and the same training must give the same bytes.
    """
    tensors = {name: value.half() if value.ndim else value for name, value in state.items()}
    tensors[TOKEN_ROWS] = rows.to(torch.int32)
    write_safetensors(path, tensors, {"training": json.dumps(training)})


def expand(tensors: dict[str, Tensor], vocabulary: int) -> dict[str, Tensor]:
    """A state dict in float32 with the full token table of `vocabulary` rows."""
    state = {name: value.float() for name, value in tensors.items() if name != TOKEN_ROWS}
    table = torch.zeros(vocabulary, state[TOKEN_TABLE].shape[1])
    table[tensors[TOKEN_ROWS].long()] = state[TOKEN_TABLE]
    state[TOKEN_TABLE] = table
    return state


def read_checkpoint(folder: Path, step: int) -> dict[str, Tensor]:
    """The full state dict of one kept step."""
    tensors, _ = read_safetensors(checkpoint_path(folder, step))
    return expand(tensors, MODEL_CONFIG["text_cfg"]["vocab_size"])
