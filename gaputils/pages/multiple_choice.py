"""Multiple choice: every query has a small gallery of its own (Chowers et al. 2026, Fig. 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, as_matrix, as_targets, integer, unit_rows, work
from gaputils.closing.base import Closing
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise
from gaputils.scoring import SCORINGS, check_scoring, choice_costs, first_equals, least, settle

Sides = tuple[Tensor, Tensor]


def hard_choices(
    texts: Any, targets: Any, options: int = 4, seed: Seed = 0
) -> tuple[Tensor, Tensor]:
    """For each query the right text and the `options` - 1 texts that are most like it.

    `texts` (m, d), `targets` (n,) the right text of each query. Returns (n, `options`) rows of
    `texts`, in an order drawn from `seed` so that places tell nothing, and (n,) the right place.
    "Most like" is the greatest cosine between texts: which distractors are hard is not decided by
    the image. Raises `ValueError` if there are fewer texts than options, or a zero one.
    """
    texts = as_matrix("texts", texts)
    if integer("options", options, low=2) > len(texts):
        raise ValueError(f"options: expected at most the {len(texts)} texts, got {options}")
    right = torch.as_tensor(targets, device=texts.device)
    right = as_targets("targets", right, len(right), len(texts), texts.device)
    unit = unit_rows("texts", texts)
    unlike = settle(-unit[right] @ unit.mT, first_equals(texts))
    unlike[torch.arange(len(right)), right] = -math.inf
    chosen = least(unlike, options)
    draws = torch.rand(len(right), options, generator=as_generator(seed))
    order = draws.argsort(dim=1).to(texts.device)
    return chosen.gather(1, order), order.argmin(dim=1)


def close_once(fitted: Closing, queries: Any, options: Tensor) -> Sides:
    """All questions after one fitted method: queries (n, d) and options (n, k, d) moved.

    A method that keeps the rankings of a gallery keeps those of every part of it.
    """
    queries = as_matrix("queries", queries)
    moved_queries, flat = fitted.transform(queries, options.flatten(0, 1))
    return moved_queries, flat.view(*options.shape[:2], -1)


def close_each(method: Closing, queries: Any, options: Tensor, gap: Tensor | None = None) -> Sides:
    """`method` fitted on all queries and the options of one question, for each question.

    `queries` (n, d), `options` (n, k, d); returns both moved. The hull of one question's options
    has at most k - 1 dimensions, however many texts there are in all. With `gap` (d,) the queries
    that are fitted are moved so that every question sees that vector between the means, say the
    gap of the whole data set, instead of the one to its own options.
    """
    queries = as_matrix("queries", queries)
    mean = queries.mean(dim=0)
    moved = []
    for query, own in zip(queries, options, strict=True):
        seen = queries if gap is None else queries + (own.mean(dim=0) + gap - mean)
        moved.append(method.fit(seen, own).transform(query[None], own))
    return torch.cat([pair[0] for pair in moved]), torch.stack([pair[1] for pair in moved])


def choice_survival(
    queries: Any,
    options: Tensor,
    answers: Any,
    noise: GaussianNoise,
    scoring: str = "euclidean",
) -> tuple[Tensor, Tensor]:
    """Probabilities under noise on the options that the answer stays, and that it is right.

    `queries` (n, d), `options` (n, k, d), `answers` (n,) the right places; two results (n,).
    Exact. Robustness as in Chowers et al. 2026, Eq. 10, a gallery a question.
    """
    rows = work(as_matrix("queries", queries))
    wide = work(options)
    check_scoring(wide.flatten(0, 1), scoring)
    right = as_targets("answers", answers, len(rows), wide.shape[1], rows.device)
    costs = choice_costs(rows, wide, scoring)
    first = costs.argmin(dim=1)
    variance = noise.coordinate_variance(rows.shape[1])
    norms = torch.linalg.vector_norm(rows, dim=1)
    lengths = torch.linalg.vector_norm(wide, dim=2)
    wins = ExactWins(rows.shape[1], [variance], scoring)
    kept, hit = wins(costs, [first, right], norms, lengths)[0]
    return kept, hit


def choice_curve(
    start: Sides,
    end: Sides,
    answers: Any,
    alphas: Sequence[float],
    variances: Sequence[float],
    scoring: str = "euclidean",
) -> pd.DataFrame:
    """Mean robustness and accuracy along the straight line from `start` to `end`.

    Both are queries (n, d) with options (n, k, d); `alpha` is 0 at `start` and 1 at `end`.
    Columns: `alpha`, `variance` (total), `robustness`, `accuracy` (noise-free), `noisy_accuracy`.
    """
    right = torch.as_tensor(answers, device=start[0].device)
    points = []
    for alpha in alphas:
        line = torch.lerp(start[0], end[0], alpha), torch.lerp(start[1], end[1], alpha)
        clean = _share(choice_costs(*line, scoring).argmin(dim=1) == right)
        for variance in variances:
            noise = GaussianNoise(variance)
            kept, hit = choice_survival(*line, right, noise, scoring)
            point = {"alpha": float(alpha), "variance": variance, "robustness": _share(kept)}
            points.append({**point, "accuracy": clean, "noisy_accuracy": _share(hit)})
    return pd.DataFrame(points)


def compare_choices(
    sides: Mapping[str, Sides],
    answers: Any,
    variances: Sequence[float],
    scorings: Sequence[str] = SCORINGS,
) -> pd.DataFrame:
    """A row for each named pair of queries (n, d) and options (n, k, d), and each scoring.

    Columns: `method`, `scoring`, `accuracy`, `agreement` (share of questions answered as the
    first of `sides` does by Euclidean distance), ``robustness@v`` and ``accuracy@v`` at each total
    variance v.
    """
    first = next(iter(sides.values()))
    right = torch.as_tensor(answers, device=first[0].device)
    before = choice_costs(*first, "euclidean").argmin(dim=1)
    table = []
    for name, moved in sides.items():
        for scoring in scorings:
            found = choice_costs(*moved, scoring).argmin(dim=1)
            row: dict[str, Any] = {"method": name, "scoring": scoring}
            row["accuracy"], row["agreement"] = _share(found == right), _share(found == before)
            for variance in variances:
                noise = GaussianNoise(variance)
                kept, hit = choice_survival(*moved, right, noise, scoring)
                row[f"robustness@{variance:g}"] = _share(kept)
                row[f"accuracy@{variance:g}"] = _share(hit)
            table.append(row)
    return pd.DataFrame(table)


def _share(values: Tensor) -> float:
    return float(values.double().mean())
