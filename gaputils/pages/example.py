"""Embeddings to try things on: a real model's if they are at hand, else the shipped model's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import Seed, as_generator, integer
from gaputils.datasets import DataUnavailable, load, published
from gaputils.embeddings import Embeddings, unit_rows
from gaputils.encoding.embed import embed
from gaputils.models.loading import load_model


def example_embeddings(
    name: str = "liang2022-clip-coco", model: str = "tiny-openmoji", queries: int = 500
) -> Embeddings:
    """The published embeddings `name`, or those of `model` on OpenMoji where they are missing.

    Rows are of norm 1 in double precision, row i of the gallery answers query i, and there are at
    most `queries` of either. `info["title"]` says in words what they are. Raises `ValueError` for
    an unknown name.
    """
    integer("queries", queries, low=2)
    try:
        found = published(name)
        title = f"{found.info['model']} on {found.info['data']}"
    except DataUnavailable:
        found = embed(load_model(model), load("openmoji"), templates="an emoji of a {}.")
        title = f"{model} on OpenMoji (the published embeddings could not be fetched)"
    chosen = slice(None, queries)
    pairs = Embeddings(
        found.queries[chosen],
        found.gallery[chosen],
        torch.arange(min(queries, len(found.gallery))),
        {**found.info, "title": title},
    )
    return unit_rows(pairs)


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
