"""Embeddings to try things on: a real model's if they are at hand, else the shipped model's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import Seed, as_generator, integer
from gaputils.datasets import load
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed
from gaputils.models.loading import load_model
from gaputils.pages.gains import load_sets


def shipped(model: str = "tiny-openmoji") -> Callable[[], Embeddings]:
    """What stands in for published embeddings on a page: `model` on OpenMoji, when it is called.

    `gu.datasets.published(name, otherwise=shipped(model))` asks for it only if it must.
    """

    def on_openmoji() -> Embeddings:
        e = embed(load_model(model), load("openmoji"), templates="an emoji of a {}.")
        info = {**e.info, "title": f"{model} on OpenMoji"}
        return Embeddings(e.queries, e.gallery, e.targets, info)

    return on_openmoji


def at_hand(names: Iterable[str]) -> dict[str, Embeddings]:
    """Those of the published sets `names` that can be had, with rows of norm 1; each other is told
    on the page, with the reason.
    """
    found, missing = load_sets(names)
    for reason in missing.values():
        print(f"Left out here: {reason}")
    return found


def clusters(queries: int, items: int, dim: int, seed: Seed = 1) -> tuple[Tensor, Tensor]:
    """Random unit vectors as near to each other as real CLIP's: `queries` (n, d), `items` (m, d).

    Each modality has a common direction, hence the gap, and query i leans towards item i mod m: in
    512 dimensions gap and robustness are about those of ViT-B/16 on COCO. For noise take another
    seed than `seed`, or the same numbers are drawn again.
    """
    n, m = integer("queries", queries, low=1), integer("items", items, low=1)
    dim = integer("dim", dim, low=2)
    generator = as_generator(seed)

    base, common, own = (
        normalize(torch.randn(rows, dim, generator=generator), dim=1) for rows in (m, 2, n)
    )
    gallery = 0.55 * base + 0.8 * common[0]
    shared = normalize(common[1] + 0.5 * common[0], dim=0)
    leaning = 0.1 * base[torch.arange(n) % m] + 0.5 * own + 0.8 * shared
    return normalize(leaning, dim=1), normalize(gallery, dim=1)
