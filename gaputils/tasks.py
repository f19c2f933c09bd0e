"""What embeddings are for: zero-shot classification, retrieval, multiple choice, mixed search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils import _checks
from gaputils.embeddings import Embeddings, require_embeddings
from gaputils.scoring import check_scoring, choice_costs, cost, first_equals, least, settle, top_k

_SCORES_AT_ONCE = 2**24


def zero_shot(embeddings: Embeddings, scoring: str = "cosine") -> pd.Series[float]:
    """Zero-shot classification: `top1`, `top5` and `mean_per_class` accuracy, in [0, 1].

    Queries are images, the gallery holds one text embedding a class, targets are the classes.
    Where `embeddings.owners` are known, each query's own rows are right, not its target alone.
    `mean_per_class` is top-1 accuracy averaged over the classes that occur; `top5` is NaN with
    fewer than 5 classes. Radford et al. (2021), section 3.1. Raises `ValueError` without targets.

    >>> import numpy as np, gaputils as gu
    >>> gu.zero_shot(gu.Embeddings(np.eye(6), np.eye(6)[[1, 0, 2, 3, 4, 5]])).round(3)
    top1              0.667
    top5              1.000
    mean_per_class    0.667
    Name: zero_shot, dtype: float64
    """
    require_embeddings(embeddings)
    targets = embeddings.targets
    if targets is None:
        raise ValueError("embeddings: expected targets, the class of each query; there are none")
    best = top_k(embeddings.queries, embeddings.gallery, min(5, len(embeddings.gallery)), scoring)
    right = embeddings.right(best)
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

    >>> import numpy as np, gaputils as gu
    >>> e = gu.Embeddings(np.eye(3), np.eye(3)[[1, 0, 2]])
    >>> gu.retrieval(e, ks=[1, 2]).round(3)
    queries_recall@1    0.333
    queries_recall@2    1.000
    gallery_recall@1    0.333
    gallery_recall@2    1.000
    Name: retrieval, dtype: float64
    """
    require_embeddings(embeddings)
    x, y = embeddings.queries, embeddings.gallery
    sizes = [_checks.integer("ks", k, low=1) for k in _checks.listed("ks", ks, "number")]
    if owners is None:
        owners = embeddings.owners
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
    makes both from an embedded data set. Of equal options it is the first. Compare with the right
    answers for accuracy. Chowers et al. (2026), Fig. 9, on A-OKVQA.

    Raises `TypeError` or `ValueError` that names the argument if one is not finite or the shapes do
    not fit, for an unknown scoring, and for rows of norm zero under cosine.
    """
    x = _checks.as_matrix("queries", queries)
    shape = tuple(getattr(options, "shape", ()))
    if len(shape) != 3 or shape[0] != len(x) or shape[2] != x.shape[1] or shape[1] == 0:
        raise ValueError(
            f"options: expected shape ({len(x)}, options, {x.shape[1]}), got {shape or options!r}"
        )
    x, flat = _checks.as_pair(x, options.reshape(-1, shape[2]), names=("queries", "options"))
    if scoring == "cosine":
        _checks.require_nonzero_rows("options", flat, "cosine")
    check_scoring(flat, scoring, x)
    return choice_costs(x, flat.view(shape), scoring).argmin(1)


def as_choices(embeddings: Embeddings) -> tuple[Tensor, Tensor, Tensor | None]:
    """Queries (n, d), options (n, k, d) and the right option of each (n,), if it is known.

    Takes what `embed` and `load_folder` return of a multiple-choice data set, whose gallery holds
    the options of one question after those of another. The first two are what `multiple_choice`
    takes; compare its result with the third. Raises `ValueError` for embeddings of anything else.
    """
    require_embeddings(embeddings)
    count: Any = embeddings.info.get("options")
    rows = len(embeddings.queries)
    known = isinstance(count, int) and not isinstance(count, bool)
    if not known or rows * count != len(embeddings.gallery):
        raise ValueError(
            f"embeddings: expected those of a multiple-choice data set, got {rows} queries, "
            f"{len(embeddings.gallery)} gallery items and info['options'] = {count!r}"
        )
    options = embeddings.gallery.view(rows, count, embeddings.dim)
    if embeddings.targets is None:
        return embeddings.queries, options, None
    return embeddings.queries, options, embeddings.targets % count


def mixed_retrieval(
    queries: Any,
    galleries: Mapping[str, Any],
    query_labels: Any,
    item_labels: Mapping[str, Any],
    k: int = 10,
    scoring: str = "inner-product",
    own: Mapping[str, Any] | None = None,
) -> pd.Series[float]:
    """Search one gallery of several kinds: NDCG@k, recall@k, and each kind's share of the k best.

    `queries` (n, d), `galleries` a mapping from kind to (m_k, d) rows, as `MixedGallery` makes
    them, `scoring` as in `top_k`. An item is right if its label, of `item_labels` (m_k,), is that
    of the query, of `query_labels` (n,). `own` and the rows are those of `rate_mixed`, whose mean
    over the queries this is.

    >>> import numpy as np, gaputils as gu
    >>> rows = {"image": np.eye(3), "text": 2 * np.eye(3)}
    >>> labels = {"image": [0, 1, 2], "text": [0, 1, 5]}
    >>> found = gu.tasks.mixed_retrieval(np.eye(3), rows, [0, 1, 2], labels, k=2)
    >>> float(found["recall@2[image]"]), float(found["share@2[text]"].round(2))
    (1.0, 0.5)
    """
    kinds = _checks.labelled("galleries", galleries, "kind")
    sides = {
        kind: _checks.as_pair(queries, rows, ("queries", f"galleries[{kind!r}]"))
        for kind, rows in kinds.items()
    }
    for x, y in sides.values():
        check_scoring(y, scoring, x)
    counts = {kind: len(y) for kind, (_, y) in sides.items()}
    own = {kind: _own_items(kind, one, counts, queries) for kind, one in (own or {}).items()}
    labels = _as_labels("query_labels", query_labels, len(queries))
    twins = {kind: first_equals(y) for kind, (_, y) in sides.items()}
    step = max(1, _SCORES_AT_ONCE // sum(counts.values()))
    parts = [
        rate_mixed(
            {
                kind: -settle(cost(x[rows], y, scoring), twins[kind])
                for kind, (x, y) in sides.items()
            },
            labels[rows],
            item_labels,
            k,
            {kind: items[rows] for kind, items in own.items()},
        )
        for rows in np.split(np.arange(len(labels)), range(step, len(labels), step))
    ]
    return pd.concat(parts).mean()


def rate_mixed(
    scores: Mapping[str, Any],
    query_labels: Any,
    item_labels: Mapping[str, Any],
    k: int = 10,
    own: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """A row a query: how good the k best items are when several kinds are ranked as one.

    `scores` maps each kind to (n, m_k), greater is better, of equals the first is taken: kinds in
    their order, items in theirs. An item is right if its label is the query's. `own` maps kinds
    to the (n,) items that are the queries themselves, which are not searched. Columns: ``ndcg@k``
    with gain 1 for a right item and discount ``1 / log2(1 + rank)`` (Järvelin and Kekäläinen
    2002), ``recall@k``, ``recall@k[kind]`` of each kind that has right items (NaN where a query
    has none in it), ``share@k[kind]``. Raises `ValueError` on shapes that do not fit, scores that
    are no numbers, fewer than `k` items, or a query without any right item.
    """
    kinds = {
        kind: _checks.as_matrix(f"scores[{kind!r}]", values)
        for kind, values in _checks.labelled("scores", scores, "kind").items()
    }
    sizes = [values.shape[1] for values in kinds.values()]
    right = _same_label(query_labels, item_labels, kinds)
    ranked = torch.cat([values.double() for values in kinds.values()], dim=1)
    right = right.to(ranked.device)
    at_most = sum(sizes) - len(own or {})
    if _checks.integer("k", k, low=1) > at_most:
        raise ValueError(f"k: expected at most the {at_most} items, got {k}")
    starts = dict(zip(kinds, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    counts = dict(zip(kinds, sizes, strict=True))
    for kind, items in (own or {}).items():
        found = _own_items(kind, items, counts, ranked).to(ranked.device)
        ranked.scatter_(1, starts[kind] + found[:, None], -math.inf)
        right.scatter_(1, starts[kind] + found[:, None], False)
    total = right.sum(dim=1)
    if bool((total == 0).any()):
        raise ValueError(
            f"query_labels: expected a right item for every query, "
            f"{int((total == 0).sum())} of {len(total)} have none"
        )
    best = least(ranked.neg_(), k)
    hit = right.gather(1, best)
    discount = 1 / torch.arange(2, k + 2, dtype=torch.float64, device=best.device).log2()
    ideal = discount.cumsum(0)[total.clamp_max(k) - 1]
    table = {f"ndcg@{k}": (hit * discount).sum(dim=1) / ideal}
    table[f"recall@{k}"] = hit.sum(dim=1) / total
    shares = {}
    for kind, part in zip(kinds, torch.split(right, sizes, dim=1), strict=True):
        here = (best >= starts[kind]) & (best < starts[kind] + part.shape[1])
        shares[f"share@{k}[{kind}]"] = here.double().mean(dim=1)
        if bool(part.any()):
            table[f"recall@{k}[{kind}]"] = (hit & here).sum(dim=1) / part.sum(dim=1)
    return pd.DataFrame({name: value.cpu().numpy() for name, value in {**table, **shares}.items()})


def _own_items(kind: str, items: Any, counts: Mapping[str, int], queries: Any) -> Tensor:
    """(n,) the items of `kind`, of which there are `counts`, that are the `queries` themselves."""
    if kind not in counts:
        raise ValueError(f"own: expected kinds among {', '.join(counts)}, got {kind!r}")
    return _checks.as_targets(
        f"own[{kind!r}]", items, len(queries), counts[kind], torch.device("cpu")
    )


def _same_label(
    query_labels: Any, item_labels: Mapping[str, Any], kinds: Mapping[str, Tensor]
) -> Tensor:
    """(n, items of all kinds) whether an item has the label of the query."""
    rows = {len(values) for values in kinds.values()}
    if len(rows) > 1:
        raise ValueError(f"scores: expected one row a query in every kind, got {sorted(rows)}")
    given = _checks.labelled("item_labels", item_labels, "kind")
    if set(given) != set(kinds):
        raise ValueError(f"item_labels: expected kinds {list(kinds)}, got {list(given)}")
    asked = _as_labels("query_labels", query_labels, rows.pop())
    items = [
        _as_labels(f"item_labels[{kind!r}]", given[kind], values.shape[1])
        for kind, values in kinds.items()
    ]
    return torch.from_numpy(np.hstack([np.asarray(asked[:, None] == each) for each in items]))


def _as_labels(name: str, values: Any, count: int) -> np.ndarray[Any, Any]:
    labels = np.asarray(values.cpu() if isinstance(values, Tensor) else values)
    if labels.shape != (count,):
        raise ValueError(f"{name}: expected shape ({count},), got {labels.shape}")
    return labels
