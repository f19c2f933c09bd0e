"""Weights as people keep them: nested, with the prefixes of wrappers, with numbers beside them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from gaputils._files import load_pickled, write_safetensors
from gaputils._reading import reading

PREFIXES = ("module.", "_orig_mod.", "model.", "_forward_module.", "clip.", "net.")
"""What data-parallel training, `torch.compile`, Lightning and others put before every name."""

WHOLE = "a whole file of weights"
REMEDY = (
    "Nothing but tensors and numbers is ever read from one; where the file was made, save the "
    "weights alone: torch.save(model.state_dict(), file)"
)
_NESTS = ("state_dict", "model_state_dict", "model", "module", "ema_state_dict")
_OWN = {"logit_scale", "positional_embedding", "text_projection"}
_QUOTED = re.compile(r'"([^"]+)"')


@contextmanager
def plain_weights(path: Path) -> Iterator[Path]:
    """`path`, or for as long as the block lasts a file with its tensors under CLIP's own names.

    A nested state dict is taken out, prefixes of wrappers are taken off where that gives names that
    every CLIP has, and what is no tensor is left out. Files that are read otherwise (TorchScript,
    NumPy) stay as they are. Raises `UnreadableFile`.
    """
    with reading(path, WHOLE, argument="pretrained", remedy=REMEDY):
        tensors = _changed(path)
    if tensors is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "weights.safetensors"
        write_safetensors(plain, tensors, {})
        yield plain


def without_prefixes(names: list[str]) -> dict[str, str]:
    """The `names` without the wrappers' prefixes, to the names as they are.

    Prefixes that most names bear are taken off, one after the other, until there are names that
    every CLIP has; without such names all stay.
    """
    current = {name: name for name in names}
    while not _OWN & current.keys():
        prefix = next((one for one in PREFIXES if _share(current, one) > 0.5), None)
        if prefix is None:
            return {name: name for name in names}
        current = {
            name.removeprefix(prefix): whole
            for name, whole in current.items()
            if name.startswith(prefix)
        }
    return current


def misfit(text: str) -> str:
    """What `load_state_dict` says in `text`, with three names of each kind."""
    parts = []
    for line in text.splitlines()[1:]:
        head, names = line.strip().partition(": ")[0], _QUOTED.findall(line)
        if line.strip().startswith(("Missing", "Unexpected")):
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{head.split(' key')[0].lower()} {', '.join(names[:3])}{more}")
        else:
            parts.append(line.strip())
    others = f"; and {len(parts) - 4} more" if len(parts) > 4 else ""
    return ("; ".join(parts[:4]) or text) + others


def _share(names: Mapping[str, str], prefix: str) -> float:
    return sum(name.startswith(prefix) for name in names) / max(len(names), 1)


def _changed(path: Path) -> dict[str, Tensor] | None:
    """The tensors of `path` by CLIP's own names; nothing if it has them or is read otherwise."""
    if path.suffix in (".npz", ".npy"):
        return None
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
        plain = without_prefixes(names)
        if plain.keys() == set(names):
            return None
        found = load_file(path)
        return {name: found[whole] for name, whole in plain.items()}
    content = _unpickled(path)
    if content is None:
        return None
    tensors = _innermost(content)
    if not tensors:
        raise ValueError(f"it holds no tensors but {', '.join(map(str, list(content)[:5]))}")
    plain = without_prefixes(list(tensors))
    if plain.keys() == content.keys():
        return None
    return {name: tensors[whole] for name, whole in plain.items()}


def _unpickled(path: Path) -> Mapping[Any, Any] | None:
    safe_globals = getattr(torch.serialization, "safe_globals", None)
    with nullcontext() if safe_globals is None else safe_globals(_numbers()):
        try:
            content = load_pickled(path)
        except Exception as error:
            if "TorchScript" in str(error):
                return None
            raise
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, no weights by their names")
    return content


def _innermost(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors of `content`, or of the state dict within it."""
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not any(value.ndim for value in tensors.values()):
        for nest in _NESTS:
            inner = content.get(nest)
            if isinstance(inner, Mapping):
                return _innermost(inner)
    return tensors


def _numbers() -> list[Any]:
    """What a pickled NumPy number is made of: types and bytes, nothing that runs."""
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = ("Float64", "Float32", "Float16", "Int64", "Int32", "Bool", "UInt8")
    dtypes = [getattr(np.dtypes, f"{kind}DType") for kind in kinds]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes]
