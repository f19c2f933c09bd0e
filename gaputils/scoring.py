"""The three ways of ranking a gallery, as costs: the least is the nearest; of equals, the first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import as_pair, choice, integer, moderate, require_nonzero_rows, work

SCORINGS = ("euclidean", "inner-product", "cosine")
_ELSEWHERE = {
    "l2": "euclidean",
    "dot": "inner-product",
    "ip": "inner-product",
    "inner_product": "inner-product",
    "cos": "cosine",
}
"""What other libraries call them, for the error that names ours."""

_ROWS = 512  # queries that one matrix product takes at least
# A squared distance below this share of the mean squared norm is rounding in single precision.
_EQUAL = 2e-6


def cost(queries: Tensor, gallery: Tensor, scoring: str) -> Tensor:
    """(n, m) squared distances, negated inner products, or negated cosines with the gallery.

    The query's own norm is left out of the cosine: it ranks nothing.
    """
    product = inner(queries, gallery)
    if scoring == "inner-product":
        return -product
    squares = gallery.square().sum(dim=-1)
    if scoring == "cosine":
        return -product / squares.sqrt().unsqueeze(-2)
    return queries.square().sum(dim=-1).unsqueeze(-1) + squares.unsqueeze(-2) - 2 * product


def inner(queries: Tensor, gallery: Tensor) -> Tensor:
    """(n, m) inner products in the sides' own precision, under `torch.autocast` too."""
    with torch.autocast(queries.device.type, enabled=False):
        return queries @ gallery.mT


