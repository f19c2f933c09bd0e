"""Queries of one kind and a gallery of several: pairs, triplets, and the emoji always at hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils.datasets import DataUnavailable, load, published
from gaputils.datasets.base import TensorImages
from gaputils.datasets.openmoji import catalogue
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_images
from gaputils.models import Model
from gaputils.tasks import rate_mixed

Scores = dict[str, Tensor]
KINDS = ("image", "text", "audio")


@dataclass(frozen=True)
class Mixture:
    """Queries of one kind and a gallery of several, with the scene that each row shows.

    `queries` (n, d), `scenes` (n,), `galleries` kind to (m_k, d), `labels` kind to (m_k,). `own`
    is the kind whose rows are the queries themselves, so that a query does not find itself.
    """

    title: str
    asked: str
    queries: Tensor
    scenes: Tensor
    galleries: dict[str, Tensor]
    labels: dict[str, Tensor]
    own: str | None = None

    def of(self, scenes: Tensor) -> Mixture:
        """The rows that show one of these scenes."""
        rows = {kind: torch.isin(labels, scenes) for kind, labels in self.labels.items()}
        asked = torch.isin(self.scenes, scenes)
        return Mixture(
            self.title,
            self.asked,
            self.queries[asked],
            self.scenes[asked],
            {kind: values[rows[kind]] for kind, values in self.galleries.items()},
            {kind: values[rows[kind]] for kind, values in self.labels.items()},
            self.own,
        )

    def only(self, kind: str) -> Mixture:
        """The gallery with the items of one kind alone."""
        own = self.own if self.own == kind else None
        galleries, labels = {kind: self.galleries[kind]}, {kind: self.labels[kind]}
        return Mixture(self.title, self.asked, self.queries, self.scenes, galleries, labels, own)

    def rate(self, scores: Scores, k: int) -> pd.DataFrame:
        """`rate_mixed` of `scores`, a row a query, under its scene."""
        own = {} if self.own is None else {self.own: torch.arange(len(self.queries))}
        table = rate_mixed(scores, self.scenes, self.labels, k, own)
        return table.set_index(pd.Index(self.scenes.tolist(), name="scene"))


def paired(e: Embeddings, asked: str) -> Mixture:
    """Pairs of pictures and captions, one side asking: right is the other one of its pair.

    The gallery holds both sides; a query, being stored as well, does not find itself. Rows are
    put at norm one, in double precision.
    """
    sides = {"image": _unit(e.queries), "text": _unit(e.gallery)}
    return tuples(str(e.info.get("title", e.info.get("data", "pairs"))), sides, asked)


def tuples(title: str, kinds: dict[str, Tensor], asked: str, own: bool = True) -> Mixture:
    """Row i of each kind shows scene i; kind `asked` asks, and is searched too with `own`."""
    scenes = torch.arange(len(kinds[asked]))
    searched = {kind: rows for kind, rows in kinds.items() if own or kind != asked}
    return Mixture(
        title,
        asked,
        kinds[asked],
        scenes,
        searched,
        dict.fromkeys(searched, scenes),
        asked if own else None,
    )


def triplets(asked: str, own: bool) -> Mixture:
    """ImageBind's 100 triplets of a picture, a text and a sound, one kind asking the others.

    With `own` the asking kind is in the gallery as well. Raises `DataUnavailable` as `published`.
    """
    name = "amumo-imagebind-triplet-image-{}"
    pairs, sounds = published(name.format("text")), published(name.format("audio"))
    kinds = {"image": pairs.queries, "text": pairs.gallery, "audio": sounds.gallery}
    found = tuples("", {kind: _unit(rows) for kind, rows in kinds.items()}, asked, own)
    return replace(found, title=f"{asked} → {', '.join(found.galleries)}")


def triplets_where_available() -> dict[str, Mixture]:
    """All six of `triplets` by their titles, first those without the asking kind, or none.

    Says on standard output what is missing and why.
    """
    try:
        found = [triplets(asked, own) for own in (False, True) for asked in KINDS]
    except DataUnavailable as error:
        print(f"Left out here: {error}")
        return {}
    return {mixture.title: mixture for mixture in found}


def emoji(
    model: Model,
    asked: str = "a photo of a {}.",
    stored: str = "an icon of a {}.",
    items: int | None = None,
) -> Mixture:
    """Names of emoji ask for their drawing, and for name and aliases in another template.

    The first `items` of the catalogue, or all; a scene is an emoji's row there.
    """
    chosen = catalogue()[:items]
    names = [(row, name) for row, one in enumerate(chosen) for name in one.names]
    drawn = TensorImages(load("openmoji").images.pixels[: len(chosen)])
    scenes = torch.arange(len(chosen))
    return Mixture(
        "emoji",
        "text",
        _unit(model.encode_texts([asked.format(one.names[0]) for one in chosen])),
        scenes,
        {
            "image": _unit(embed_images(model, drawn)),
            "text": _unit(model.encode_texts([stored.format(name) for _, name in names])),
        },
        {"image": scenes, "text": torch.tensor([row for row, _ in names])},
    )


def held_out() -> Tensor:
    """The scenes of `emoji` that the shipped model never saw in training."""
    return torch.tensor([row for row, one in enumerate(catalogue()) if one.held_out])


def _unit(rows: Tensor) -> Tensor:
    return normalize(rows.cpu().double(), dim=1)
