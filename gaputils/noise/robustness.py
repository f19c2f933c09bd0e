"""How often a nearest neighbour survives noise on the embeddings (Chowers et al. 2026, Eq. 10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import Seed, as_answers, as_pair, choice, number, work
from gaputils.noise._cosine import squared_across
from gaputils.noise._monte_carlo import Estimate, simulate
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.scoring import (
    _nearest,
    centered,
    check_scoring,
    cost,
    first_equals,
    least,
    precise_costs,
    settle,
)

METHODS = ("exact", "monte-carlo")


def robustness(
    queries: Any,
    gallery: Any,
    noise: Noise,
    method: str = "exact",
    *,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> Tensor:
    """Probability that each query keeps its nearest gallery item under noise.

    Chowers et al. 2026, Eq. 10, per query. `queries` (n, d), `gallery` (m, d); returns (n,)
    probabilities in [0, 1].

    `method="exact"` needs no sampling: it is one integral a query, which
    `gaputils.noise._exact.expected_product` sums (`_few_cosine` where cosine meets few dimensions
    and strong noise). It is for isotropic Gaussian noise on the gallery, independent from item to
    item, under any scoring; "cosine" renormalises the noisy gallery. For a variance above 0 its
    absolute error is below 1e-4 beside independent quadrature in 1 (cosine: 2) to 4,096 dimensions
    and galleries to 100,000 items (`tests/noise/test_exact.py`,
    `tests/noise/test_cosine_bound.py`): 1e-5 of it, `tolerance`, is allowed for items too far away
    to matter. Where few dimensions and strong noise meet under "cosine", tested to 50,000 items,
    thousands that count cost a tenth of a second a query, of many lengths a second or more.
    A common offset of coordinates costs no digits to 1e6, nor to 1e7 under "cosine", as long as
    double precision tells which clean item is nearest. Without noise, and for the inner products
    of a query of zeros, the nearest item stays first.
    `method="monte-carlo"` takes any noise; `draws` and `seed` say how often and from where;
    `estimate` gives its standard error.

    Raises `ValueError` if the dimensions differ, a value is not finite, a row is zero under
    "cosine", or `method` cannot answer for this noise or scoring.

    >>> import numpy as np
    >>> queries, gallery = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> for scoring in ("euclidean", "inner-product", "cosine"):
    ...     print(f"{robustness(queries, gallery, GaussianNoise(1.0), scoring=scoring).item():.3f}")
    0.878
    0.841
    0.853
    """
    choice("method", method, METHODS)
    queries, gallery, _ = _checked(queries, gallery, noise, scoring, None)
    if method == "monte-carlo":
        winner = _nearest(queries, gallery, scoring)
        return simulate(queries, gallery, noise, [winner], scoring, draws, seed)[0].per_query
    return _exact_wins(queries, gallery, [noise], [None], scoring, tolerance)[1][0][0]


def accuracy_under_noise(
    queries: Any,
    gallery: Any,
    targets: Any,
    noise: Noise,
    method: str = "exact",
    *,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> Tensor:
    """Probability that each query's nearest item under noise is its target.

    As `robustness`, with `targets` (n,) in the place of the noise-free nearest items; or (n, k),
    each of which is right, filled up with -1 for queries with fewer (`Embeddings.answers`), whose
    errors, each within the bound of `robustness`, add up. Raises
    `ValueError` for targets that are no rows of the gallery, and as `robustness` does.

    >>> import numpy as np, gaputils as gu
    >>> queries, gallery = np.array([[2.0, 0.0]]), np.eye(2)
    >>> gu.accuracy_under_noise(queries, gallery, [1], gu.GaussianNoise(1.0)).numpy().round(3)
    array([0.122])
    """
    choice("method", method, METHODS)
    queries, gallery, _ = _checked(queries, gallery, noise, scoring, None)
    wanted = as_answers("targets", targets, len(queries), len(gallery), queries.device)
    if method == "monte-carlo":
        return simulate(queries, gallery, noise, [wanted], scoring, draws, seed)[0].per_query
    return _exact_wins(queries, gallery, [noise], [wanted], scoring, tolerance)[1][0][0]


def estimate(
    queries: Any,
    gallery: Any,
    noise: Noise,
    method: str = "monte-carlo",
    *,
    targets: Any = None,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
    tolerance: float = 1e-5,
) -> tuple[Estimate, Estimate | None]:
    """Robustness and, with `targets` (n,), accuracy, each with its standard error.

    `method="auto"` is exact wherever `robustness` can be, with an error and a number of draws of
    zero, and samples any other noise; "exact" and "monte-carlo" are as there, with the same
    assumptions and the same bound of the error.

    >>> import numpy as np
    >>> queries, gallery = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> kept, right = estimate(queries, gallery, GaussianNoise(1.0), "auto", targets=[1])
    >>> print(f"{kept.mean:.3f} {right.mean:.3f} from {kept.draws} draws")
    0.878 0.122 from 0 draws
    """
    choice("method", method, (*METHODS, "auto"))
    queries, gallery, wanted = _checked(queries, gallery, noise, scoring, targets)
    winners = [None, wanted] if wanted is not None else [None]
    answerable = method == "auto" and has_exact_answer(noise, scoring, queries.shape[1])
    if method == "exact" or answerable:
        shares = _exact_wins(queries, gallery, [noise], winners, scoring, tolerance)[1][0]
        found = [Estimate.exact(share) for share in shares]
    else:
        first = _nearest(queries, gallery, scoring)
        chosen = [first if winner is None else winner for winner in winners]
        found = simulate(queries, gallery, noise, chosen, scoring, draws, seed)
    return found[0], (found[1] if wanted is not None else None)


def certified_radius(queries: Any, gallery: Any) -> Tensor:
    """Norm of the smallest joint change of the gallery that changes each query's nearest item.

    With `a` the distance to the nearest item and `b` to another, the least change of the two that
    exchanges them has norm ``(b - a) / sqrt(2)``; the smallest over the others is returned, (n,),
    infinite for a gallery of one item. Euclidean ranking. (Our derivation.)
    """
    queries, gallery = as_pair(queries, gallery)
    if len(gallery) == 1:
        return torch.full((len(queries),), math.inf, dtype=queries.dtype, device=queries.device)
    step = max(1, 2**23 // len(gallery))
    middle, wide = centered(gallery, "euclidean")
    radii = []
    for rows in queries.split(step):
        squared = precise_costs(rows, wide, "euclidean", middle)[0].clamp_min(0)
        near = squared.topk(2, dim=1, largest=False, sorted=True).values.sqrt()
        radii.append((near[:, 1] - near[:, 0]) / math.sqrt(2))
    return torch.cat(radii).to(queries.dtype)


def has_exact_answer(noise: Noise, scoring: str, dim: int) -> bool:
    """Whether the exact engine can answer: for isotropic Gaussian noise on the gallery.

    In one dimension a cosine is a sign, which all items on one side of zero share: there is no
    first among them.
    """
    gaussian = isinstance(noise, GaussianNoise) and noise.on == "gallery"
    return gaussian and not (scoring == "cosine" and dim == 1)


def check_exact(noise: Noise, scoring: str, dim: int) -> GaussianNoise:
    """`noise` if the exact engine can answer for it under `scoring`, else a `ValueError`."""
    if not isinstance(noise, GaussianNoise) or noise.on != "gallery":
        raise ValueError(
            f"method: 'exact' is for GaussianNoise on the gallery, got {noise!r}; "
            "use method='monte-carlo'"
        )
    if not has_exact_answer(noise, scoring, dim):
        raise ValueError(
            "scoring: expected 'euclidean' or 'inner-product' in one dimension, where a cosine is "
            f"a sign, got {scoring!r}"
        )
    return noise


@dataclass(frozen=True)
class Answers:
    """Each query's nearest item without noise, (n,), and how it fares under each of the noises.

    `kept` says how probably that item stays the nearest, `right` how probably the target is.
    """

    nearest: Tensor
    kept: list[Estimate]
    right: list[Estimate] | None


def answers_under(
    queries: Tensor,
    gallery: Tensor,
    noises: Sequence[Noise],
    targets: Tensor | None,
    scoring: str,
    draws: int,
    seed: Seed,
) -> Answers:
    """Exact for the noises for which there is an exact answer, else from `draws` draws.

    What every comparison is made of. The arguments are not checked again.
    """
    wanted = [] if targets is None else [targets]
    exact = [noise for noise in noises if has_exact_answer(noise, scoring, queries.shape[1])]
    found = _nearest(queries, gallery, scoring) if len(exact) < len(noises) else None
    solved: list[list[Tensor]] = []
    if exact:
        found, solved = _exact_wins(queries, gallery, exact, [found, *wanted], scoring, 1e-5)
    assert found is not None
    left = iter(solved)
    estimates = [
        [Estimate.exact(share) for share in next(left)]
        if noise in exact
        else simulate(queries, gallery, noise, [found, *wanted], scoring, draws, seed)
        for noise in noises
    ]
    right = None if targets is None else [one[1] for one in estimates]
    return Answers(found, [one[0] for one in estimates], right)


def _exact_wins(
    queries: Tensor,
    gallery: Tensor,
    noises: Sequence[Noise],
    winners: Sequence[Tensor | None],
    scoring: str,
    tolerance: float,
) -> tuple[Tensor, list[list[Tensor]]]:
    """Nearest items (n,), and for each noise the win probabilities (n,) of each of `winners`.

    Of these each is (n,) or (n, k), any of which may win, or None for each query's own nearest.
    """
    dim = queries.shape[1]
    variances = [check_exact(noise, scoring, dim).coordinate_variance(dim) for noise in noises]
    number("tolerance", tolerance, low=0, high=1, strict=True)
    step = max(1, 2**22 // len(gallery))
    middle, wide = centered(gallery, scoring)
    lengths, twins = torch.linalg.vector_norm(wide, dim=1), first_equals(work(gallery))
    wins = ExactWins(dim, variances, scoring, tolerance)
    faintest = min((variance for variance in variances if variance > 0), default=math.inf)
    first, parts = [], []
    for start in range(0, len(queries), step):
        rows = queries[start : start + step]
        costs, norms = precise_costs(rows, wide, scoring, middle)
        across = squared_across(rows, wide, lengths, faintest) if scoring == "cosine" else None
        if across is not None:  # rounding tells who is nearest: it is to be who `nearest` says
            costs = cost(work(rows), wide, scoring)
        costs = settle(costs, twins)
        first.append(least(costs, 1)[:, 0])
        asked = [first[-1] if one is None else one[start : start + step] for one in winners]
        columns = [one.view(len(one), -1).unbind(1) for one in asked]
        asked_for = [column for one in columns for column in one]
        each = wins(costs, asked_for, norms, lengths, across)
        sizes = [len(one) for one in columns]
        parts.append([[p.sum(0) for p in torch.split(torch.stack(v), sizes)] for v in each])
    shares = [
        [
            torch.cat([part[v][k] for part in parts]).clamp(0, 1).to(queries.dtype)
            for k in range(len(winners))
        ]
        for v in range(len(variances))
    ]
    return torch.cat(first), shares


def _checked(
    queries: Any, gallery: Any, noise: Any, scoring: str, targets: Any
) -> tuple[Tensor, Tensor, Tensor | None]:
    queries, gallery = as_pair(queries, gallery)
    check_scoring(gallery, scoring, queries)
    if not isinstance(noise, Noise):
        raise TypeError(f"noise: expected a noise such as GaussianNoise, got {noise!r}")
    if targets is not None:
        targets = as_answers("targets", targets, len(queries), len(gallery), queries.device)
    return queries, gallery, targets
