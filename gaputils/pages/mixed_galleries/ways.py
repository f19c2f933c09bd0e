"""Ways of ranking several kinds as one: each is fitted on one mixture and scores another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils.closing import GRCLIP, Centering, Closing, MixedGallery, NaiveShift
from gaputils.pages.mixed_galleries.mixture import Mixture, Scores

Way = Callable[[Mixture, Mixture], Scores]
RRF = 60
"""The constant of reciprocal-rank fusion (Cormack et al. 2009)."""


def scores(queries: Tensor, galleries: Mapping[str, Tensor]) -> Scores:
    """Inner products, kind by kind."""
    return {kind: queries @ rows.mT for kind, rows in galleries.items()}


def by_cosine(fitted: Mixture, searched: Mixture) -> Scores:  # noqa: ARG001
    """What everybody does: one order by cosine."""
    rows = {kind: normalize(values, dim=1) for kind, values in searched.galleries.items()}
    return scores(normalize(searched.queries, dim=1), rows)


def kind_by_kind(closing: Closing, fitted: Mixture, searched: Mixture) -> Scores:
    """`closing` fitted on the queries and each kind by itself, and the cosines it leaves."""
    found = {}
    for kind, rows in searched.galleries.items():
        closing.fit(fitted.queries, fitted.galleries[kind])
        queries, items = closing.transform(searched.queries, rows)
        found[kind] = normalize(queries, dim=1) @ normalize(items, dim=1).mT
    return found


def in_one_index(closing: MixedGallery, fitted: Mixture, searched: Mixture) -> Scores:
    """What one inner-product index of `closing`'s rows gives."""
    closing.fit(fitted.queries, fitted.galleries)
    return scores(*closing.transform(searched.queries, searched.galleries))


def centred(fitted: Mixture, searched: Mixture) -> Scores:
    """Inner products after taking each mean away."""
    found = {}
    for kind, rows in searched.galleries.items():
        closing = Centering().fit(fitted.queries, fitted.galleries[kind])
        queries, items = closing.transform(searched.queries, rows)
        found[kind] = queries @ items.mT
    return found


def standardized_by_query(fitted: Mixture, searched: Mixture) -> Scores:
    """Each query's scores with a kind at mean 0 and deviation 1: needs all of them, every time.

    Mean and deviation are of what is searched, so the query itself counts in neither.
    """
    found = {}
    for kind, values in by_cosine(fitted, searched).items():
        seen = off_diagonal(values) if kind == searched.own else values
        found[kind] = (values - seen.mean(dim=1, keepdim=True)) / seen.std(dim=1, keepdim=True)
    return found


def off_diagonal(values: Tensor) -> Tensor:
    """(n, n - 1) the scores (n, n) of row i with all items but item i."""
    return values[~torch.eye(len(values), dtype=torch.bool)].view(len(values), -1)


def ranks(fitted: Mixture, searched: Mixture) -> Scores:
    """The place of each item in the order of its own kind, from 1, the query itself last."""
    found = {}
    for kind, values in by_cosine(fitted, searched).items():
        if kind == searched.own:
            values = values.fill_diagonal_(-torch.inf)
        order = values.sort(dim=1, descending=True, stable=True).indices
        found[kind] = order.argsort(dim=1) + 1
    return found


def interleaved(own_first: bool, fitted: Mixture, searched: Mixture) -> Scores:
    """A search a kind, and their results in turn: the kind that asks comes first or last."""
    places = ranks(fitted, searched)
    turns = sorted(places, key=lambda kind: kind == searched.asked, reverse=own_first)
    return {kind: -(places[kind] + turn / len(turns)) for turn, kind in enumerate(turns)}


def reciprocal_ranks(fitted: Mixture, searched: Mixture) -> Scores:
    """A search a kind, fused by ``1 / (60 + rank)``; of equals the kind that asks comes last."""
    taken = interleaved(False, fitted, searched)
    return {kind: 1 / (RRF - places) for kind, places in taken.items()}


def in_another_order(fitted: Mixture, searched: Mixture) -> Scores:
    """`MixedGallery` of a sample in which no row i of a kind matches query i, yet another does."""
    rolled = {kind: rows.roll(1, 0) for kind, rows in fitted.galleries.items()}
    closing = MixedGallery().fit(fitted.queries, rolled)
    return scores(*closing.transform(searched.queries, searched.galleries))


OURS = "mixed gallery"
WAYS: dict[str, Way] = {
    "cosine": by_cosine,
    "naive shift": partial(kind_by_kind, NaiveShift()),
    "GR-CLIP": partial(kind_by_kind, GRCLIP()),
    "centring alone": centred,
    "offset and scale alone": partial(in_one_index, MixedGallery(center=False)),
    OURS: partial(in_one_index, MixedGallery()),
    "two searches, interleaved": partial(interleaved, False),
    "two searches, own kind first": partial(interleaved, True),
    "two searches, reciprocal ranks": reciprocal_ranks,
    "z-scores of each query": standardized_by_query,
}
