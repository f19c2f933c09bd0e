"""What closings are worth on blocks of answerable pairs, query by query, so errors are paired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor

from gaputils._checks import choice, integer
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.catalogue import fit
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.protocol import answerable_blocks, bootstrap_means, distinct_items
from gaputils.noise import GaussianNoise, Noise, accuracy_under_noise, robustness
from gaputils.scoring import SCORINGS, nearest

Closings = Mapping[str, Closing | None]
Sides = tuple[Tensor, Tensor]

ORIGINAL = "original"
CENTRED = "hull projection, centred"
SCALED = "hull projection, scaled"
CLOSINGS: dict[str, Closing | None] = {
    ORIGINAL: None,
    "mean shift": MeanShift(),
    "hull projection": HullProjection(),
    CENTRED: HullProjection(center=True),
    SCALED: HullProjection(radius=2),
}
COSINE_FIRST = ("cosine", "inner-product", "euclidean")
MEASURES = ("same", "right", "accuracy", "unchanged")
_ORDERS = ("closing first", "noise first")


def tasks(embeddings: Embeddings, size: int) -> list[Embeddings]:
    """Disjoint blocks of `size` pairs; in each all queries can be answered and no item is double.

    The rows are the first min(n, m) of each side, which must be pairs.
    """
    count = min(len(embeddings.queries), len(embeddings.gallery))
    pairs = Embeddings(
        embeddings.queries[:count], embeddings.gallery[:count], info=dict(embeddings.info)
    )
    return [distinct_items(block) for block in answerable_blocks(pairs, size)]


def per_query(
    blocks: Sequence[Embeddings],
    closings: Closings,
    noise: Noise,
    scorings: Iterable[str] = SCORINGS,
    *,
    order: str = "closing first",
    draws: int = 50,
    seed: int = 0,
) -> pd.DataFrame:
    """A row for each closing, scoring and query of all `blocks`, which have targets.

    A closing is fitted on its block, one that asks for data beside those searched on the block
    before. `noise` falls on what the closing returns, exactly where `robustness` is exact; with
    the `order` "noise first" it falls on the raw gallery `draws` times, the same for all, and the
    fitted closing moves what is left. Columns: `same`, the probability that the answer survives;
    `right`, that the answer is right under the noise; `accuracy`, 1 if it is right without;
    `unchanged`, 1 if closing alone leaves the answer.
    """
    choice("order", order, _ORDERS)
    integer("draws", draws, low=1)
    exact = order == "closing first"
    rows = []
    for place, task in enumerate(blocks):
        raw, right = (task.queries, task.gallery), known_targets(task)
        for name, closing in closings.items():
            fitted = learn(closing, task, blocks[place - 1])
            sides = move(fitted, raw)
            for scoring in scorings:
                found = nearest(*sides, scoring)
                if exact:
                    same = robustness(*sides, noise, scoring=scoring)
                    hit = accuracy_under_noise(*sides, right, noise, scoring=scoring)
                else:
                    noisy = _noisy(raw, noise, draws, seed + place)
                    answers = (nearest(*move(fitted, each), scoring) for each in noisy)
                    same, hit = _shares(answers, [found, right])
                values = {
                    "same": same.double().numpy(),
                    "right": hit.double().numpy(),
                    "accuracy": (found == right).double().numpy(),
                    "unchanged": (found == nearest(*raw, scoring)).double().numpy(),
                }
                label = {"closing": name, "scoring": scoring, "block": place}
                rows.append(pd.DataFrame({**label, **values}))
    return pd.concat(rows, ignore_index=True)


def summary(
    frame: pd.DataFrame, against: str = ORIGINAL, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Means of `MEASURES` over the queries, a row for each closing and scoring of `frame`.

    ``same_error`` and the like are the standard deviations over `resamples` bootstrap draws of the
    queries. ``same_gain`` and ``same_gain_error`` compare with the closing `against` under the same
    scoring on the same queries, and likewise for the others.
    """
    rows = []
    for scoring, part in frame.groupby("scoring", sort=False):
        base = part.loc[part["closing"] == against, list(MEASURES)].to_numpy()
        for name, each in part.groupby("closing", sort=False):
            values = each[list(MEASURES)].to_numpy()
            both = np.hstack([values, values - base])
            errors = bootstrap_means(both, resamples, seed).std(axis=0)
            columns = [*MEASURES, *(f"{measure}_gain" for measure in MEASURES)]
            row: dict[str, Any] = {"closing": name, "scoring": scoring}
            row |= dict(zip(columns, both.mean(axis=0), strict=True))
            row |= dict(zip((f"{c}_error" for c in columns), errors, strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def over_sizes(
    embeddings: Embeddings, sizes: Iterable[int], closings: Closings, noise: GaussianNoise
) -> pd.DataFrame:
    """`summary` of exact `per_query` with galleries of each of `sizes` pairs: `items` and `dim`.

    Each size uses all pairs, in blocks; `outside` is the part of the gap's length that is
    orthogonal to the gallery's hull, a mean over the blocks.
    """
    parts = []
    for size in sizes:
        blocks = tasks(embeddings, size)
        outside = np.mean([outside_share(block) for block in blocks])
        frame = summary(per_query(blocks, closings, noise, COSINE_FIRST))
        parts.append(frame.assign(items=size, dim=embeddings.dim, outside=outside))
    return pd.concat(parts, ignore_index=True)


def outside_share(task: Embeddings) -> float:
    """The part of the gap's length that is orthogonal to the hull of the gallery."""
    with comparing():
        shift = MeanShift().fit(task.queries, task.gallery)
    return float(shift.shift_.norm() / shift.gap_.norm())


def plus_minus(values: Any, errors: Any, digits: int = 3, signed: bool = False) -> list[str]:
    """Each value with its error as text for a table: "0.123 ± 0.004"."""
    sign = "+" if signed else ""
    return [
        f"{value:{sign}.{digits}f} ± {error:.{digits}f}".replace("-", "−")
        for value, error in zip(values, errors, strict=True)
    ]


def move(fitted: Closing | None, sides: Sides) -> Sides:
    """`sides` after a `fitted` closing, perhaps of other rows; None leaves them."""
    if fitted is None:
        return sides
    with comparing():
        queries, gallery = fitted.transform(*sides)
    return queries, gallery


def learn(
    closing: Closing | None, task: Embeddings, elsewhere: Embeddings | None = None
) -> Closing | None:
    """A copy of `closing` fitted on `task`, or `elsewhere` if it is defined on other data."""
    if closing is None:
        return None
    with comparing():
        return fit(clone(closing), task, elsewhere)


def _noisy(sides: Sides, noise: Noise, draws: int, seed: int) -> Iterator[Sides]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws if noise.random else 1):
        yield noise.apply(*sides, generator)


def _shares(answers: Iterable[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
    """For each of `wanted` (n,), the share of `answers` (n,) that equal it."""
    drawn = torch.stack(list(answers))
    return [(drawn == one).double().mean(dim=0) for one in wanted]
