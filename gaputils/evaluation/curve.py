"""Robustness and accuracy as a closing method goes from nothing to all of its effect."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_answers, as_pair, choice, listed, number, work
from gaputils.closing.base import Closing
from gaputils.noise._cosine import squared_across
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.noise.robustness import METHODS, check_exact, estimate
from gaputils.scoring import centered, check_scoring, cost, first_equals, nearest, settle

_CHUNK = 2**21


def robustness_curve(
    queries: Any,
    gallery: Any,
    closing: Closing,
    alphas: Sequence[float],
    noises: Noise | Sequence[Noise],
    *,
    targets: Any = None,
    method: str = "exact",
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> pd.DataFrame:
    """Mean robustness and accuracy against `alpha`, a row per alpha and noise.

    `closing` is fitted on `queries` (n, d) and `gallery` (m, d); `alpha` goes along the straight
    line from the original sides (0) to its result (1) and on, which for `MeanShift` is its own
    ``alpha``. `targets` (as for `accuracy_under_noise`) add the accuracies.

    Columns: `alpha`, `noise`, `variance` (total; missing for other noises), `robustness`,
    `unchanged` (share of queries whose noise-free nearest item is the original one), and with
    targets `accuracy` (noise-free) and `right`; Monte Carlo adds `standard_error` of the
    robustness. Exact curves share one set of matrix products over all alphas and noises; Monte
    Carlo draws the same noise for every alpha.

    Raises as `robustness` does, and `TypeError` or `ValueError` for `alphas` and `noises` that are
    no lists or empty, and steps so large that squares leave the range of the numbers.

    >>> import numpy as np, gaputils as gu
    >>> queries, gallery = np.array([[0.2, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> noise = gu.GaussianNoise(0.5)
    >>> curve = gu.robustness_curve(queries, gallery, gu.MeanShift(), [0, 1], noise)
    >>> curve[["alpha", "robustness", "unchanged"]].round(3)
       alpha  robustness  unchanged
    0    0.0       0.637        1.0
    1    1.0       0.719        1.0
    """
    queries, gallery = as_pair(queries, gallery)
    choice("method", method, METHODS)
    check_scoring(gallery, scoring, queries)
    if not isinstance(closing, Closing):
        raise TypeError(f"closing: expected a closing method such as MeanShift, got {closing!r}")
    alphas = [number("alphas", alpha) for alpha in listed("alphas", alphas, "number")]
    each = [noises] if isinstance(noises, Noise) else listed("noises", noises, "noise")
    for noise in each:
        if not isinstance(noise, Noise):
            raise TypeError(f"noises: expected noises such as GaussianNoise, got {noise!r}")
    number("tolerance", tolerance, low=0, high=1, strict=True)
    wanted = None
    if targets is not None:
        wanted = as_answers("targets", targets, len(queries), len(gallery), queries.device)
    moved = closing.fit(queries, gallery).transform(queries, gallery)
    line = _Line(queries, gallery, *moved)
    reach = line.reach(method)
    for alpha in alphas:
        number("alphas", alpha, low=-reach, high=reach)
    if method == "monte-carlo":
        rows = _monte_carlo(line, alphas, each, wanted, scoring, draws, seed)
    else:
        between = all(0 <= alpha <= 1 for alpha in alphas) or torch.equal(queries, moved[0])
        same_order = closing.preserves_ranking and scoring == "euclidean" and between
        rows = _exact(line, alphas, each, wanted, scoring, tolerance, same_order)
    return pd.DataFrame(rows)


@dataclass
class _Line:
    """Straight line from one pair of sides to another, both in the same space."""

    queries: Tensor
    gallery: Tensor
    moved_queries: Tensor
    moved_gallery: Tensor

    def at(self, alpha: float) -> tuple[Tensor, Tensor]:
        return (
            torch.lerp(self.queries, self.moved_queries, alpha),
            torch.lerp(self.gallery, self.moved_gallery, alpha),
        )

    def reach(self, method: str) -> float:
        """The step, 1 or more, up to which squares and products stay in the numbers' range."""
        sides = self.queries, self.gallery, self.moved_queries, self.moved_gallery
        norms = [torch.linalg.vector_norm(work(side), dim=1) for side in sides]
        dtype = norms[0].dtype if method == "exact" else self.queries.dtype
        longest = max(1.0, *(float(norm.max()) for norm in norms))
        return max(1.0, math.sqrt(torch.finfo(dtype).max) / (8 * longest) - 1)

    def chunks(self, scoring: str) -> Iterable[tuple[slice, _Products]]:
        """Slices of the queries, each with the products from which every alpha's costs follow."""
        middle, base = centered(self.gallery, scoring)
        still = torch.equal(self.gallery, self.moved_gallery)
        moved_middle, end = (middle, base) if still else centered(self.moved_gallery, scoring)
        step = max(1, _CHUNK // len(base))
        for start in range(0, len(self.queries), step):
            rows = slice(start, start + step)
            own, moved = work(self.queries[rows]), work(self.moved_queries[rows])
            if scoring == "euclidean":
                own, moved = own - middle, moved - moved_middle
            yield rows, _Products(own, moved, base, end)


class _Products:
    """Inner products of a chunk of queries with the gallery, at both ends and across."""

    def __init__(self, own: Tensor, moved: Tensor, base: Tensor, end: Tensor) -> None:
        self.own, self.moved, self.base, self.end = own, moved, base, end
        same_queries, same_gallery = torch.equal(own, moved), end is base
        self.first = own @ base.mT
        to_end = self.first if same_gallery else own @ end.mT
        from_moved = self.first if same_queries else moved @ base.mT
        if same_queries or same_gallery:
            self.last = to_end if same_queries else from_moved
        else:
            self.last = moved @ end.mT
        self.cross = to_end + from_moved

    def cost(
        self, alpha: float, scoring: str, variance: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Costs (rows, m) at `alpha`; norms of the queries (rows,) and of the items (m,).

        The last is `squared_across` for noise of `variance`, where a cosine does not tell it: there
        the sums of products would not tell the cosines either.
        """
        rest, sign = 1 - alpha, -2 if scoring == "euclidean" else -1
        costs = self.first * (sign * rest * rest)
        costs.add_(self.last, alpha=sign * alpha * alpha)
        costs.add_(self.cross, alpha=sign * rest * alpha)
        rows = torch.lerp(self.own, self.moved, alpha)
        items = self.base if self.end is self.base else torch.lerp(self.base, self.end, alpha)
        query, item = (torch.linalg.vector_norm(side, dim=1) for side in (rows, items))
        across = None
        if scoring == "cosine":
            across = squared_across(rows, items, item, variance)
            costs = costs.div_(item) if across is None else cost(rows, items, scoring)
        elif scoring == "euclidean":
            costs.add_(item.square()).add_(query.square()[:, None])
        return costs, query, item, across


def _exact(
    line: _Line,
    alphas: list[float],
    noises: list[Noise],
    targets: Tensor | None,
    scoring: str,
    tolerance: float,
    same_order: bool,
) -> list[dict[str, Any]]:
    dim, count = line.queries.shape[1], len(line.queries)
    gaussian = [check_exact(noise, scoring, dim) for noise in noises]
    variances = [noise.coordinate_variance(dim) for noise in gaussian]
    sums = torch.zeros(len(alphas), len(noises), 2, dtype=torch.float64)
    clean = torch.zeros(len(alphas), 2, dtype=torch.float64)
    least = min((variance for variance in variances if variance > 0), default=math.inf)
    ends = work(line.gallery), work(line.moved_gallery)
    twins = [first_equals(torch.lerp(*ends, alpha)) for alpha in alphas]
    twins_before = first_equals(ends[0])
    for rows, products in line.chunks(scoring):
        wins = ExactWins(dim, variances, scoring, tolerance, same_order)
        original = settle(products.cost(0.0, scoring, least)[0], twins_before).argmin(dim=1)
        for a, alpha in enumerate(alphas):
            costs, norms, lengths, across = products.cost(alpha, scoring, least)
            if scoring == "cosine" and not bool(norms.all() and lengths.all()):
                raise ValueError(f"alphas: expected no row of norm zero for cosine, got {alpha:g}")
            settle(costs, twins[a])
            winner = costs.argmin(dim=1)
            clean[a, 0] += float((winner == original).sum())
            winners = [winner]
            if targets is not None:
                winners += targets[rows].unbind(1)
                clean[a, 1] += float((winner[:, None] == targets[rows]).sum())
            answers = wins(costs, winners, norms, lengths, across)
            for n, (kept, *right) in enumerate(answers):
                sums[a, n, 0] += float(kept.sum())
                sums[a, n, 1] += sum(float(probability.sum()) for probability in right)
    return [
        _row(
            alpha,
            noise,
            float(sums[a, n, 0]) / count,
            float(clean[a, 0]) / count,
            None if targets is None else (clean[a, 1].item() / count, sums[a, n, 1].item() / count),
        )
        for a, alpha in enumerate(alphas)
        for n, noise in enumerate(noises)
    ]


def _monte_carlo(
    line: _Line,
    alphas: list[float],
    noises: list[Noise],
    targets: Tensor | None,
    scoring: str,
    draws: int,
    seed: Seed,
) -> list[dict[str, Any]]:
    seed = torch.seed() % 2**31 if seed is None else seed
    state = seed.get_state() if isinstance(seed, torch.Generator) else None
    original = nearest(line.queries, line.gallery, scoring)
    rows = []
    for alpha in alphas:
        queries, gallery = line.at(alpha)
        found = nearest(queries, gallery, scoring)
        for noise in noises:
            if isinstance(seed, torch.Generator) and state is not None:
                seed.set_state(state)
            kept, right = estimate(
                queries, gallery, noise, targets=targets, scoring=scoring, draws=draws, seed=seed
            )
            accuracies = None
            if targets is not None and right is not None:
                clean = (found[:, None] == targets).any(dim=1)
                accuracies = (float(clean.double().mean()), right.mean)
            unchanged = float((found == original).double().mean())
            row = _row(alpha, noise, kept.mean, unchanged, accuracies)
            rows.append({**row, "standard_error": kept.standard_error})
    return rows


def _row(
    alpha: float,
    noise: Noise,
    robustness: float,
    unchanged: float,
    accuracies: tuple[float, float] | None,
) -> dict[str, Any]:
    gaussian = isinstance(noise, GaussianNoise) and noise.per == "vector"
    row: dict[str, Any] = {
        "alpha": alpha,
        "noise": repr(noise),
        "variance": noise.variance if isinstance(noise, GaussianNoise) and gaussian else None,
        "robustness": robustness,
        "unchanged": unchanged,
    }
    if accuracies is not None:
        row["accuracy"], row["right"] = accuracies
    return row
