"""What closing gives against what it costs: components, radius, gallery size, where noise falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_pair, integer, work
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.geometry.hull import principal_components, project
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.noise.robustness import accuracy_under_noise, estimate, robustness
from gaputils.scoring import agreement, nearest

Methods = Mapping[str, Closing | None]


def moved(closing: Closing | None, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides after `closing` was fitted on them; as they are for None."""
    return (queries, gallery) if closing is None else closing.fit_transform(queries, gallery)


def over_components(
    queries: Any, gallery: Any, counts: Sequence[int], noise: GaussianNoise
) -> pd.DataFrame:
    """Shift and projection with the leading `counts` principal components of the gallery.

    `queries` (n, d), `gallery` (m, d); counts above the gallery's rank are left out. Columns:
    `components`, `method`, `agreement` (share of queries that keep their nearest item),
    `robustness` (of the new ranking) and `kept` (share of draws that give the original nearest
    item: what counts if the original answer is the one wanted).
    """
    queries, gallery = as_pair(queries, gallery)
    rank = len(principal_components(gallery)[0])
    rows = []
    for count in (c for c in counts if c <= rank):
        for name, closing in (
            ("mean shift", MeanShift(int(count))),
            ("hull projection", HullProjection(int(count))),
        ):
            sides = moved(closing, queries, gallery)
            rows.append((count, name, *_fidelity(queries, gallery, sides, noise)))
    return pd.DataFrame(rows, columns=["components", "method", "agreement", "robustness", "kept"])


def over_radius(
    queries: Any, gallery: Any, radii: Sequence[float], noise: GaussianNoise
) -> pd.DataFrame:
    """Mean robustness with projected queries at each of `radii` circumradii (a row each).

    The gallery's rows must be of equal norm. Raises `ValueError` otherwise.
    """
    queries, gallery = as_pair(queries, gallery)
    rows = []
    for radius in radii:
        sides = moved(HullProjection(radius=float(radius)), queries, gallery)
        rows.append((float(radius), _mean(robustness(*sides, noise))))
    return pd.DataFrame(rows, columns=["radius", "robustness"])


def over_sizes(
    queries: Any, gallery: Any, sizes: Sequence[int], methods: Methods, noise: GaussianNoise
) -> pd.DataFrame:
    """Robustness of each of `methods` with the gallery's first `sizes` items.

    Columns: `items`, `method`, `robustness`, `unchanged` (share of queries that keep their nearest
    item) and `orthogonal` (the part of the gap's length that is orthogonal to the gallery's hull).
    """
    queries, gallery = as_pair(queries, gallery)
    rows = []
    for size in sizes:
        part = gallery[: integer("sizes", size, low=1)]
        shift = MeanShift().fit(queries, part)
        orthogonal = float(shift.shift_.norm() / shift.gap_.norm())
        for name, closing in methods.items():
            sides = moved(closing, queries, part)
            unchanged = agreement(queries, part, *sides)
            rows.append((size, name, _mean(robustness(*sides, noise)), unchanged, orthogonal))
    columns = ["items", "method", "robustness", "unchanged", "orthogonal"]
    return pd.DataFrame(rows, columns=columns)


def distance_parts(queries: Any, gallery: Any) -> pd.Series[float]:
    """The mean squared distance from a query to its nearest item, in three orthogonal parts.

    "within the hull" is the only one that ranks; "mean offset (the gap)" is the squared length of
    what the queries have off the hull in common, which the paper's shift removes; "own offset" is
    what remains of each query off the hull, which the projection removes too. They add up.
    """
    x, y = as_pair(queries, gallery)
    x, y = work(x), work(y)
    components, _ = principal_components(y)
    offset = x - y.mean(dim=0)
    inside = project(offset, components)
    outside = offset - inside
    within = torch.cdist(inside, y - y.mean(dim=0)).amin(dim=1).square().mean()
    common = outside.mean(dim=0).square().sum()
    own = (outside - outside.mean(dim=0)).square().sum(dim=1).mean()
    names = ("within the hull", "mean offset (the gap)", "own offset")
    return pd.Series(dict(zip(names, map(float, (within, common, own)), strict=True)))


def under_scorings(
    queries: Any,
    gallery: Any,
    methods: Methods,
    noise: GaussianNoise,
    draws: int = 100,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Robustness of each of `methods` (index) under the three scorings (columns).

    Euclidean and inner product are exact; cosine is sampled with the same noise for every method,
    and its greatest standard error is in `frame.attrs["standard_error"]`.
    """
    queries, gallery = as_pair(queries, gallery)
    rows, errors = {}, []
    for name, closing in methods.items():
        sides = moved(closing, queries, gallery)
        cosine, _ = estimate(*sides, noise, scoring="cosine", draws=draws, seed=seed)
        errors.append(cosine.standard_error)
        rows[name] = {
            "euclidean": _mean(robustness(*sides, noise)),
            "inner-product": _mean(robustness(*sides, noise, scoring="inner-product")),
            "cosine": cosine.mean,
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.attrs["standard_error"] = float(np.max(errors))
    return frame


def where_noise_falls(
    queries: Any, gallery: Any, methods: Methods, variance: float, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Robustness of each of `methods` (index) to noise on the gallery and to noise on the queries.

    The latter falls on the raw queries: each noisy query goes through the fitted method, and its
    nearest item is compared with that of the query without noise. All methods see the same draws.
    """
    queries, gallery = as_pair(queries, gallery)
    noise = GaussianNoise(variance, on="queries")
    generator = torch.Generator(device=queries.device)
    rows = {}
    for name, closing in methods.items():
        sides = moved(closing, queries, gallery)
        kept = 0.0
        generator.manual_seed(seed)
        for _ in range(integer("draws", draws, low=1)):
            noisy, _ = noise.apply(queries, gallery, generator)
            if closing is not None:
                noisy, _ = closing.transform(noisy, gallery)
            kept += agreement(noisy, sides[1], *sides)
        gaussian = robustness(*sides, GaussianNoise(variance))
        rows[name] = {"noise on the gallery": _mean(gaussian), "noise on the queries": kept / draws}
    return pd.DataFrame.from_dict(rows, orient="index")


def across_splits(
    queries: Any, gallery: Any, methods: Methods, noise: Noise, fitted: int
) -> pd.DataFrame:
    """Robustness of the queries after the first `fitted`, with each method fitted on either part.

    Index: the methods. Columns: `fitted on others`, `fitted on these`, and `unchanged`, the share
    of these queries that keep their nearest item under the method fitted on the others.
    """
    queries, gallery = as_pair(queries, gallery)
    others, these = queries[:fitted], queries[fitted:]
    rows = {}
    for name, closing in methods.items():
        if closing is None:
            value = _mean(robustness(these, gallery, noise))
            rows[name] = (value, value, 1.0)
            continue
        elsewhere = closing.fit(others, gallery).transform(these, gallery)
        unchanged = agreement(these, gallery, *elsewhere)
        own = closing.fit_transform(these, gallery)
        rows[name] = (
            _mean(robustness(*elsewhere, noise)),
            _mean(robustness(*own, noise)),
            unchanged,
        )
    columns = ["fitted on others", "fitted on these", "unchanged"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _fidelity(
    queries: Tensor, gallery: Tensor, sides: tuple[Tensor, Tensor], noise: GaussianNoise
) -> tuple[float, float, float]:
    original = nearest(queries, gallery)
    kept = accuracy_under_noise(*sides, original, noise)
    return agreement(queries, gallery, *sides), _mean(robustness(*sides, noise)), _mean(kept)


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
