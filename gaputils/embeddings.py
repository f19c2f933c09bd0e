"""A pair of embedded modalities, and how it is kept on disk."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gaputils._atomic import replacing
from gaputils._checks import as_pair, as_targets, device_here
from gaputils._reading import reading

_FORMAT = "gaputils-embeddings/1"
_KEY = "gaputils"


@dataclass
class Embeddings:
    """Embeddings of the two modalities of one data set.

    `queries` (n, d) search (usually images) and `gallery` (m, d) is searched (usually texts).
    `targets` (n,) holds the gallery row that answers each query; left out, row i answers query i
    if there are as many of one as of the other, and nothing is known otherwise. `info` is any
    JSON-serialisable description (model, data set, templates, …).

    Raises `TypeError` or `ValueError` that names the argument if a side is not a finite matrix,
    the dimensions differ, or a target is no row of the gallery.
    """

    queries: Tensor
    gallery: Tensor
    targets: Tensor | None = None
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queries, self.gallery = as_pair(self.queries, self.gallery)
        n, m = len(self.queries), len(self.gallery)
        if self.targets is None and n == m:
            self.targets = torch.arange(n, device=self.queries.device)
        elif self.targets is not None:
            self.targets = as_targets("targets", self.targets, n, m, self.queries.device)
        if not isinstance(self.info, dict):
            raise TypeError(f"info: expected a dict, got {type(self.info).__name__}")

    @property
    def dim(self) -> int:
        return self.queries.shape[1]

    @property
    def paired(self) -> bool:
        """True if row i of the gallery answers query i."""
        return (
            self.targets is not None
            and len(self.queries) == len(self.gallery)
            and bool((self.targets == torch.arange(len(self.targets)).to(self.targets)).all())
        )

    def to(self, device: torch.device | str) -> Embeddings:
        """The same embeddings on `device`."""
        device = device_here("device", device)
        targets = None if self.targets is None else self.targets.to(device)
        return Embeddings(
            self.queries.to(device), self.gallery.to(device), targets, dict(self.info)
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file; the old file stays whole until the new one is."""
        path = Path(path)
        tensors = {"queries": self.queries, "gallery": self.gallery}
        if self.targets is not None:
            tensors["targets"] = self.targets
        write_safetensors(path, tensors, {"format": _FORMAT, "info": json.dumps(self.info)})
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Embeddings:
        """Read what `save` wrote.

        Raises `FileNotFoundError` if there is no such file and `ValueError` if it is truncated,
        of another kind or lacks a side.
        """
        tensors, metadata = read_safetensors(path, device)
        missing = {"queries", "gallery"} - set(tensors)
        if missing:
            raise ValueError(
                f"path: expected tensors 'queries' and 'gallery' in {path}, got {sorted(tensors)}"
            )
        with reading(f"the info of {path}", "JSON", argument="path") as at:
            info = json.loads(metadata.get("info", "{}"))
            if not isinstance(info, dict):
                raise at.fault(f"expected a mapping, got {info!r}")
        return cls(tensors["queries"], tensors["gallery"], tensors.get("targets"), info)

    def __repr__(self) -> str:
        n, m = len(self.queries), len(self.gallery)
        return f"Embeddings(queries={n}, gallery={m}, dim={self.dim}, info={self.info})"


def require_embeddings(value: Any) -> None:
    """Raise `TypeError` unless `value`, a function's `embeddings`, is `Embeddings`."""
    if not isinstance(value, Embeddings):
        raise TypeError(f"embeddings: expected Embeddings, got {type(value).__name__}")


def write_safetensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write `tensors` to `path` in one step: a reader sees the old file or the new one.

    Tensors may lie on any device, in any order in memory, and share it.
    The metadata go under one key, since the format's own order of keys is random and the same
    content shall give the same bytes.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: the folder {path.parent} does not exist")
    with replacing(path) as part:
        save_file(_apart(tensors), part, {_KEY: json.dumps(metadata, sort_keys=True)})


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same on the CPU, dense, each with memory of its own: the format knows no sharing."""
    result, taken = {}, list[tuple[int, int]]()
    for name, value in tensors.items():
        dense = value.detach().cpu().contiguous()
        start = dense.data_ptr()
        end = start + dense.numel() * dense.element_size()
        if any(start < other_end and other < end for other, other_end in taken):
            dense = dense.clone()
        else:
            taken.append((start, end))
        result[name] = dense
    return result


def read_safetensors(
    path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every tensor of the file and its metadata; a clear error if it is no safetensors file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    place = str(device_here("device", device))
    with reading(path, "a whole safetensors file", argument="path") as at:
        with safe_open(path, framework="pt", device=place) as file:
            tensors = {}
            for name in file.keys():  # noqa: SIM118
                at.place = f"tensor {name!r}"
                tensors[name] = file.get_tensor(name)
            at.place = "metadata"
            metadata = dict(file.metadata() or {})
        if _KEY in metadata:
            own = json.loads(metadata.pop(_KEY))
            if not all(isinstance(value, str) for value in own.values()):
                raise at.fault("expected texts")
            metadata |= own
    return tensors, metadata
