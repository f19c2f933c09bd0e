"""Robustness by drawing the noise: any noise, any scoring, with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, integer
from gaputils.noise.perturbations import Noise
from gaputils.scoring import all_costs


@dataclass(frozen=True)
class Estimate:
    """Shares of draws, per query and as a mean over queries.

    `per_query` (n,); `mean` and its `standard_error` over draws. The queries of one draw share
    its noise, so the error is taken between draws, not between queries. It is 0 for noise that
    is not random, and nan for a single draw of noise that is.
    """

    per_query: Tensor
    mean: float
    standard_error: float
    draws: int


def simulate(
    queries: Tensor,
    gallery: Tensor,
    noise: Noise,
    winners: list[Tensor],
    scoring: str,
    draws: int,
    seed: Seed,
) -> list[Estimate]:
    """How often one of `winners[k]`, (n,) or (n, items), is nearest under noise, for each k.

    Raises `TypeError` or `ValueError` unless `draws` is an integer of at least 1.
    """
    draws = integer("draws", draws, low=1)
    generator = as_generator(seed, gallery.device)
    draws = draws if noise.random else 1
    hits = [torch.zeros(len(queries), device=queries.device) for _ in winners]
    shares = torch.zeros(len(winners), draws, dtype=torch.float64)
    for draw in range(draws):
        noisy_queries, noisy_gallery = noise.apply(queries, gallery, generator)
        found = torch.cat(
            [costs.argmin(dim=1) for costs in all_costs(noisy_queries, noisy_gallery, scoring)]
        )
        for k, winner in enumerate(winners):
            own = winner.view(len(winner), -1)
            hit = (found[:, None] == own).any(dim=1).to(torch.float32)
            hits[k] += hit
            shares[k, draw] = float(hit.mean())
    return [
        Estimate(
            hits[k] / draws,
            float(shares[k].mean()),
            _standard_error(shares[k]) if noise.random else 0.0,
            draws,
        )
        for k in range(len(winners))
    ]


def _standard_error(shares: Tensor) -> float:
    if len(shares) < 2:
        return math.nan
    return float(shares.std() / math.sqrt(len(shares)))
