"""Robustness by drawing the noise: any noise, any scoring, with its standard error.

Gaussian noise on the gallery is drawn in single precision, many noisy galleries at a time, which
one matrix product compares with the queries; in double precision where the noise is so small beside
the rows that single would make equals of them. Other noise is applied once a draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, integer, moderate, work
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.scoring import all_costs, centered, inner

# Of a row's length: noise of a smaller deviation a coordinate is compared in double precision.
_SMALL = 1e-3

# Numbers at a time: about what a processor's cache holds; eight times as many keep a GPU busy.
_ELEMENTS = 2**19


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
    def sampled(cls, hits: Tensor, shares: Tensor, random: bool) -> Estimate:
        """From how often each query was hit, `hits` (n,), and each draw's `shares` (draws,)."""
        error = _standard_error(shares) if random else 0.0
        return cls(hits / len(shares), float(shares.mean()), error, len(shares), shares)

    @classmethod
    def together(cls, parts: Sequence[Estimate]) -> Estimate:
        """Those of several sets of queries, one after the other, each with its own draws."""
        per_query = torch.cat([part.per_query for part in parts])
        if not any(part.draws for part in parts):
            return cls.exact(per_query)
        sizes = [len(part.per_query) / len(per_query) for part in parts]
        error = math.hypot(*(s * p.standard_error for s, p in zip(sizes, parts, strict=True)))
        shares = torch.stack([s * p.shares for s, p in zip(sizes, parts, strict=True)]).sum(dim=0)
        return cls(per_query, float(per_query.double().mean()), error, parts[0].draws, shares)


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
    draws = integer("draws", draws, low=1) if noise.random else 1
    generator = as_generator(seed, gallery.device)
    signs = scoring == "cosine" and gallery.shape[1] == 1  # which items share: the first wins
    if isinstance(noise, GaussianNoise) and noise.random and noise.on == "gallery" and not signs:
        batches = _gaussian(queries, gallery, noise, winners, scoring, draws, generator)
    else:
        batches = _one_by_one(queries, gallery, noise, winners, scoring, draws, generator)
    hits = torch.zeros(len(winners), len(queries), dtype=torch.float64, device=queries.device)
    shares = []
    for batch in batches:
        hits += batch.sum(dim=1)
        shares.append(batch.double().mean(dim=2))
    share = torch.cat(shares, dim=1).cpu()
    return [Estimate.sampled(hit.float(), share[k], noise.random) for k, hit in enumerate(hits)]


def _one_by_one(
    queries: Tensor,
    gallery: Tensor,
    noise: Noise,
    winners: list[Tensor],
    scoring: str,
    draws: int,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Whether each of `winners` came first, (winners, 1, n), a draw at a time."""
    answers = [winner.view(len(winner), -1) for winner in winners]
    for _ in range(draws):
        noisy = noise.apply(queries, gallery, generator)
        found = torch.cat([costs.argmin(dim=1) for costs in all_costs(*noisy, scoring)])[:, None]
        yield torch.stack([(found == own).any(dim=1) for own in answers])[:, None]


def _gaussian(
    queries: Tensor,
    gallery: Tensor,
    noise: GaussianNoise,
    winners: list[Tensor],
    scoring: str,
    draws: int,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Whether each of `winners` came first, (winners, draws, n), many draws at a time.

    How many depends on the gallery alone, so that a seed gives a query the same noise whichever
    other queries there are.
    """
    middle, wide = centered(gallery, scoring)
    count, dim = wide.shape
    deviation = math.sqrt(noise.coordinate_variance(dim))
    longest = float(torch.linalg.vector_norm(wide, dim=1).max())
    dtype = torch.float32 if deviation > _SMALL * longest else torch.float64
    unit = 2.0 ** math.frexp(max(longest, deviation))[1]  # which costs no digits
    items, deviation = (wide / unit).to(dtype), deviation / unit
    if scoring == "euclidean":
        rows = ((work(queries) - middle) / unit).to(dtype)
    else:
        rows = moderate(work(queries)).to(dtype)
    most = _ELEMENTS if items.device.type == "cpu" else 8 * _ELEMENTS
    at_once = max(1, most // items.numel())
    step = max(1, most // (at_once * count))
    # The inner products of a query of zeros rank nothing: the first item stays first.
    same = ~queries.any(dim=1) & (scoring == "inner-product")
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start), count, dim
        drawn = torch.randn(size, generator=generator, device=items.device, dtype=torch.float32)
        noisy = drawn.to(dtype).mul_(deviation).add_(items).flatten(0, 1)
        if scoring == "cosine":
            noisy = torch.nn.functional.normalize(noisy, dim=1)
        half = noisy.square().sum(dim=1, keepdim=True) / 2 if scoring == "euclidean" else None
        found = []
        for begin in range(0, len(rows), step):
            part = slice(begin, begin + step)
            products = inner(noisy, rows[part])
            costs = -products if half is None else half - products
            costs = costs.view(size[0], count, -1)
            least = costs.amin(dim=1)
            answers = [_won(costs, least, own[part], same[part]) for own in winners]
            found.append(torch.stack(answers))
        yield torch.cat(found, dim=2)


def _won(costs: Tensor, least: Tensor, own: Tensor, same: Tensor) -> Tensor:
    """(draws, n) whether one of the items `own` (n,) or (n, answers) has the `least` cost."""
    index = own.view(len(own), -1).T
    known = index >= 0
    found = costs.gather(1, index.clamp_min(0).expand(len(costs), *index.shape))
    won = torch.where(same, index == 0, (found <= least[:, None]) & known)
    return won.any(dim=1)


def _standard_error(shares: Tensor) -> float:
    if len(shares) < 2:
        return math.nan
    return float(shares.std() / math.sqrt(len(shares)))
