"""Bounds of a survival probability from pairs of items: what a reader can hold in mind."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gaputils._checks import as_pair, as_targets, work
from gaputils.noise._cosine import squared_across
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import check_exact
from gaputils.scoring import centered, check_scoring, cost, first_equals, settle

_PAIRS = 2**18


def sandwich(
    queries: Any,
    gallery: Any,
    noise: GaussianNoise,
    *,
    targets: Any = None,
    scoring: str = "euclidean",
) -> tuple[Tensor, Tensor]:
    r"""Lower and upper bound (n,) of the probability that each query's item stays first.

    ``prod_{j != i} p_ij <= P(i first) <= min_j p_ij``, where ``p_ij`` is the probability that item
    ``i`` alone beats item ``j`` alone. `i` is each query's nearest item, or its target with
    `targets` (n,); `queries` (n, d), `gallery` (m, d), and isotropic Gaussian `noise` on the
    gallery as in `robustness`.

    The upper bound holds since to be first is to beat every single one. For the lower bound fix
    item ``i``'s noisy cost ``t``: the others are independent, so ``i`` is first with probability
    ``prod_j S_j(t)``, every ``S_j(t) = P(T_j > t)`` falls in ``t``, and functions that fall
    together are positively associated (Chebyshev): the expectation of their product over ``t`` is
    at least the product of their expectations ``p_ij``. (Our derivation.) The pairs are integrated
    by the exact engine, each to the error of `robustness` (`tests/noise/test_bounds.py`); errors
    of many pairs add up in the lower bound. For Euclidean scoring and many dimensions
    ``p_ij = Phi((D_j - D_i) / (2 sqrt(v) sqrt(D_i + D_j + d v)))`` with ``D`` squared distances: a
    gap ``g`` orthogonal to the gallery's hull stands there as ``+2 |g|^2`` under the root.

    Raises as `robustness` does.

    >>> import numpy as np
    >>> queries, gallery = np.array([[0.4, 0.1]]), np.array([[0, 0], [1, 0], [0, 1]])
    >>> lower, upper = sandwich(queries, gallery, GaussianNoise(0.5))
    >>> print(f"{lower.item():.3f} to {upper.item():.3f}")
    0.433 to 0.579
    """
    queries, gallery = as_pair(queries, gallery)
    check_scoring(gallery, scoring, queries)
    dim = queries.shape[1]
    variance = check_exact(noise, scoring, dim).coordinate_variance(dim)
    chosen = None
    if targets is not None:
        chosen = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    middle, wide = centered(gallery, scoring)
    lengths = torch.linalg.vector_norm(wide, dim=1)
    twins, step = first_equals(gallery), max(1, _PAIRS // len(gallery))
    bounds = []
    for start in range(0, len(queries), step):
        rows = work(queries[start : start + step])
        rows = rows - middle if scoring == "euclidean" else rows
        costs = settle(cost(rows, wide, scoring), twins)
        own = costs.argmin(dim=1) if chosen is None else chosen[start : start + step]
        across = None
        if scoring == "cosine" and variance > 0:
            across = squared_across(rows, wide, lengths, variance)
        beaten = _beaten(costs, own, rows, lengths, across, ExactWins(dim, [variance], scoring))
        bounds.append(torch.stack([torch.log1p(-beaten).sum(dim=1).exp(), 1 - beaten.amax(dim=1)]))
    lower, upper = torch.cat(bounds, dim=1).to(queries.dtype)
    return lower, upper


def _beaten(
    costs: Tensor,
    own: Tensor,
    rows: Tensor,
    lengths: Tensor,
    across: Tensor | None,
    wins: ExactWins,
) -> Tensor:
    """(n, m) probability that each item alone beats item `own` (n,) of its row; 0 for itself."""
    items = costs.shape[1]
    index = own[:, None]

    def paired(values: Tensor) -> Tensor:
        return torch.stack([values.gather(1, index).expand_as(costs), values], dim=2).flatten(0, 1)

    pairs, both = paired(costs), paired(lengths.expand_as(costs))
    aside = None if across is None else paired(across)
    norms = torch.linalg.vector_norm(rows, dim=1).repeat_interleave(items)
    second = torch.ones(len(pairs), dtype=torch.int64, device=costs.device)
    beaten = wins(pairs, [second], norms, both, aside)[0][0].view_as(costs)
    return beaten.scatter(1, index, 0.0).clamp(0, 1)
