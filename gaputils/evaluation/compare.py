"""Closings side by side: the one place where a closing's robustness under a scoring is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import (
    Seed,
    as_answers,
    as_generator,
    as_pair,
    as_seed,
    choice,
    integer,
    labelled,
    listed,
)
from gaputils._progress import bar
from gaputils.closing.base import Closing
from gaputils.closing.catalogue import fit_all, fitted, moved
from gaputils.embeddings import Embeddings
from gaputils.evaluation.table import Comparison, Key, Outcome, among, as_rival
from gaputils.noise._monte_carlo import Estimate
from gaputils.noise.perturbations import Noise
from gaputils.noise.robustness import Answers, answers_under
from gaputils.scoring import SCORINGS, _nearest, check_scoring

ORDERS = ("closing first", "noise first")
Sides = tuple[Tensor, Tensor]


def compare_closings(
    queries: Any,
    gallery: Any,
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    *,
    targets: Any = None,
    scorings: Sequence[str] = SCORINGS,
    order: str = "closing first",
    bootstrap: int = 1000,
    draws: int = 200,
    seed: Seed = 0,
    against: str | tuple[str, str] | None = None,
) -> pd.DataFrame:
    """What each closing is worth under each scoring and noise, a row for each.

    `queries` (n, d) search the `gallery` (m, d); `targets` (n,) are the right items, or (n, k) all
    that are right (`Embeddings.answers`). `closings` maps a label to a closing or, for the
    original, None. One that was fitted before is used as it was fitted, any other is fitted on
    these sides (a copy; yours stays unfitted). `noises` maps a label to a noise.

    Gains are over the untouched sides under the same scoring, whether or not these are among
    `closings`; or over the closing that `against` names, or a pair of a closing and a scoring. The
    rival of ``HullProjection(radius=2)`` by distance is ``HullProjection(center=True)`` by
    "inner-product", the limit of ever larger radii: there a query's length is free.

    `order` "closing first" perturbs what the closing returns, as an index that stores closed rows
    is perturbed. With "noise first" the noise falls on the raw sides and the fitted closing moves
    what is left of them: no scale that a closing gives its gallery can help it, and where its shape
    stretches rows it stretches their noise. The first is exact where `robustness` is, and takes
    `draws` draws of any other noise; the second always takes `draws`. All closings see the same
    draws.

    Columns:

    - `closing`, `scoring`, `noise`: the labels;
    - `robustness`: mean probability that a query's answer under that closing and scoring survives;
    - `right`, with targets: mean probability that the right item wins under the noise;
    - `accuracy`, with targets: share of right answers without noise;
    - `unchanged`: share of queries whose answer without noise is the original's under that scoring;
    - `gain`, `right_gain`, `accuracy_gain`: over the untouched sides, or `against`, under the same
      noise;
    - for each but `unchanged` a column with ``_error`` appended, the standard deviation over
      `bootstrap` draws of the queries, which all rows share, so that errors of gains are paired.
      For what is sampled it includes the draws' own standard error, missing for a single draw. The
      part of it that is each query's own, not shared by all in a draw, is in both and counts twice:
      with few draws such an error is too large (by a third at ten). 0 for `bootstrap` leaves these
      columns out;
    - `standard_error`: of `robustness`, over the draws of the noise; 0 where it is exact.

    Raises `TypeError` or `ValueError` naming the argument for unusable sides or targets, an unknown
    scoring, order or rival, what is no closing or noise or none at all, and rows of norm zero under
    cosine.

    >>> import numpy as np, gaputils as gu
    >>> gallery = np.eye(3, 8)
    >>> queries = gallery[[0, 1, 2, 0]] + np.eye(8)[7]
    >>> closings = {"original": None, "mean shift": gu.MeanShift()}
    >>> table = gu.compare_closings(
    ...     queries, gallery, closings, {"σ² = 1": gu.GaussianNoise(1.0)}, scorings=["euclidean"]
    ... )
    >>> table[["closing", "robustness", "gain", "unchanged"]].round(2)
          closing  robustness  gain  unchanged
    0    original        0.84   0.0        1.0
    1  mean shift        0.93   0.1        1.0
    """
    queries, gallery = as_pair(queries, gallery)
    closings, noises, scorings = _compared(closings, noises, scorings, order)
    for scoring in scorings:
        check_scoring(gallery, scoring, queries)
    if targets is not None:
        targets = as_answers("targets", targets, len(queries), len(gallery), queries.device)
    integer("draws", draws, low=1)
    as_rival(against, closings, scorings)
    ready = {
        label: fitted(closing, queries, gallery, f"closings: {label}")
        for label, closing in closings.items()
    }
    number = as_number(seed)
    found = compared((queries, gallery), ready, noises, targets, scorings, order, draws, number)
    return found.table(bootstrap, number, against)


def compare_blocks(
    blocks: Sequence[Embeddings],
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    *,
    scorings: Sequence[str] = SCORINGS,
    order: str = "closing first",
    bootstrap: int = 1000,
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """`compare_closings` over several galleries, whose queries are counted together.

    `blocks` are tasks with answers, say of `answerable_blocks`; every closing is fitted on each of
    them anew, one that asks for data beside those searched (`calibrated`) on the block before. An
    error is a bootstrap over the queries of all.

    >>> import numpy as np, gaputils as gu
    >>> gallery = np.eye(6, 8)
    >>> blocks = gu.answerable_blocks(gu.Embeddings(gallery + np.eye(8)[7], gallery), 3)
    >>> closings, noises = {"mean shift": gu.MeanShift()}, {"": gu.GaussianNoise(1.0)}
    >>> table = compare_blocks(blocks, closings, noises, scorings=["euclidean"])
    >>> table[["robustness", "gain"]].round(2).to_numpy().tolist()
    [[0.93, 0.1]]
    """
    number = as_number(seed)
    found = over_blocks(
        blocks, closings, noises, scorings=scorings, order=order, draws=draws, seed=number
    )
    return found.table(bootstrap, number)


def over_blocks(
    blocks: Sequence[Embeddings],
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    *,
    scorings: Sequence[str] = SCORINGS,
    order: str = "closing first",
    draws: int = 200,
    seed: int = 0,
) -> Comparison:
    """What `compare_blocks` tabulates, from which gains over any of the closings can be had."""
    if not blocks:
        raise ValueError("blocks: expected at least one task, got none")
    integer("draws", draws, low=1)
    closings, noises, scorings = _compared(closings, noises, scorings, order)
    parts = []
    for place, e in enumerate(blocks):
        if e.answers is None:
            raise ValueError("blocks: expected answers, a block has none")
        for scoring in scorings:
            check_scoring(e.gallery, scoring, e.queries)
        ready = fit_all(closings, e, blocks[place - 1])
        sides = e.queries, e.gallery
        parts.append(
            compared(sides, ready, noises, e.answers, scorings, order, draws, seed + place)
        )
    return Comparison.together(parts)


def _compared(
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    scorings: Sequence[str],
    order: str,
) -> tuple[dict[str, Closing | None], dict[str, Noise], list[str]]:
    """What is compared: at least one of each, and in an order that there is."""
    choice("order", order, ORDERS)
    closings = labelled("closings", closings, "label")
    noises = labelled("noises", noises, "label")
    for label, noise in noises.items():
        if not isinstance(noise, Noise):
            raise TypeError(f"noises: expected a noise for {label!r}, got {noise!r}")
    return closings, noises, listed("scorings", scorings, "scoring")


def as_number(seed: Seed) -> int:
    """A seed that can be used again and again, drawn from a generator or, for None, from chance."""
    if seed is not None and not isinstance(seed, torch.Generator):
        return as_seed(seed)
    generator = as_generator(seed)
    return int(torch.randint(2**31, (), generator=generator, device=generator.device))


def compared(
    sides: Sides,
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    targets: Tensor | None,
    scorings: Sequence[str],
    order: str = "closing first",
    draws: int = 200,
    seed: int = 0,
) -> Comparison:
    """Fitted `closings` on checked sides of one gallery."""
    answer = _closing_first if order == "closing first" else _noise_first
    outcomes = dict(answer(sides, closings, noises, targets, scorings, draws, seed))
    labels = {label: None if closing is None else label for label, closing in closings.items()}
    return Comparison(outcomes, labels, targets)


def _closing_first(
    sides: Sides,
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    targets: Tensor | None,
    scorings: Sequence[str],
    draws: int,
    seed: int,
) -> Iterator[tuple[Key, Outcome]]:
    """Each outcome of noise on what fitted closings return, the original among them.

    A closing that moves nothing has the original's outcomes, which are not computed again.
    """
    each, untouched = list(_with_original(closings)), dict[str, Answers]()
    for label, closing in bar(each, desc="closings", leave=False):
        closed = _usable(label, moved(closing, *sides), scorings)
        idle = closing is not None and all(map(torch.equal, closed, sides))
        for scoring in scorings:
            if idle:
                found = untouched[scoring]
            else:
                found = answers_under(*closed, list(noises.values()), targets, scoring, draws, seed)
            untouched.setdefault(scoring, found)
            right: Sequence[Estimate | None] = found.right or [None] * len(noises)
            for noise, kept, hit in zip(noises, found.kept, right, strict=True):
                yield (label, scoring, noise), Outcome(found.nearest, kept, hit)


def _noise_first(
    sides: Sides,
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    targets: Tensor | None,
    scorings: Sequence[str],
    draws: int,
    seed: int,
) -> Iterator[tuple[Key, Outcome]]:
    each = list(_with_original(closings))
    clean = {
        (label, scoring): _nearest(*closed, scoring)
        for label, closing in each
        for closed in [_usable(label, moved(closing, *sides), scorings)]
        for scoring in scorings
    }
    wanted = {key: [found] if targets is None else [found, targets] for key, found in clean.items()}
    for name, noise in noises.items():
        count = draws if noise.random else 1
        generator = as_generator(seed, sides[1].device)
        hits = {
            key: torch.zeros(len(w), len(sides[0]), dtype=torch.float32, device=w[0].device)
            for key, w in wanted.items()
        }
        shares = {key: torch.zeros(len(w), count, dtype=torch.float64) for key, w in wanted.items()}
        for draw in range(count):
            noisy = noise.apply(*sides, generator)
            for label, closing in each:
                closed = moved(closing, *noisy)
                for scoring in scorings:
                    key = label, scoring
                    found = _nearest(*closed, scoring)
                    hit = torch.stack([among(found, winner) for winner in wanted[key]]).float()
                    hits[key] += hit
                    shares[key][:, draw] = hit.mean(dim=1)
        for key, found in clean.items():
            kept, *right = (
                Estimate.sampled(hit, share, noise.random)
                for hit, share in zip(hits[key], shares[key], strict=True)
            )
            yield (*key, name), Outcome(found, kept, right[0] if right else None)


def _with_original(
    closings: Mapping[str, Closing | None],
) -> Iterator[tuple[str | None, Closing | None]]:
    """The untouched original, as None, before the closings that are to be held against it."""
    yield None, None
    yield from ((label, closing) for label, closing in closings.items() if closing is not None)


def _usable(label: str | None, sides: Sides, scorings: Sequence[str]) -> Sides:
    """What a closing returned, if it can be ranked: it may have moved a row to the origin."""
    if "cosine" in scorings:
        try:
            check_scoring(sides[1], "cosine", sides[0])
        except ValueError as error:
            raise ValueError(f"closings: after {label!r}, {error}") from error
    return sides
