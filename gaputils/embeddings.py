"""A pair of embedded modalities, and how it is kept on disk."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaputils._checks import _typed, as_pair, as_targets, device_here, flag, listed
from gaputils._checks import unit_rows as at_norm_one
from gaputils._files import read_safetensors, write_safetensors
from gaputils._reading import reading

Rows = Tensor | NDArray[Any]

_FORMAT = "gaputils-embeddings/1"
OWNERS = "caption_image"

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist = 3, 20, 4
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass
class Embeddings:
    """Embeddings of the two modalities of one data set.

    `queries` (n, d) search (usually images) and `gallery` (m, d) is searched (usually texts).
    `targets` (n,) holds the gallery row that answers each query; left out, row i answers query i
    if there are as many of one as of the other, and nothing is known otherwise. `info` is any
    JSON-serialisable description (model, data set, templates, …); ``info["paired"] = False`` says
    that rows do not belong together although there are as many, and its ``caption_image`` lists
    the query that each gallery row belongs to, where a query may have several; targets that are
    left out are then the first of each. With `normalize` every row is scaled to norm 1.

    Raises `TypeError` or `ValueError` that names the argument if a side is not a finite matrix,
    the dimensions differ, a target is no row of the gallery, an owner no query, a row to be
    normalised is zero, or JSON has no form for what `info` says.

    >>> import numpy as np
    >>> e = Embeddings(np.eye(2), np.diag([2.0, 3.0]), [1, 0], normalize=True)
    >>> e.gallery.norm(dim=1), e.right(torch.tensor([0, 0]))
    (tensor([1., 1.], dtype=torch.float64), tensor([False,  True]))
    """

    queries: Tensor
    gallery: Tensor
    targets: Tensor | None = None
    info: dict[str, Any] = field(default_factory=dict)
    normalize: InitVar[bool] = False

    if TYPE_CHECKING:  # the fields are tensors, and arrays are taken too

        def __init__(
            self,
            queries: Rows,
            gallery: Rows,
            targets: Rows | Sequence[int] | None = None,
            info: dict[str, Any] = ...,
            normalize: bool = False,
        ) -> None: ...

    def __post_init__(self, normalize: bool) -> None:
        normalize = flag("normalize", normalize)
        self.queries, self.gallery = as_pair(self.queries, self.gallery, any_norm=normalize)
        if normalize:
            self.queries = at_norm_one("queries", self.queries)
            self.gallery = at_norm_one("gallery", self.gallery)
        n, m = len(self.queries), len(self.gallery)
        if not isinstance(self.info, dict):
            raise TypeError(f"info: expected a dict, got {type(self.info).__name__}")
        arrays = (np.ndarray, np.generic, Tensor)
        said = self.info.items()
        self.info = {key: v.tolist() if isinstance(v, arrays) else v for key, v in said}
        _as_json(self.info)
        paired = flag("info['paired']", self.info.get("paired", True))
        owners = self.owners
        if self.targets is not None:
            self.targets = as_targets("targets", self.targets, n, m, self.queries.device)
        elif owners is not None:
            first = items_of(owners, n)[:, 0]
            self.targets = first if bool((first >= 0).all()) else None
        elif n == m and paired:
            self.targets = torch.arange(n, device=self.queries.device)

    @property
    def dim(self) -> int:
        return self.queries.shape[1]

    @property
    def owners(self) -> Tensor | None:
        """(m,) the query that each gallery row belongs to, where ``info["caption_image"]`` says it.

        Raises `ValueError` if that does not fit the sides.
        """
        listed = self.info.get(OWNERS)
        if listed is None:
            return None
        n, m = len(self.queries), len(self.gallery)
        return as_targets(f"info[{OWNERS!r}]", listed, m, n, self.queries.device)

    @property
    def answers(self) -> Tensor | None:
        """(n, k) the gallery rows that answer each query, filled up with -1; None if unknown.

        Those of its own where the owners of the gallery's rows are known, else its target alone.
        """
        owners = self.owners
        if owners is not None:
            return items_of(owners, len(self.queries))
        return None if self.targets is None else self.targets[:, None]

    def right(self, items: Tensor) -> Tensor:
        """Whether gallery rows `items` (n,) or (n, k) are among the `answers` of their row's query.

        Raises `ValueError` if nothing says what answers a query.
        """
        owners = self.owners
        if owners is None:
            wanted, found = known_targets(self), items
        else:
            wanted, found = torch.arange(len(self.queries), device=items.device), owners[items]
        return found == (wanted if items.ndim == 1 else wanted[:, None])

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

    @property
    def metadata(self) -> dict[str, str]:
        """What `save` writes beside the tensors."""
        return {"format": _FORMAT, "info": _as_json(self.info)}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file; the old file stays whole until the new one is."""
        tensors = {"queries": self.queries, "gallery": self.gallery}
        if self.targets is not None:
            tensors["targets"] = self.targets
        return write_safetensors(path, tensors, self.metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Embeddings:
        """Read what `save` wrote.

        Raises `FileNotFoundError` if there is no such file and `ValueError` if it is truncated,
        of another kind or format, or lacks a side.
        """
        tensors, metadata = read_safetensors(path, device)
        missing = {"queries", "gallery"} - set(tensors)
        if missing:
            raise ValueError(
                f"path: expected tensors 'queries' and 'gallery' in {path}, got {sorted(tensors)}"
            )
        if (stored := metadata.get("format", _FORMAT)) != _FORMAT:
            raise ValueError(f"path: expected embeddings ({_FORMAT}) in {path}, got {stored!r}")
        with reading(path, "a whole file of embeddings", argument="path") as at:
            at.place = "info"
            info = json.loads(metadata.get("info", "{}"))
            if not isinstance(info, dict):
                raise at.fault(f"expected a mapping, got {info!r}")
            at.place = ""
            return cls(tensors["queries"], tensors["gallery"], tensors.get("targets"), info)

    def __repr__(self) -> str:
        n, m, info = len(self.queries), len(self.gallery), _SHORT.repr(self.info)
        return f"Embeddings(queries={n}, gallery={m}, dim={self.dim}, info={info})"


def _require_names(where: str, value: Any) -> None:
    """Raise `TypeError` for a mapping in `value` with other keys than strings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: expected names as keys, got {key!r}")
            _require_names(f"{where}[{key!r}]", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _require_names(where, inner)


def _as_json(info: dict[str, Any]) -> str:
    _require_names("info", info)
    for key, value in info.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"info[{key!r}]: expected what JSON can hold, got {_typed(value)}: {error}"
            ) from error
    return json.dumps(info)


def items_of(owners: Tensor, queries: int) -> Tensor:
    """(queries, k) the gallery rows of each query in order, filled up with -1; k is at least 1.

    >>> items_of(torch.tensor([1, 0, 1]), 2)
    tensor([[ 1, -1],
            [ 0,  2]])
    """
    order = owners.argsort(stable=True)
    counts = torch.bincount(owners, minlength=queries)
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(owners), device=owners.device) - starts[owners[order]]
    items = torch.full((queries, max(1, int(counts.max()))), -1, device=owners.device)
    items[owners[order], place] = order
    return items


def require_embeddings(value: Any) -> None:
    """Raise `TypeError` unless `value`, a function's `embeddings`, is `Embeddings`."""
    if not isinstance(value, Embeddings):
        raise TypeError(
            f"embeddings: expected Embeddings(queries, gallery), got {type(value).__name__}"
        )


def known_targets(embeddings: Embeddings) -> Tensor:
    """The targets (n,); a `ValueError` if there are none."""
    if embeddings.targets is None:
        raise ValueError("embeddings: expected targets, there are none")
    return embeddings.targets


def choose_items(embeddings: Embeddings, items: Sequence[int] | Tensor) -> Embeddings:
    """The task with these rows of the gallery alone, in this order, and the queries they answer.

    Where owners are known, those are the queries with a row of their own among them. Raises
    `ValueError` if there are no targets, an item is listed twice or is not one of the gallery's, or
    none has a query.
    """
    targets = known_targets(embeddings)
    gallery = embeddings.gallery
    if not isinstance(items, (Tensor, np.ndarray)):
        items = listed("items", items, "row of the gallery")
    chosen = as_targets("items", items, len(items), len(gallery), gallery.device)
    if len(torch.unique(chosen)) != len(chosen):
        raise ValueError("items: expected each item once")
    info, owners = dict(embeddings.info), embeddings.owners
    if owners is None:
        place = torch.full((len(embeddings.gallery),), -1, device=chosen.device)
        place[chosen] = torch.arange(len(chosen), device=chosen.device)
        targets = place[targets]
    else:
        targets = items_of(owners[chosen], len(embeddings.queries))[:, 0]
    kept = targets >= 0
    if not bool(kept.any()):
        raise ValueError("items: none of them answers a query")
    if owners is not None:
        info[OWNERS] = (kept.cumsum(0) - 1)[owners[chosen]].tolist()
    if "class_names" in info:
        info["class_names"] = [info["class_names"][i] for i in chosen.tolist()]
    return Embeddings(embeddings.queries[kept], embeddings.gallery[chosen], targets[kept], info)


def without_owners(info: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an `info` without the captions' owners: kept elsewhere, or of rows now gone."""
    return {key: value for key, value in info.items() if key != OWNERS}


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


def draw(count: int, limit: int, generator: torch.Generator) -> Tensor:
    """At most `limit` of `count` places, in their order."""
    if count <= limit:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[:limit].sort().values


def draw_beside(wanted: Tensor, count: int, limit: int, generator: torch.Generator) -> Tensor:
    """The places `wanted` of `count` and others, `limit` in all if so many are not wanted."""
    rest = torch.ones(count, dtype=torch.bool)
    rest[wanted] = False
    others = rest.nonzero()[:, 0]
    spare = others[draw(len(others), max(0, limit - len(wanted)), generator)]
    return torch.cat([wanted, spare]).sort().values
