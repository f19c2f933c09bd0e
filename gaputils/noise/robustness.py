"""How often a nearest neighbour survives noise on the embeddings (Chowers et al. 2026, Eq. 10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import Seed, as_pair, as_targets, choice, number, work
from gaputils.noise._monte_carlo import Estimate, simulate
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.scoring import _nearest, check_scoring, cost

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

    `method="exact"` needs no sampling (`gaputils._exact`): Gaussian noise on the gallery, scoring
    "euclidean" or "inner-product"; its absolute error is below 1e-4 for any d, of which
    `tolerance` is the share allowed for items too far away to matter. `method="monte-carlo"`
    takes any noise and also "cosine", where the noisy gallery is renormalised; `draws` and `seed`
    say how often and from where; `estimate` gives its standard error.

    Raises `ValueError` if the dimensions differ, a value is not finite, or `method` cannot answer
    for this noise or scoring.
    """
    queries, gallery, _ = _checked(queries, gallery, noise, method, scoring, None)
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

    As `robustness`, with `targets` (n,) in the place of the noise-free nearest items.
    """
    queries, gallery, _ = _checked(queries, gallery, noise, method, scoring, None)
    wanted = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    if method == "monte-carlo":
        return simulate(queries, gallery, noise, [wanted], scoring, draws, seed)[0].per_query
    return _exact_wins(queries, gallery, [noise], [wanted], scoring, tolerance)[1][0][0]


def estimate(
    queries: Any,
    gallery: Any,
    noise: Noise,
    *,
    targets: Any = None,
    scoring: str = "euclidean",
    draws: int = 1000,
    seed: Seed = 0,
) -> tuple[Estimate, Estimate | None]:
    """Monte-Carlo robustness and, with `targets` (n,), accuracy, each with its standard error."""
    queries, gallery, wanted = _checked(queries, gallery, noise, "monte-carlo", scoring, targets)
    winners = [_nearest(queries, gallery, scoring), *([] if wanted is None else [wanted])]
    found = simulate(queries, gallery, noise, winners, scoring, draws, seed)
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
    radii = []
    for rows in queries.split(step):
        squared = cost(work(rows), work(gallery), "euclidean").clamp_min(0)
        near = squared.topk(2, dim=1, largest=False, sorted=True).values.sqrt()
        radii.append((near[:, 1] - near[:, 0]) / math.sqrt(2))
    return torch.cat(radii).to(queries.dtype)


def check_exact(noise: Noise, scoring: str) -> GaussianNoise:
    """`noise` if the exact engine can answer for it under `scoring`, else a `ValueError`."""
    if not isinstance(noise, GaussianNoise) or noise.on != "gallery":
        raise ValueError(
            f"method: 'exact' is for GaussianNoise on the gallery, got {noise!r}; "
            "use method='monte-carlo'"
        )
    if scoring == "cosine":
        raise ValueError("method: 'exact' has no 'cosine' scoring; use method='monte-carlo'")
    return noise


def has_exact_answer(noise: Noise, scoring: str, dim: int) -> bool:  # noqa: ARG001
    """Whether the exact engine can answer: for isotropic Gaussian noise on the gallery."""
    return isinstance(noise, GaussianNoise) and noise.on == "gallery" and scoring != "cosine"


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
    """Nearest items (n,), and for each noise the win probabilities (n,) of each of `winners` (n,).

    None among these is each query's own nearest item.
    """
    dim = queries.shape[1]
    variances = [check_exact(noise, scoring).coordinate_variance(dim) for noise in noises]
    number("tolerance", tolerance, low=0, high=1, strict=True)
    step = max(1, 2**22 // len(gallery))
    wide = work(gallery)
    nearest, shares = [], []
    for start in range(0, len(queries), step):
        rows = work(queries[start : start + step])
        costs = cost(rows, wide, scoring)
        nearest.append(costs.argmin(dim=1))
        asked = [nearest[-1] if one is None else one[start : start + step] for one in winners]
        norms = torch.linalg.vector_norm(rows, dim=1)
        shares.append(ExactWins(dim, variances, scoring, tolerance)(costs, asked, norms))
    joined = [
        [
            torch.cat([part[v][k] for part in shares]).clamp(0, 1).to(queries.dtype)
            for k in range(len(winners))
        ]
        for v in range(len(variances))
    ]
    return torch.cat(nearest), joined


def _checked(
    queries: Any, gallery: Any, noise: Any, method: str, scoring: str, targets: Any
) -> tuple[Tensor, Tensor, Tensor | None]:
    queries, gallery = as_pair(queries, gallery)
    choice("method", method, METHODS)
    check_scoring(gallery, scoring, queries)
    if not isinstance(noise, Noise):
        raise TypeError(f"noise: expected a noise such as GaussianNoise, got {noise!r}")
    if method == "exact":
        check_exact(noise, scoring)
    if targets is not None:
        targets = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    return queries, gallery, targets
