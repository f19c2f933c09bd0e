"""What a cosine between modalities is, whether a cut-off tells matches, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from gaputils.closing import Centering, Closing, HullProjection
from gaputils.closing.catalogue import close
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import mean_and_error
from gaputils.scoring import first_equals, settle

UNTOUCHED = "original"
CENTRED = "standardising (I0T)"
CLOSED = "hull projection, centred"
STANDARD = "z-scores of each query"
SCORES: dict[str, Closing | None] = {
    UNTOUCHED: None,
    CENTRED: Centering(renormalize=True),
    CLOSED: HullProjection(center=True),
    STANDARD: None,
}
"""Each score of a query with every item: the closing before it, then the cosine."""


def cosines(queries: Tensor, gallery: Tensor) -> Tensor:
    """(n, m) cosines in double precision; equal items have equal ones, to the bit."""
    found = normalize(queries.double(), dim=1) @ normalize(gallery.double(), dim=1).mT
    return settle(found, first_equals(gallery))


def score_all(e: Embeddings, name: str) -> Tensor:
    """(n, m) scores of the queries with the items, by one of `SCORES` learned on `e` itself."""
    moved = close(SCORES[name], e)
    found = cosines(moved.queries, moved.gallery)
    if name == STANDARD:
        found = (found - found.mean(dim=1, keepdim=True)) / found.std(dim=1, keepdim=True)
    return found


def samples(e: Embeddings) -> dict[str, Tensor]:
    """The cosines of matching pairs, of others, and within each side; rows of `e` are pairs."""
    apart = ~torch.eye(len(e.queries), dtype=torch.bool)
    across = cosines(e.queries, e.gallery)
    return {
        "an image and its text": across.diagonal(),
        "an image and another text": across[apart],
        "two texts": cosines(e.gallery, e.gallery)[apart],
        "two images": cosines(e.queries, e.queries)[apart],
    }


def pair_cosines(e: Embeddings) -> pd.DataFrame:
    """Mean and spread of each of `samples`, as they are and with each side's mean taken away.

    `error` and `centred error` are standard errors over the pairs, by bootstrap. A cosine of two
    pairs is of either, whose shares in the mean are those of its row and its column.
    """
    rows: dict[str, dict[str, float]] = {}
    moved = close(Centering(renormalize=True), e)
    for prefix, task in (("", e), ("centred ", moved)):
        for name, values in samples(task).items():
            row = rows.setdefault(name, {})
            row[f"{prefix}mean"] = float(values.mean())
            row[f"{prefix}error"] = mean_and_error(_shares(values, len(e.queries)))[1]
            row[f"{prefix}spread"] = float(values.std())
    return pd.DataFrame.from_dict(rows, orient="index")


def _shares(values: Tensor, pairs: int) -> Tensor:
    """(pairs,) what each pair adds to the mean of `values`, one a pair or one for any two."""
    if len(values) == pairs:
        return values
    table = values.new_zeros(pairs, pairs)
    table[~torch.eye(pairs, dtype=torch.bool)] = values
    return (table.sum(dim=0) + table.sum(dim=1)) / (pairs - 1)


def separation(
    e: Embeddings, splits: int = 100, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How well each of `SCORES` tells matches, as areas under the curve, a row a score.

    `match`: a pair of a query and its item against all others, by one threshold for all. `present`:
    the best score of a query whose item is in the gallery against that of one whose item is not,
    when a random half of the items is taken out, `splits` times: scores are learned on what is
    left. Errors, and those of the gains over the untouched cosine, are over `resamples` bootstrap
    draws of the queries, the same for all. Rows of `e` must be pairs.
    """
    n = len(e.queries)
    random = np.random.default_rng(seed)
    weights = np.vstack([np.ones(n), _drawn(n, resamples, random)])
    stored = np.stack([random.permutation(n) < n // 2 for _ in range(splits)])
    rows: dict[str, dict[str, float]] = {}
    base: dict[str, NDArray[Any]] = {}
    for name in SCORES:
        scores = score_all(e, name).numpy()
        kernels = {"match": (_wins(scores), np.ones((n, n))), "present": _best(e, name, stored)}
        rows[name] = {}
        for column, (wins, counts) in kernels.items():
            areas = _areas(wins, counts, weights)
            gains = areas - base.setdefault(column, areas)
            rows[name] |= {column: float(areas[0]), f"{column}_error": float(areas[1:].std())}
            rows[name] |= {f"{column}_gain": float(gains[0])}
            rows[name] |= {f"{column}_gain_error": float(gains[1:].std())}
    return pd.DataFrame.from_dict(rows, orient="index")


def _drawn(n: int, resamples: int, random: np.random.Generator) -> NDArray[Any]:
    """(resamples, n) how often each of `n` is drawn in a bootstrap."""
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def _wins(scores: NDArray[Any]) -> NDArray[Any]:
    """(n, n): the share of query j's other items that are below the match of query i."""
    n = len(scores)
    match = scores.diagonal()
    others = np.sort(scores[~np.eye(n, dtype=bool)].reshape(n, n - 1), axis=1)
    low, high = (
        np.stack([np.searchsorted(row, match, side=side) for row in others], axis=1)
        for side in ("left", "right")
    )
    shares: NDArray[Any] = (low + high) / (2 * (n - 1))
    return shares


def _best(e: Embeddings, name: str, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How often the best score of query i, whose item is stored, beats that of j, whose is not."""
    n = len(e.queries)
    wins, counts = np.zeros((n, n)), np.zeros((n, n))
    for there in stored:
        left = Embeddings(e.queries, e.gallery[torch.from_numpy(there)])
        best = score_all(left, name).amax(dim=1).numpy()
        asked = np.outer(there, ~there)
        counts += asked
        wins += asked * (np.sign(best[:, None] - best) + 1) / 2
    return wins, counts


def _areas(wins: NDArray[Any], counts: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """The area under the curve for each row of `weights` (k, n) of the queries."""
    above, below = (((weights @ part) * weights).sum(axis=1) for part in (wins, counts))
    areas: NDArray[Any] = above / below
    return areas


def flat_cutoffs(
    e: Embeddings, recall: float = 0.9, resamples: int = 400, seed: int = 0
) -> pd.DataFrame:
    """What one cut-off that finds the share `recall` of the matches lets through, a row a score.

    `cutoff`; `precision`, the share of what is above it that is right, with the paired gain over
    the untouched cosine; `passed`, the mean number of items a query; `none`, the share of queries
    that get nothing; `most`, the greatest number. Errors are over `resamples` bootstrap draws of
    the pairs, the same for all, in each of which the cut-off is found anew. Rows of `e` are pairs.
    """
    n = len(e.queries)
    weights = _drawn(n, resamples, np.random.default_rng(seed))
    rows = {}
    base: tuple[float, NDArray[Any]] | None = None
    for name in SCORES:
        scores = score_all(e, name)
        cutoff = float(scores.diagonal().quantile(1 - recall))
        above = scores >= cutoff
        passed, right = above.sum(dim=1).double(), above.diagonal().double()
        precision = float(right.sum() / passed.sum())
        drawn = _precisions(scores.numpy(), weights, recall)
        base = (precision, drawn) if base is None else base
        rows[name] = {
            "cutoff": cutoff,
            "precision": precision,
            "precision_error": float(drawn.std()),
            "precision_gain": precision - base[0],
            "precision_gain_error": float((drawn - base[1]).std()),
            "passed": float(passed.mean()),
            "none": float((passed == 0).double().mean()),
            "most": int(passed.max()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _precisions(scores: NDArray[Any], weights: NDArray[Any], recall: float) -> NDArray[Any]:
    """The share of what is above the cut-off that is right, for each row of `weights` (k, n)."""
    match = scores.diagonal()
    order = match.argsort()
    others = ~np.eye(len(scores), dtype=bool)
    precisions = []
    for weight in weights:
        below = weight[order].cumsum()
        cutoff = match[order[np.searchsorted(below, (1 - recall) * below[-1], side="right")]]
        right = weight @ (match >= cutoff)
        wrong = weight @ ((scores >= cutoff) & others) @ weight
        precisions.append(right / (right + wrong))
    return np.array(precisions)


def over_models(sets: Iterable[tuple[str, Embeddings]]) -> pd.DataFrame:
    """Mean cosine of pairs and of others for each of `sets`, a row a name."""
    rows = {}
    for name, e in sets:
        found = samples(e)
        matched, others = list(found.values())[:2]
        rows[name] = {"matched": float(matched.mean()), "unmatched": float(others.mean())}
    return pd.DataFrame.from_dict(rows, orient="index")
