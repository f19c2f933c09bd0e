"""Embeddings that others computed with real models and published, fetched with a checksum."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from gaputils import _checks
from gaputils.datasets import _published_files as _files
from gaputils.datasets._published_sources import Source, sources
from gaputils.datasets.base import DataUnavailable
from gaputils.embeddings import Embeddings, unit_rows

_SHIPPED = ("gaputils.datasets", "gaputils.models", "gaputils.encoding.embed")
Otherwise = str | Callable[[], Embeddings] | None
"""What stands in for published embeddings that cannot be had; see `published`."""


def published_names() -> tuple[str, ...]:
    """The names that `published` knows: the sets with two sides.

    >>> "liang2022-clip-coco" in published_names()
    True
    """
    return tuple(name for name, source in sources().items() if not source.one_sided)


def published_rows_names() -> tuple[str, ...]:
    """The names that `published_rows` knows: the sets with one side.

    >>> "clip-lt-imagenet" in published_rows_names()
    True
    """
    return tuple(name for name, source in sources().items() if source.one_sided)


def published_sources() -> pd.DataFrame:
    """What is published, one row a name: model, dimension, data, modalities, licence, origin.

    `sides` is 2 for a name of `published` and 1 for one of `published_rows`; `paired` is true if
    row i of one belongs to row i of the other; `closed_from` is the set that the authors closed the
    gap of; `stored` is true if the cache has its files, so that no network is needed. `doubts` says
    what is unclear about its licence or its content.

    >>> published_sources().loc["amumo-clip-coco", "model"]
    'OpenAI CLIP RN50'
    """
    columns = ("model", "data", "modalities", "trained", "loss", "hopfield", "trained_on")
    origin = ("closed_from", "repository", "commit", "licence", "doubts", "citation")
    rows: dict[str, dict[str, Any]] = {}
    for name, source in sources().items():
        facts = source.facts
        rows[name] = {key: facts.get(key) for key in columns}
        rows[name]["modalities"] = " – ".join(source.modalities)
        rows[name] |= {"dim": source.dim, "sides": 1 if source.one_sided else 2}
        rows[name]["paired"] = not source.one_sided and facts.get("paired", True)
        rows[name] |= {key: facts.get(key) for key in origin}
        rows[name]["stored"] = all(path.is_file() for path in stored_files(name))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def stored_files(name: str) -> tuple[Path, ...]:
    """Where the cache keeps the files of the set `name`, whether they are there or not."""
    return tuple(_files.place(file) for file in sources()[_known(name, tuple(sources()))].files)


def published(
    name: str,
    otherwise: Otherwise = None,
    *,
    rows: int | None = None,
    normalize: bool = False,
) -> Embeddings:
    """Embeddings of a real model that others published: its name in, both sides out.

    `published_sources` lists the names. Row i of one side belongs to row i of the other, but for
    "siglip2-naflex", which is unpaired and says so by `info["paired"] = False`. `rows`: the first
    rows alone. `normalize`: rows of norm 1 in double precision (what was rounded to
    half precision is off by up to 1e-3).

    Each file is fetched once, at one commit, checked against its SHA-256 and kept in the cache
    folder (``$GAPUTILS_CACHE``, or the system's). Sets that were published as a matrix of cosines
    come back as unit rows in the model's own dimension, by eigendecomposition:
    ``info["exact_up_to"]`` is then "rotation", and whatever depends on products alone is the
    model's own, single coordinates are not. The matrix does not tell the dimension, on which the
    robustness to noise of a given total variance depends: it is that of the architecture.

    `info` has `model`, `data`, `modalities`, `dim_from` (where the dimension is from), `source`,
    `commit`, `licence`, `citation` and `doubts`: the sets "amumo-…" lie on a branch that has no
    licence file of its own, beside a branch under MIT.

    `otherwise` says what to do where a file is neither stored nor to be had: None raises; the name
    of a data set gives those of the shipped model on it ("openmoji"); a function without arguments
    is called. `info["title"]` says in words what came back, and `info["missing"]` is then the
    reason.

    Raises `ValueError` for an unknown name or one of `published_rows`, and `DataUnavailable`,
    naming file and source.

    >>> published("liang2022-clip-coco", otherwise="openmoji", rows=100).info["title"]
    ... # doctest: +SKIP
    'OpenAI CLIP ViT-B/16 on COCO val2017'
    """
    source = sources()[_known(name, published_names())]
    if rows is not None:
        _checks.integer("rows", rows, low=1)
    try:
        found = _pair(source)
    except DataUnavailable as error:
        if otherwise is None:
            raise
        found = _instead(otherwise, str(error))
    queries, gallery, targets = found.queries[:rows], found.gallery, found.targets
    if found.paired or targets is None:
        gallery = gallery[:rows]
    e = Embeddings(queries, gallery, None if targets is None else targets[:rows], found.info)
    return unit_rows(e) if normalize else e


def published_rows(name: str, *, normalize: bool = False) -> tuple[Tensor, dict[str, Any]]:
    """Published embeddings of one side: rows (n, d), and the `info` that `published` describes.

    Texts of classes, images, or one mean: a row of its own with ``info["mean"]``. They are in the
    model's own coordinates, in the precision and with the norms that they were published with;
    `normalize` gives rows of norm 1 in double precision. Half precision becomes single.

    Raises `ValueError` for an unknown name or one of `published`, and `DataUnavailable`, naming
    file and source.
    """
    source = sources()[_known(name, published_rows_names())]
    value = _checks.as_matrix("rows", _stack(source, "rows"))
    return (_checks.unit_rows("rows", value.double()) if normalize else value), dict(source.facts)


def _known(name: Any, names: tuple[str, ...]) -> str:
    if isinstance(name, str) and name in sources() and name not in names:
        other = "published_rows" if sources()[name].one_sided else "published"
        raise ValueError(f"name: {name!r} is a set for {other}")
    return _checks.choice("name", name, names)


def _pair(source: Source) -> Embeddings:
    if "pair" in source.sides:
        pair = np.load(_fetched(source, "pair")[0], allow_pickle=False)
        queries, gallery = pair[0], pair[1]
    elif "gram" in source.sides:
        stacked = _files.read_gram(_fetched(source, "gram")[0], source.dim)
        blocks = np.split(stacked, len(source.blocks))
        queries, gallery = (blocks[source.blocks.index(kind)] for kind in source.modalities)
    else:
        queries, gallery = _stack(source, "queries"), _stack(source, "gallery")
    _require_dim(source, queries.shape[-1])
    return Embeddings(queries, gallery, None, dict(source.facts))


def _stack(source: Source, side: str) -> np.ndarray[Any, Any]:
    value = np.concatenate([_files.read_rows(path) for path in _fetched(source, side)])
    _require_dim(source, value.shape[-1])
    return value


def _fetched(source: Source, side: str) -> list[Path]:
    return [_files.fetch(file, source.name) for file in source.sides[side]]


def _require_dim(source: Source, found: int) -> None:
    if found != source.dim:
        raise ValueError(f"{source.name}: expected dimension {source.dim}, got {found}")


def _instead(otherwise: str | Callable[[], Embeddings], reason: str) -> Embeddings:
    found = _shipped(otherwise) if isinstance(otherwise, str) else otherwise()
    other = found.info.get("title", found.info.get("model", "other embeddings"))
    title = f"{other} (the published embeddings could not be fetched)"
    info = {**found.info, "title": title, "missing": reason}
    return Embeddings(found.queries, found.gallery, found.targets, info)


def _shipped(dataset: str) -> Embeddings:
    """The model that ships with the package on `dataset`, both asked for when they are needed."""
    datasets, models, encoding = map(import_module, _SHIPPED)
    model = models.load_model("tiny-openmoji")
    pairs = encoding.embed(model, datasets.load(dataset), templates="an emoji of a {}.")
    title = {"title": f"tiny-openmoji on {dataset}"}
    return Embeddings(pairs.queries, pairs.gallery, pairs.targets, {**pairs.info, **title})
