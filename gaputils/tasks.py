"""What embeddings are for: zero-shot classification, retrieval, multiple choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils import _checks
from gaputils.embeddings import Embeddings, require_embeddings
from gaputils.scoring import check_scoring, cost, top_k


def zero_shot(embeddings: Embeddings, scoring: str = "cosine") -> pd.Series[float]:
    """Zero-shot classification: `top1`, `top5` and `mean_per_class` accuracy, in [0, 1].

    Queries are images, the gallery holds one text embedding a class, targets are the classes.
    `mean_per_class` is top-1 accuracy averaged over the classes that occur; `top5` is NaN with
    fewer than 5 classes. Radford et al. (2021), section 3.1. Raises `ValueError` without targets.
    """
    targets = _targets(embeddings)
    best = top_k(embeddings.queries, embeddings.gallery, min(5, len(embeddings.gallery)), scoring)
    right = best == targets[:, None]
    first = right[:, 0].double()
    hits = torch.zeros(len(embeddings.gallery), dtype=torch.float64, device=first.device)
    hits.index_add_(0, targets, first)
    count = torch.bincount(targets, minlength=len(hits))
    return pd.Series(
        {
            "top1": float(first.mean()),
            "top5": float(right.any(1).double().mean()) if best.shape[1] == 5 else math.nan,
            "mean_per_class": float((hits[count > 0] / count[count > 0]).mean()),
        },
        name="zero_shot",
    )


def retrieval(
    embeddings: Embeddings,
    ks: Sequence[int] = (1, 5, 10),
    scoring: str = "cosine",
    owners: Any = None,
) -> pd.Series[float]:
    """Recall@k both ways: rows `queries_recall@k` (searching the gallery) and `gallery_recall@k`.

    Recall@k is the share of searches with at least one right item among the k best. `owners` (m,)
    is the query that each gallery item belongs to, so that an image may have several captions;
    left out it is `info["caption_image"]`, else `targets` say which item belongs to each query, so
    that a caption may have several images (items without any are not searched for). With images
    as queries and captions as the gallery, the rows are text and image retrieval recall. A k
    beyond the size of a side counts all of it. Raises `ValueError` if nothing says what belongs
    together.
    """
    require_embeddings(embeddings)
    x, y = embeddings.queries, embeddings.gallery
    sizes = [_checks.integer("ks", k, low=1) for k in ks]
    if not sizes:
        raise ValueError("ks: expected at least one number, got none")
    if owners is None:
        owners = embeddings.info.get("caption_image")
    to_gallery = top_k(x, y, min(max(sizes), len(y)), scoring)
    to_queries = top_k(y, x, min(max(sizes), len(x)), scoring)
    rows = torch.arange(len(x), device=x.device)[:, None]
    items = torch.arange(len(y), device=x.device)[:, None]
    if owners is not None:
        owner = _checks.as_targets("owners", owners, len(y), len(x), x.device)
        forward, backward = owner[to_gallery] == rows, to_queries == owner[:, None]
    elif embeddings.targets is not None:
        target = embeddings.targets
        forward = to_gallery == target[:, None]
        backward = (target[to_queries] == items)[torch.unique(target)]
    else:
        raise ValueError(
            f"owners: expected the query of each gallery item, as nothing says which of "
            f"{len(x)} queries and {len(y)} items belong together"
        )
    result = {}
    for side, right in (("queries", forward), ("gallery", backward)):
        for k in sizes:
            result[f"{side}_recall@{k}"] = float(right[:, :k].any(1).double().mean())
    return pd.Series(result, name="retrieval")


def multiple_choice(queries: Any, options: Any, scoring: str = "cosine") -> Tensor:
    """(n,) the option that each query is nearest to, when every query has options of its own.

    `queries` (n, d), `options` (n, k, d): the k answers to the question of that row; `as_choices`
    makes both from an embedded data set. Compare with the right answers for accuracy.
    Chowers et al. (2026), Fig. 9, on A-OKVQA.
    """
    x = _checks.as_matrix("queries", queries)
    shape = tuple(getattr(options, "shape", ()))
    if len(shape) != 3 or shape[0] != len(x) or shape[2] != x.shape[1] or shape[1] == 0:
        raise ValueError(
            f"options: expected shape ({len(x)}, options, {x.shape[1]}), got {shape or options!r}"
        )
    flat = _checks.as_matrix("options", options.reshape(-1, shape[2])).to(x)
    check_scoring(flat, scoring, x)
    return cost(x[:, None], flat.view(shape), scoring)[:, 0].argmin(1)


def as_choices(embeddings: Embeddings) -> tuple[Tensor, Tensor, Tensor | None]:
    """Queries (n, d), options (n, k, d) and the right option of each (n,), if it is known.

    Takes what `embed` and `load_folder` return of a multiple-choice data set, whose gallery holds
    the options of one question after those of another. The first two are what `multiple_choice`
    takes; compare its result with the third. Raises `ValueError` for embeddings of anything else.
    """
    require_embeddings(embeddings)
    count = embeddings.info.get("options")
    rows = len(embeddings.queries)
    if count is None or rows * count != len(embeddings.gallery):
        raise ValueError(
            f"embeddings: expected those of a multiple-choice data set, got {rows} queries, "
            f"{len(embeddings.gallery)} gallery items and info['options'] = {count!r}"
        )
    options = embeddings.gallery.view(rows, count, embeddings.dim)
    if embeddings.targets is None:
        return embeddings.queries, options, None
    return embeddings.queries, options, embeddings.targets % count


def _targets(embeddings: Embeddings) -> Tensor:
    require_embeddings(embeddings)
    if embeddings.targets is None:
        raise ValueError("embeddings: expected targets, the class of each query; there are none")
    return embeddings.targets
