"""The parts of a fair comparison: queries that can be answered, and paired errors over queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gaputils._checks import as_matrix, as_seed, integer
from gaputils.embeddings import Embeddings, choose_items, known_targets, require_embeddings

_AT_ONCE = 2**22


def answerable_blocks(embeddings: Embeddings, size: int) -> list[Embeddings]:
    """The task in disjoint blocks of `size` gallery rows, in their order, each with its queries.

    A block holds the queries whose right item is inside, so that in each of them every query can be
    answered and all else is a distractor, and all data count. Rows beyond the last whole block are
    left out, as is a block that no query is right for; a gallery of fewer than `size` rows is one
    block. Raises `ValueError` without targets.

    >>> e = Embeddings(np.eye(7), np.eye(7))
    >>> [len(block.queries) for block in answerable_blocks(e, 3)]
    [3, 3]
    """
    require_embeddings(embeddings)
    targets = known_targets(embeddings)
    rows = len(embeddings.gallery)
    step = min(integer("size", size, low=2), rows)
    blocks = (range(start, start + step) for start in range(0, rows - step + 1, step))
    hit = set((targets // step).tolist())
    return [choose_items(embeddings, block) for block in blocks if block.start // step in hit]


def bootstrap_means(values: Any, resamples: int = 1000, seed: int = 0) -> np.ndarray[Any, Any]:
    """(resamples, k) means of the rows of `values` (n, k), drawn n with replacement each time.

    The columns of one resample share its rows, so that differences between them are paired.

    >>> bootstrap_means(np.ones((5, 2)), resamples=3).shape
    (3, 2)
    """
    rows = as_matrix("values", values).double().numpy()
    integer("resamples", resamples, low=2)
    generator = np.random.default_rng(as_seed(seed))
    even = np.full(len(rows), 1 / len(rows))
    step = max(1, _AT_ONCE // len(rows))
    means: np.ndarray[Any, Any] = np.concatenate(
        [
            generator.multinomial(len(rows), even, size=min(step, resamples - start)) @ rows
            for start in range(0, resamples, step)
        ]
    )
    return means / len(rows)


def mean_over_groups(
    values: pd.Series[float], groups: pd.Series[Any], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The mean of `values` and its standard error over draws of whole `groups`, as models are.

    >>> mean_over_groups(pd.Series([1.0, 1.0, 1.0]), pd.Series(["a", "a", "b"]))
    (1.0, 0.0)
    """
    group = pd.factorize(groups)[0]
    count = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    weights = drawn[:, group]
    means = weights @ values.to_numpy() / weights.sum(axis=1)
    return float(values.mean()), float(means.std())


def mean_and_error(values: Any, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Mean of `values` (n,) and its standard error, over `resamples` bootstrap draws of the n.

    >>> mean_and_error(np.array([1.0, 1.0, 1.0]))
    (1.0, 0.0)
    """
    each = np.asarray(values, dtype=float)[:, None]
    return float(each.mean()), float(bootstrap_means(each, resamples, seed).std())


def paired_gain(
    values: Any, baseline: Any, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean of `values` (n,) less that of `baseline` (n,) on the same queries, and its error.

    The error is the standard deviation over `resamples` bootstrap draws of the queries. Raises
    `ValueError` if the two differ in length.

    >>> gain, error = paired_gain(np.array([0.5, 0.7]), np.array([0.4, 0.6]))
    >>> round(gain, 6), round(error, 6)
    (0.1, 0.0)
    """
    ours, theirs = (np.asarray(side, dtype=float) for side in (values, baseline))
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise ValueError(f"baseline: expected shape {ours.shape} as values, got {theirs.shape}")
    return mean_and_error(ours - theirs, resamples, seed)
