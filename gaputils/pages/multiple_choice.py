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
from gaputils.evaluation.table import Key, Outcome, tabulate
from gaputils.noise._monte_carlo import Estimate
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import Answers
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
    """All questions after one fitted closing: queries (n, d) and options (n, k, d) moved.

    A closing that keeps the rankings of a gallery keeps those of every part of it.
    """
    queries = as_matrix("queries", queries)
    moved_queries, flat = fitted.transform(queries, options.flatten(0, 1))
    return moved_queries, flat.view(*options.shape[:2], -1)


def close_each(closing: Closing, queries: Any, options: Tensor, gap: Tensor | None = None) -> Sides:
    """`closing` fitted on all queries and the options of one question, for each question.

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
        moved.append(closing.fit(seen, own).transform(query[None], own))
    return torch.cat([pair[0] for pair in moved]), torch.stack([pair[1] for pair in moved])


def choice_answers(
    queries: Any,
    options: Tensor,
    answers: Any,
    noises: Sequence[GaussianNoise],
    scoring: str = "euclidean",
) -> Answers:
    """Each question's answer, and probabilities under noise that it stays and that it is right.

    `queries` (n, d), `options` (n, k, d), `answers` (n,) the right places. Exact. Robustness as in
    Chowers et al. 2026, Eq. 10, a gallery a question.
    """
    rows = work(as_matrix("queries", queries))
    wide = work(options)
    check_scoring(wide.flatten(0, 1), scoring)
    right = as_targets("answers", answers, len(rows), wide.shape[1], rows.device)
    costs = choice_costs(rows, wide, scoring)
    first = costs.argmin(dim=1)
    variances = [noise.coordinate_variance(rows.shape[1]) for noise in noises]
    norms = torch.linalg.vector_norm(rows, dim=1)
    lengths = torch.linalg.vector_norm(wide, dim=2)
    wins = ExactWins(rows.shape[1], variances, scoring)
    found = wins(costs, [first, right], norms, lengths)
    kept, hit = ([Estimate.exact(pair[k]) for pair in found] for k in (0, 1))
    return Answers(first, kept, hit)


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
    Columns: `alpha`, `variance` (total), `robustness`, `accuracy` (noise-free), `right` (under
    noise).
    """
    noises = {f"{variance:g}": GaussianNoise(variance) for variance in variances}
    parts = []
    for alpha in alphas:
        line = torch.lerp(start[0], end[0], alpha), torch.lerp(start[1], end[1], alpha)
        frame = compare_choices({"": line}, answers, noises, [scoring], bootstrap=0)
        frame["variance"] = list(variances)
        parts.append(frame.assign(alpha=float(alpha)))
    columns = ["alpha", "variance", "robustness", "accuracy", "right"]
    return pd.concat(parts, ignore_index=True)[columns]


def compare_choices(
    sides: Mapping[str, Sides],
    answers: Any,
    noises: Mapping[str, GaussianNoise],
    scorings: Sequence[str] = SCORINGS,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The table of `compare_closings` where each query has a gallery of its own.

    `sides` maps a closing to the queries (n, d) and options (n, k, d) that it returned; the first
    of them are the original, over which gains are counted.
    """
    first = next(iter(sides))
    right = torch.as_tensor(answers, device=sides[first][0].device)
    outcomes: dict[Key, Outcome] = {}
    labels = {label: None if label == first else label for label in sides}
    for label, pair in sides.items():
        for scoring in scorings:
            each = list(noises.values())
            found = choice_answers(*pair, right, each, scoring)
            for noise, kept, hit in zip(noises, found.kept, found.right or [], strict=True):
                outcomes[labels[label], scoring, noise] = Outcome(found.nearest, kept, hit)
    return tabulate(outcomes, labels, right, bootstrap, seed)
