"""Every measure of the gap by name: how to compute it, what it says, and where it is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_generator
from gaputils.embeddings import draw
from gaputils.geometry import clouds, pairs

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """What a measure may look at: both sides, their pairs if known, and two settings."""

    queries: Tensor
    gallery: Tensor
    targets: Tensor | None
    tau: float
    seed: int


@dataclass(frozen=True)
class Measure:
    """One row of `measure_gap`. Without `compute` it comes from means and covariances.

    `compute` raises a `ValueError` exactly where a sample is not one that `defined` allows.
    """

    meaning: str
    source: str
    compute: Callable[[Sample], float] | None = None
    pairs: bool = False
    rows: int = 2
    defined: Callable[[Sample], bool] = lambda _: True


def _all_have_directions(s: Sample) -> bool:
    """Whether no row is zero, so that every pair of rows has a cosine."""
    return _none_is_zero(s.queries) and _none_is_zero(s.gallery)


def _items_have_neighbors(s: Sample) -> bool:
    """Whether three items or more are asked for, by and among rows that have directions."""
    assert s.targets is not None
    items = torch.unique(s.targets)
    return len(items) >= 3 and _none_is_zero(s.queries) and _none_is_zero(s.gallery[items])


def _none_is_zero(rows: Tensor) -> bool:
    return bool(rows.any(dim=1).all())


def _of_pairs(meaning: str, source: str, function: Callable[..., float], **options: Any) -> Measure:
    """A measure of matched pairs; `function` takes both sides and the targets."""

    def compute(s: Sample) -> float:
        return function(s.queries, s.gallery, s.targets)

    return Measure(meaning, source, compute, pairs=True, **options)


def _sides(name: str, meaning: str, source: str, **options: Any) -> dict[str, Measure]:
    """A measure of one side, once for each; `compute` and `defined` take its rows (n, d)."""
    result = {}
    for side in ("queries", "gallery"):
        own: dict[str, Any] = {
            key: _of_side(value, side) if callable(value) else value
            for key, value in options.items()
        }
        result[f"{name}_{side}"] = Measure(f"{side}: {meaning}", source, **own)
    return result


def _of_side(function: Callable[[Any], T], side: str) -> Callable[[Sample], T]:
    return lambda s: function(getattr(s, side))


def _three_differ(rows: Tensor) -> bool:
    return len(torch.unique(rows, dim=0)) >= 3


def _in_multiples(s: Sample) -> tuple[Tensor, Tensor]:
    """Both sides, the larger cut to a multiple of the smaller's rows, drawn with the seed."""
    few = min(len(s.queries), len(s.gallery))
    queries, gallery = (
        side[draw(len(side), len(side) // few * few, as_generator(s.seed))]
        for side in (s.queries, s.gallery)
    )
    return queries, gallery


MEASURES: dict[str, Measure] = {
    "gap_norm": Measure("distance between the two means, also L2M", "Liang et al. 2022", rows=1),
    "l2i": _of_pairs("mean distance of matched pairs", "Schrodi et al. 2025", pairs.l2i, rows=1),
    "matched_cosine": _of_pairs(
        "mean cosine of matched pairs",
        "–",
        pairs.matched_cosine,
        rows=1,
        defined=_all_have_directions,
    ),
    "unmatched_cosine": _of_pairs(
        "mean cosine of all other pairs", "–", pairs.unmatched_cosine, defined=_all_have_directions
    ),
    "linear_separability": Measure(
        "held-out accuracy of telling the sides apart; 0.5 is chance",
        "Fahim et al. 2024",
        lambda s: clouds.linear_separability(s.queries, s.gallery, seed=s.seed),
    ),
    "gap_separability": Measure(
        "the same with the gap direction alone",
        "Liang et al. 2022",
        lambda s: clouds.gap_separability(s.queries, s.gallery, seed=s.seed),
    ),
    "rmg_schrodi": _of_pairs(
        "matched dissimilarity relative to itself plus the spread within a side",
        "Schrodi et al. 2025",
        pairs.rmg_schrodi,
        defined=_all_have_directions,
    ),
    "rmg_few_dims": _of_pairs(
        "the same with a quarter of the weight on the spread",
        "few-dims 2025, code",
        pairs.rmg_few_dims,
        defined=_all_have_directions,
    ),
    "rmg_centroid": Measure(
        "gap norm relative to the root mean square spread within a side", "evaluation scripts"
    ),
    "neighborhood_kendall": _of_pairs(
        "disagreement of the sides on the order of neighbours; 0.5 is chance",
        "Schrodi et al. 2025",
        pairs.neighborhood_kendall,
        rows=3,
        defined=_items_have_neighbors,
    ),
    "alignment": _of_pairs(
        "mean squared distance of matched pairs", "Wang and Isola 2020", pairs.alignment, rows=1
    ),
    **_sides(
        "uniformity",
        "log mean Gaussian potential; lower is more uniform",
        "Wang and Isola 2020",
        compute=clouds.uniformity,
    ),
    **_sides("effective_rank", "exp of the entropy of the variances", "Roy and Vetterli 2007"),
    **_sides(
        "intrinsic_dimension",
        "dimension of the manifold, by ratios of neighbour distances",
        "Facco et al. 2017",
        compute=clouds.intrinsic_dimension,
        rows=3,
        defined=_three_differ,
    ),
    **_sides("variance", "total variance", "–"),
    **_sides("variance_gap", "variance along the gap", "Chowers et al. 2026"),
    **_sides("variance_leading", "variance along the leading principal component", "–"),
    **_sides("variance_share_gap", "share of the variance along the gap", "Chowers et al. 2026"),
    "variance_share_average": Measure("share along an average direction: 1/d", "baseline"),
    **_sides("variance_share_random", "median share along random directions", "baseline"),
    **_sides("variance_share_leading", "share along the leading component", "baseline"),
    **_sides("emptier_than_gap", "part of random directions emptier than the gap", "baseline"),
    **_sides("gap_angle", "angle in degrees between gap and affine hull", "Chowers et al. 2026"),
    "double_stochastic_deviation": Measure(
        "mean deviation of the received mass from 1; 0 is doubly stochastic",
        "Chowers et al. 2026",
        lambda s: clouds.double_stochastic_deviation(s.queries, s.gallery, s.tau),
        rows=1,
    ),
    "wasserstein": Measure(
        "root mean squared distance of the cheapest transport of one side to the other, the larger "
        "cut to a multiple of the smaller's rows",
        "Villani 2009",
        lambda s: clouds.wasserstein(*_in_multiples(s)),
        rows=1,
    ),
}
"""What `measure_gap` measures: the name of each row, its meaning, source and function."""


def describe_measures() -> pd.DataFrame:
    """What each row of `measure_gap` says and where it is from: columns `meaning`, `source`."""
    rows = {name: (measure.meaning, measure.source) for name, measure in MEASURES.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["meaning", "source"])