def precise_costs(
    queries: Tensor, gallery: Tensor, scoring: str, middle: Tensor
) -> tuple[Tensor, Tensor]:
    """`cost` (n, m) and the queries' norms (n,) in the precision of `gallery`, from `centered`.

    Euclidean queries are shifted by `middle` too. They are cast, shifted and multiplied some rows
    at a time, so that no second copy of all of them is made.
    """
    count, dim = queries.shape
    step = max(_ROWS, 2**19 // dim) if queries.device.type == "cpu" else count
    wide = gallery.new_empty(min(step, count), dim)
    products, norms = gallery.new_empty(len(gallery), count), gallery.new_empty(count)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        rows = wide[: part.stop - start].copy_(queries[part])
        if scoring == "euclidean":
            rows.sub_(middle)
        products[:, part] = gallery @ rows.mT
        norms[part] = torch.linalg.vector_norm(rows, dim=1)
    lengths = torch.linalg.vector_norm(gallery, dim=1)[:, None]
    if scoring == "inner-product":
        return products.neg_().mT, norms
    if scoring == "cosine":
        return products.div_(lengths).neg_().mT, norms
    return products.mul_(-2).add_(lengths.square()).add_(norms.square()).mT, norms


def centered(gallery: Tensor, scoring: str) -> tuple[Tensor, Tensor]:
    """The gallery's mean (d,), and the gallery about it, in double precision.

    A common shift changes no distance, if the queries take it too, and no difference between inner
    products, but the digits of a large one would be lost. Under cosine nothing may be shifted, and
    zero is in the mean's place where that is far from most items, drawn there by a few long ones.
    """
    wide = work(gallery)
    middle, usual = wide.mean(dim=0), torch.linalg.vector_norm(wide, dim=1).median()
    if scoring == "cosine" or torch.linalg.vector_norm(middle) > 2 * usual:
        middle = torch.zeros_like(middle)
    return middle, wide - middle


def nearest(queries: Any, gallery: Any, scoring: str = "euclidean") -> Tensor:
    """(n,) index of each query's nearest gallery item; of equals, the first.

    `queries` (n, d), `gallery` (m, d). `scoring`: "euclidean" (Chowers et al. 2026),
    "inner-product" or "cosine". Costs have the sides' own precision, in which an offset that all
    items share costs no digits; cosines that differ by less than it holds (1e-7 in single) rank by
    chance. Raises `ValueError` on unusable sides, an unknown scoring, or rows of norm zero under
    cosine.
    """
    queries, gallery = as_pair(queries, gallery)
    check_scoring(gallery, scoring, queries)
    return _nearest(queries, gallery, scoring)


def _nearest(queries: Tensor, gallery: Tensor, scoring: str) -> Tensor:
    """`nearest` of sides that were checked."""
    return torch.cat([costs.argmin(dim=1) for costs in all_costs(queries, gallery, scoring)])


def all_costs(queries: Tensor, gallery: Tensor, scoring: str) -> Iterator[Tensor]:
    """`cost` of one block of queries after another; equal items have equal costs, to the bit."""
    twins = first_equals(gallery)
    if scoring == "cosine":
        queries, gallery = moderate(queries), moderate(gallery)
    elif (origin := _origin(gallery)) is not None:
        gallery = gallery - origin
        queries = queries - origin if scoring == "euclidean" else queries
    for rows in torch.split(queries, max(1, 2**24 // len(gallery))):
        yield settle(cost(rows, gallery, scoring), twins)


def _origin(gallery: Tensor) -> Tensor | None:
    """The item (d,) nearest to the gallery's mean, if what the items share drowns what differs.

    Seen from there no distance and no difference of inner products changes, and digits are kept;
    an item of their own leaves numbers that are whole, or equal to the bit, as they were.
    """
    mean = gallery.mean(dim=0)
    if mean.square().sum() < 0.99 * torch.linalg.vector_norm(gallery).square() / len(gallery):
        return None
    return gallery[(gallery - mean).square().sum(dim=1).argmin()]


def choice_costs(queries: Tensor, options: Tensor, scoring: str) -> Tensor:
    """(n, k) costs of each query's own `options` (n, k, d); equal ones cost the same."""
    if scoring == "cosine":
        queries, options = moderate(queries), moderate(options)
    costs = cost(queries[:, None], options, scoring)[:, 0]
    twins = first_equals(options.flatten(0, 1))
    if twins is None:
        return costs
    # Equal to an option of another question is equal to the first of its own question that is.
    count = options.shape[1]
    question = torch.arange(len(twins), device=twins.device) // count
    own = first_equals(torch.stack([question, twins], dim=1))
    return costs if own is None else costs.gather(1, own.view(-1, count) % count)


def least(costs: Tensor, k: int) -> Tensor:
    """(n, k) columns of the `k` least of `costs` (n, m), ascending; of equals, the first."""
    if k == 1:
        return costs.min(dim=1, keepdim=True).indices  # argmin is slow down columns
    if k == costs.shape[1]:
        return costs.argsort(dim=1, stable=True)
    # topk takes any of those that equal the last it takes, and puts equals in any order.
    values, columns = costs.topk(k + 1, dim=1, largest=False)
    crowded = values[:, k] == values[:, k - 1]
    columns, order = columns[:, :k].sort(dim=1)
    order = values.gather(1, order).argsort(dim=1, stable=True)
    columns = columns.gather(1, order)
    if bool(crowded.any()):
        columns[crowded] = costs[crowded].argsort(dim=1, stable=True)[:, :k]
    return columns


def first_equals(rows: Tensor) -> Tensor | None:
    """(m,) the first of `rows` (m, d) that equals each; None where all differ.

    A matrix product may round equal rows differently by their place in it, so that which of them
    is nearest would hang on the size of the gallery and of a block: see `settle`.
    """
    # Equal rows agree in their first entries, however these are mixed: few others are compared.
    mixed = torch.zeros_like(rows[:, 0])
    for place in range(min(4, rows.shape[1])):
        mixed = mixed * math.pi + rows[:, place]
    _, group, count = torch.unique(mixed, return_inverse=True, return_counts=True)
    alike = (count[group] > 1).nonzero()[:, 0]
    if not len(alike):
        return None
    _, group = torch.unique(rows[alike], dim=0, return_inverse=True)
    first = torch.full_like(alike, len(rows)).scatter_reduce(0, group, alike, "amin")[group]
    if torch.equal(first, alike):
        return None
    twins = torch.arange(len(rows), device=rows.device)
    twins[alike] = first
    return twins


def nearly_equal(some: Tensor, rows: Tensor) -> Tensor:
    """(k, m) whether each of `some` (k, d) and each of `rows` (m, d) are one item, written twice.

    They are if their squared distance, in double precision, is a share of the mean squared norm of
    `rows` that is rounding in single precision.
    """
    wide = rows.double()
    middle = wide.mean(dim=0)
    apart = cost(some.double() - middle, wide - middle, "euclidean")
    return apart <= _EQUAL * wide.square().sum(dim=1).mean()


def settle(costs: Tensor, twins: Tensor | None) -> Tensor:
    """`costs` (n, m), changed in place so that each item costs what its first equal costs."""
    if twins is not None:
        later = (twins != torch.arange(len(twins), device=twins.device)).nonzero()[:, 0]
        costs[:, later] = costs[:, twins[later]]
    return costs


def check_scoring(gallery: Tensor, scoring: str, queries: Tensor | None = None) -> None:
    """Raise `ValueError` unless `scoring` is known and can rank `gallery` for `queries`."""
    choice("scoring", scoring, SCORINGS, _ELSEWHERE)
    if scoring == "cosine":
        require_nonzero_rows("gallery", gallery, "cosine")
        if queries is not None:
            require_nonzero_rows("queries", queries, "cosine")


def top_k(queries: Any, gallery: Any, k: int = 1, scoring: str = "cosine") -> Tensor:
    """(n, k) indices of the k best gallery items of each query, best first; of equals, the first.

    `queries` (n, d), `gallery` (m, d); `scoring` is "cosine", "euclidean" or "inner-product".
    Raises `ValueError` if the gallery has fewer than k items, or for an unknown scoring.
    """
    x, y = as_pair(queries, gallery)
    check_scoring(y, scoring, x)
    if integer("k", k, low=1) > len(y):
        raise ValueError(f"k: expected at most the {len(y)} gallery items, got {k}")
    return torch.cat([least(costs, k) for costs in all_costs(x, y, scoring)])
