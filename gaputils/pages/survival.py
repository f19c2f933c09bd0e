"""What the closings of the book are worth on blocks of answerable pairs, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.catalogue import Closings
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, known_targets, require_embeddings, without_owners
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.noise import GaussianNoise
from gaputils.pages import with_error
from gaputils.scoring import nearly_equal

Sides = tuple[Tensor, Tensor]

ORIGINAL = "original"
BY_COSINE = "original, by cosine"
CENTRED = "hull projection, centred"
SCALED = "hull projection, scaled"
CLOSINGS: dict[str, Closing | None] = {
    ORIGINAL: None,
    "mean shift": MeanShift(),
    "hull projection": HullProjection(),
    CENTRED: HullProjection(center=True),
    SCALED: HullProjection(radius=2),
}
PAIR = {name: CLOSINGS[name] for name in (ORIGINAL, CENTRED)}
COSINE_FIRST = ("cosine", "inner-product", "euclidean")


def tasks(embeddings: Embeddings, size: int) -> list[Embeddings]:
    """Disjoint blocks of `size` pairs; in each all queries can be answered and no item is double.

    The rows are the first min(n, m) of each side, which must be pairs.
    """
    count = min(len(embeddings.queries), len(embeddings.gallery))
    pairs = Embeddings(
        embeddings.queries[:count], embeddings.gallery[:count], info=dict(embeddings.info)
    )
    return [distinct_items(block) for block in answerable_blocks(pairs, size)]


def distinct_items(embeddings: Embeddings) -> Embeddings:
    """The same task with equal rows of the gallery as one item, which answers for all of them.

    An item that is stored twice loses half of its wins to its double under any noise, and neither
    is more right than the other. Rows count as equal if they differ by less than single precision
    keeps of them. A caption that several images share has no one owner, so that of all captions of
    an image its target alone stays its answer. Raises `ValueError` without targets.

    >>> e = Embeddings(torch.eye(3), torch.eye(3)[[0, 1, 1]])
    >>> distinct_items(e).targets.tolist()
    [0, 1, 1]
    """
    require_embeddings(embeddings)
    targets = known_targets(embeddings)
    first = nearly_equal(embeddings.gallery, embeddings.gallery).to(torch.uint8).argmax(1)
    kept, item = torch.unique(first, return_inverse=True)
    return Embeddings(
        embeddings.queries, embeddings.gallery[kept], item[targets], without_owners(embeddings.info)
    )


def over_sizes(
    embeddings: Embeddings, sizes: Iterable[int], closings: Closings, noise: GaussianNoise
) -> pd.DataFrame:
    """`compare_blocks` with galleries of each of `sizes` pairs: its columns, `items` and `dim`.

    Each size uses all pairs, in blocks; `outside` is the part of the gap's length that is
    orthogonal to the gallery's hull, a mean over the blocks.
    """
    parts = []
    for size in sizes:
        blocks = tasks(embeddings, size)
        outside = np.mean([outside_share(block) for block in blocks])
        frame = compare_blocks(blocks, closings, {"": noise}, scorings=COSINE_FIRST)
        parts.append(frame.assign(items=size, dim=embeddings.dim, outside=outside))
    return pd.concat(parts, ignore_index=True)


def outside_share(task: Embeddings) -> float:
    """The part of the gap's length that is orthogonal to the hull of the gallery."""
    with comparing():
        shift = MeanShift().fit(task.queries, task.gallery)
    return float(shift.shift_.norm() / shift.gap_.norm())


def plus_minus(values: Any, errors: Any, digits: int = 3, signed: bool = False) -> list[str]:
    """Each value with its error as text for a table: "0.123 ± 0.004"."""
    return [
        with_error(value, error, digits, signed=signed)
        for value, error in zip(values, errors, strict=True)
    ]


def told(row: pd.Series, value: str, signed: bool = False) -> str:
    """One value of a row with its error as text."""
    return plus_minus([row[value]], [row[f"{value}_error"]], signed=signed)[0]


def with_errors(frame: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """`frame` with each column that has one named after it with "error" as text with that error.

    >>> with_errors(pd.DataFrame({"gain": [0.1], "gain_error": [0.02]}))["gain"].to_list()
    ['+0.100 ± 0.020']
    """
    columns: dict[str, Any] = {}
    for name in map(str, frame):
        beside = [other for other in (f"{name}_error", f"{name} error") if other in frame]
        if name.endswith("error"):
            continue
        values = frame[name]
        columns[name] = (
            plus_minus(values, frame[beside[0]], digits, signed="gain" in name)
            if beside
            else values
        )
    return pd.DataFrame(columns, index=frame.index)


def by_scoring(frame: pd.DataFrame) -> pd.DataFrame:
    """A comparison for readers: a row a closing, a column a scoring; paired gains in brackets."""
    columns: dict[str, Any] = {}
    for scoring, part in frame.groupby("scoring", sort=False):
        kept = plus_minus(part["robustness"], part["robustness_error"])
        gains = plus_minus(part["gain"], part["gain_error"], signed=True)
        columns[str(scoring)] = [
            share if name == ORIGINAL else f"{share.split()[0]} ({gain})"
            for name, share, gain in zip(part["closing"], kept, gains, strict=True)
        ]
    return pd.DataFrame(columns, index=list(dict.fromkeys(frame["closing"])))
