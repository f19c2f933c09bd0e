"""Robustness by drawing the noise: any noise, any scoring, with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, integer
from gaputils.noise.perturbations import Noise
from gaputils.scoring import cost


@dataclass(frozen=True)
class Estimate:
    """Shares of draws, per query and as a mean over queries.

    `per_query` (n,); `mean` and its `standard_error` over draws; `shares` (draws,) the mean of each
    draw. The queries of one draw share its noise, so the error is taken between draws, not between
    queries. It is 0 for noise that is not random, and nan for a single draw of noise that is.
    An exact answer has an error of 0 and no draws.
    """

    per_query: Tensor
    mean: float
    standard_error: float
    draws: int
    shares: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))

    @classmethod
    def exact(cls, per_query: Tensor) -> Estimate:
        """Probabilities (n,) that need no sampling."""
        return cls(per_query, float(per_query.double().mean()), 0.0, 0)

    @classmethod
    def sampled(cls, hits: Tensor, shares: Tensor, random: bool = True) -> Estimate:
        """From how often each query was hit, `hits` (n,), and each draw's `shares` (draws,)."""
        error = _standard_error(shares) if random else 0.0
        return cls(hits / len(shares), float(shares.mean()), error, len(shares), shares)


def simulate(
    queries: Tensor,
    gallery: Tensor,
    noise: Noise,
    winners: list[Tensor],
    scoring: str,
    draws: int,
    seed: Seed,
) -> list[Estimate]:
    """How often item `winners[k]` (n,) is the nearest under noise, an estimate for each k.

    Raises `TypeError` or `ValueError` unless `draws` is an integer of at least 1.
    """
    draws = integer("draws", draws, low=1)
    generator = as_generator(seed, gallery.device)
    draws = draws if noise.random else 1
    hits = [torch.zeros(len(queries), device=queries.device) for _ in winners]
    shares = torch.zeros(len(winners), draws, dtype=torch.float64)
    step = max(1, 2**24 // len(gallery))
    for draw in range(draws):
        noisy_queries, noisy_gallery = noise.apply(queries, gallery, generator)
        found = torch.cat(
            [
                cost(rows, noisy_gallery, scoring).argmin(dim=1)
                for rows in torch.split(noisy_queries, step)
            ]
        )
        for k, winner in enumerate(winners):
            hit = (found == winner).to(torch.float32)
            hits[k] += hit
            shares[k, draw] = float(hit.mean())
    return [
        Estimate.sampled(hit, share, noise.random) for hit, share in zip(hits, shares, strict=True)
    ]


def _standard_error(shares: Tensor) -> float:
    if len(shares) < 2:
        return math.nan
    return float(shares.std() / math.sqrt(len(shares)))
