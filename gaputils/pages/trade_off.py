"""What closing gives against what it costs: components, radius, gallery size, where noise falls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from gaputils._checks import as_pair, integer, work
from gaputils.closing import HullProjection, MeanShift
from gaputils.closing.catalogue import Closings
from gaputils.closing.catalogue import fitted as learn
from gaputils.evaluation.compare import compare_closings
from gaputils.geometry.hull import principal_components, project
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.scoring import nearest


def over_components(
    queries: Any, gallery: Any, counts: Sequence[int], noise: GaussianNoise
) -> pd.DataFrame:
    """Shift and projection with the leading `counts` principal components of the gallery.

    `queries` (n, d), `gallery` (m, d); counts above the gallery's rank are left out. Columns:
    `components` and those of `compare_closings` under Euclidean scoring, where the original answer
    counts as the right one: `unchanged` (share of queries that keep it), `robustness` (of the new
    answer) and `right` (probability that noise leaves the original answer nearest: what counts if
    that is the one wanted).
    """
    queries, gallery = as_pair(queries, gallery)
    rank = len(principal_components(gallery)[0])
    parts = []
    for count in (int(c) for c in counts if c <= rank):
        closings = {"mean shift": MeanShift(count), "hull projection": HullProjection(count)}
        original = nearest(queries, gallery)
        frame = _euclidean(queries, gallery, closings, noise, targets=original)
        parts.append(frame.assign(components=count))
    return pd.concat(parts, ignore_index=True)


def over_radius(
    queries: Any, gallery: Any, radii: Sequence[float], noise: GaussianNoise
) -> pd.DataFrame:
    """Mean robustness with projected queries at each of `radii` circumradii (a row each).

    The gallery's rows must be of equal norm. Raises `ValueError` otherwise.
    """
    closings = {f"{radius:g}": HullProjection(radius=float(radius)) for radius in radii}
    frame = _euclidean(queries, gallery, closings, noise)
    return frame.assign(radius=[float(radius) for radius in radii])


def over_sizes(
    queries: Any, gallery: Any, sizes: Sequence[int], closings: Closings, noise: GaussianNoise
) -> pd.DataFrame:
    """What each of `closings` is worth with the gallery's first `sizes` items.

    Columns: `items`, those of `compare_closings` under Euclidean scoring, and `orthogonal` (the
    part of the gap's length that is orthogonal to the gallery's hull).
    """
    queries, gallery = as_pair(queries, gallery)
    parts = []
    for size in sizes:
        part = gallery[: integer("sizes", size, low=1)]
        shift = MeanShift().fit(queries, part)
        orthogonal = float(shift.shift_.norm() / shift.gap_.norm())
        frame = _euclidean(queries, part, closings, noise)
        parts.append(frame.assign(items=size, orthogonal=orthogonal))
    return pd.concat(parts, ignore_index=True)


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


def where_noise_falls(
    queries: Any, gallery: Any, closings: Closings, variance: float, draws: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Robustness of each of `closings` (index) to noise on the gallery and to noise on the queries.

    The latter falls on the raw queries: each noisy query goes through the fitted closing, and its
    nearest item is compared with that of the query without noise. All closings see the same draws.
    """
    on_gallery = _euclidean(queries, gallery, closings, GaussianNoise(variance))
    on_queries = _euclidean(
        queries,
        gallery,
        closings,
        GaussianNoise(variance, on="queries"),
        order="noise first",
        draws=draws,
        seed=seed,
    )
    columns = {"noise on the gallery": on_gallery, "noise on the queries": on_queries}
    return pd.DataFrame(
        {name: frame.set_index("closing")["robustness"] for name, frame in columns.items()}
    )


def across_splits(
    queries: Any, gallery: Any, closings: Closings, noise: Noise, fitted: int
) -> pd.DataFrame:
    """Robustness of the queries after the first `fitted`, with each closing fitted on either part.

    Index: the closings. Columns: `fitted on others`, `fitted on these`, and `unchanged`, the share
    of these queries that keep their nearest item under the closing fitted on the others.
    """
    queries, gallery = as_pair(queries, gallery)
    others, these = queries[:fitted], queries[fitted:]
    elsewhere = {
        name: learn(closing, others, gallery, f"closings: {name}")
        for name, closing in closings.items()
    }
    away, own = (
        _euclidean(these, gallery, each, noise).set_index("closing")
        for each in (elsewhere, closings)
    )
    return pd.DataFrame(
        {
            "fitted on others": away["robustness"],
            "fitted on these": own["robustness"],
            "unchanged": away["unchanged"],
        }
    )


def _euclidean(
    queries: Any, gallery: Any, closings: Closings, noise: Noise, **options: Any
) -> pd.DataFrame:
    return compare_closings(
        queries, gallery, closings, {"noise": noise}, scorings=["euclidean"], **options
    )
