"""A pair of embedded modalities, and how it is kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import as_pair, as_targets
from gaputils._checks import unit_rows as at_norm_one
from gaputils._files import read_safetensors, write_safetensors

_FORMAT = "gaputils-embeddings/1"


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
        tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
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
        try:
            info = json.loads(metadata.get("info", "{}"))
        except json.JSONDecodeError as error:
            raise ValueError(f"path: the info of {path} is not JSON: {error}") from error
        return cls(tensors["queries"], tensors["gallery"], tensors.get("targets"), info)

    def __repr__(self) -> str:
        n, m = len(self.queries), len(self.gallery)
        return f"Embeddings(queries={n}, gallery={m}, dim={self.dim}, info={self.info})"


def require_embeddings(value: Any) -> None:
    """Raise `TypeError` unless `value`, a function's `embeddings`, is `Embeddings`."""
    if not isinstance(value, Embeddings):
        raise TypeError(f"embeddings: expected Embeddings, got {type(value).__name__}")


def known_targets(embeddings: Embeddings) -> Tensor:
    """The targets (n,); a `ValueError` if there are none."""
    if embeddings.targets is None:
        raise ValueError("embeddings: expected targets, there are none")
    return embeddings.targets


def choose_items(embeddings: Embeddings, items: Sequence[int] | Tensor) -> Embeddings:
    """The task with these rows of the gallery alone, in this order, and the queries they answer.

    Raises `ValueError` if there are no targets, an item is listed twice or is not one of the
    gallery's, or none has a query.
    """
    targets = known_targets(embeddings)
    gallery = embeddings.gallery
    chosen = as_targets("items", items, len(items), len(gallery), gallery.device)
    if len(torch.unique(chosen)) != len(chosen):
        raise ValueError("items: expected each item once")
    place = torch.full((len(embeddings.gallery),), -1, device=chosen.device)
    place[chosen] = torch.arange(len(chosen), device=chosen.device)
    targets = place[targets]
    kept = targets >= 0
    if not bool(kept.any()):
        raise ValueError("items: none of them answers a query")
    info = dict(embeddings.info)
    if "class_names" in info:
        info["class_names"] = [info["class_names"][i] for i in chosen.tolist()]
    return Embeddings(embeddings.queries[kept], embeddings.gallery[chosen], targets[kept], info)


def unit_rows(embeddings: Embeddings) -> Embeddings:
    """The same embeddings in double precision with rows of norm 1 to its rounding.

    Published arrays often keep half precision's norms, and methods that scale about the
    circumcentre need equal ones. Raises `ValueError` if a row is zero.
    """
    return Embeddings(
        at_norm_one("queries", embeddings.queries.double()),
        at_norm_one("gallery", embeddings.gallery.double()),
        embeddings.targets,
        dict(embeddings.info),
    )
