"""The hull and its circumcentre in numbers: parts of distances, radii, rankings, shaped noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import as_pair, integer, work
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.catalogue import fitted, moved
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_closings, over_blocks
from gaputils.evaluation.protocol import bootstrap_means, paired_gain
from gaputils.geometry.hull import Hull, project
from gaputils.noise import GaussianNoise
from gaputils.pages.survival import plus_minus, tasks
from gaputils.scoring import cost

Sides = tuple[Tensor, Tensor]
NAMES = ("within the hull", "mean offset (the gap)", "own offset")


def distance_parts(queries: Any, gallery: Any) -> pd.Series[float]:
    """The mean squared distance from a query to its nearest item, in three orthogonal parts.

    "within the hull" is the only one that ranks; "mean offset (the gap)" is the squared length of
    what the queries have off the hull in common, which the paper's shift removes; "own offset" is
    what remains of each query off the hull, which the projection removes too. They add up.
    """
    x, y = as_pair(queries, gallery)
    x, y = work(x), work(y)
    hull = Hull.of(y)
    offset = x - hull.mean
    inside = project(offset, hull.components)
    outside = offset - inside
    within = torch.cdist(inside, y - hull.mean).amin(dim=1).square().mean()
    common = outside.mean(dim=0).square().sum()
    own = (outside - outside.mean(dim=0)).square().sum(dim=1).mean()
    return pd.Series(dict(zip(NAMES, map(float, (within, common, own)), strict=True)))


def over_radius(
    blocks: Sequence[Embeddings], radii: Iterable[float], noise: GaussianNoise
) -> pd.DataFrame:
    """Robustness (Euclidean) of queries at each of `radii` circumradii, over all `blocks`.

    Columns `radius`, `robustness`, `gain` over radius 2, and each with ``_error`` over the queries.
    Raises `ValueError` for a gallery without a circumcentre.
    """
    closings: dict[str, Closing | None] = {
        repr(float(radius)): HullProjection(radius=float(radius)) for radius in (*radii, 2)
    }
    found = over_blocks(blocks, closings, {"": noise}, scorings=["euclidean"])
    frame = found.table(against="2.0")
    frame = frame.assign(radius=frame["closing"].astype(float))
    frame = frame[frame["radius"].isin([float(radius) for radius in radii])]
    columns = ["radius", "robustness", "robustness_error", "gain", "gain_error"]
    return frame[columns].reset_index(drop=True)


def gain_of_auto(blocks: Sequence[Embeddings], noise: GaussianNoise) -> tuple[float, float]:
    """What ``radius="auto"`` adds to the robustness of ``radius=2``, and its paired error."""
    closings = {"auto": HullProjection(radius="auto"), "two": HullProjection(radius=2)}
    found = over_blocks(blocks, closings, {"": noise}, scorings=["euclidean"])
    row = found.table(against="two").iloc[0]
    return float(row["gain"]), float(row["gain_error"])


def gain_of_cosine(blocks: Sequence[Embeddings], noise: GaussianNoise) -> tuple[float, float]:
    """What cosine adds to the robustness of untouched rows by Euclidean distance, and its error."""
    found = over_blocks(blocks, {"": None}, {"": noise}, scorings=["cosine", "euclidean"])
    row = found.table(against=("", "euclidean")).iloc[0]
    return float(row["gain"]), float(row["gain_error"])


def limit_of_scaling(
    blocks: Sequence[Embeddings], noise: GaussianNoise, radius: float = 1e4
) -> pd.DataFrame:
    """Scaled queries by distance, and the projected query Py - c by inner product: `robustness`.

    Index: the closing and its scoring; `robustness_error` is that over the queries, `lead` what the
    first row keeps more than each, with its paired error.
    """
    centred = "hull projection, centred"
    closings = {
        "radius 2": HullProjection(radius=2),
        f"radius {radius:,g}": HullProjection(radius=radius),
        centred: HullProjection(center=True),
    }
    found = over_blocks(blocks, closings, {"": noise}).table(against=("radius 2", "euclidean"))
    rows = found.set_index(["closing", "scoring"])
    shown = {
        f"{closing}, by {words}": rows.loc[(closing, scoring)]
        for closing, scoring, words in (
            *((name, "euclidean", "Euclidean distance") for name in closings if name != centred),
            (centred, "inner-product", "inner product"),
            (centred, "cosine", "cosine"),
        )
    }
    frame = pd.DataFrame(shown).T.assign(lead=lambda table: 0 - table["gain"])
    frame = frame.rename(columns={"gain_error": "lead_error"})
    return frame[["robustness", "robustness_error", "lead", "lead_error"]].astype(float)


def whole_rankings(
    queries: Any, gallery: Any, sizes: Iterable[int], radii: Sequence[float]
) -> pd.DataFrame:
    """How many queries keep their whole ranking when scaled about each of two centers.

    "true circumcentre" is `HullProjection`'s; "projected origin" the projection of the origin onto
    the hull, which is the circumcentre only of rows of equal norm. The least over `radii` counts.
    Columns: `items`, `queries`, and one for each center.
    """
    queries, gallery = as_pair(queries, gallery)
    x, rows = work(queries), []
    for size in sizes:
        y = work(gallery)[: integer("sizes", size, low=2)]
        order = cost(x, y, "euclidean").argsort(dim=1, stable=True)
        with comparing():
            closing = HullProjection(radius=2).fit(x, y)
        hull = Hull.of(y)
        centers = {
            "true circumcentre": closing.center_,
            "projected origin": hull.mean - project(hull.mean, hull.components),
        }
        row: dict[str, int] = {"items": size, "queries": len(x)}
        for name, center in centers.items():
            ray = normalize(project(x - center, closing.components_), dim=1)
            kept = [
                (costs.argsort(dim=1, stable=True) == order)
                for costs in (
                    cost(closing.circumradius_ * radius * ray, y - center, "euclidean")
                    for radius in radii
                )
            ]
            row[name] = min(int(each.all(dim=1).sum()) for each in kept)
        rows.append(row)
    return pd.DataFrame(rows)


def along_and_across(
    task: Embeddings, radii: Sequence[float], variance: float, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Robustness to the noise's part along each line of sight, and across it, from each radius.

    Columns `radius`, in circumradii, "all noise", "along only", "across only", of the same
    `draws` of Gaussian noise of total `variance`; the line of sight is that from a query to the
    item whose noise it is.
    """
    gallery = work(task.gallery)
    rows = {}
    for radius in radii:
        with comparing():
            closing = HullProjection(radius=radius).fit(work(task.queries), gallery)
        queries = closing.transform_queries(work(task.queries))
        sight = queries[:, None] - gallery
        squares = sight.square().sum(dim=2)
        before = squares.argmin(dim=1)
        length = squares.sqrt()
        generator = torch.Generator().manual_seed(seed)
        hits = torch.zeros(3, dtype=torch.float64)
        for _ in range(draws):
            noise = torch.randn(gallery.shape, generator=generator, dtype=gallery.dtype)
            noise *= math.sqrt(variance / gallery.shape[1])
            along = (queries @ noise.mT - (noise * gallery).sum(dim=1)) / length
            across = noise.square().sum(dim=1) - along.square()
            for place, squared in enumerate(
                (
                    (length - along).square() + across,
                    (length - along).square(),
                    squares + across,
                )
            ):
                hits[place] += (squared.argmin(dim=1) == before).double().mean()
        rows[radius] = (hits / draws).tolist()
    columns = ["all noise", "along only", "across only"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    frame.insert(0, "radius", list(rows))
    return frame.reset_index(drop=True)


def shaped_covariance(rows: Tensor, variance: float, share: float) -> Tensor:
    """(d, d) covariance of total `variance`, a `share` of it shaped as that of `rows` (n, d)."""
    own = torch.cov(work(rows).mT)
    dim = len(own)
    flat = torch.eye(dim, dtype=own.dtype, device=own.device) * (1 - share) / dim
    return variance * (share * own / own.trace() + flat)


def under_shaped_noise(
    blocks: Sequence[Embeddings], rows: Tensor, variance: float, shares: Iterable[float]
) -> pd.DataFrame:
    """Robustness (inner product) to gallery noise of which a share is shaped as `rows` (n, d).

    Queries untouched, projected orthogonally, and projected obliquely with the noise's covariance.
    Columns: `share`, `query`, `robustness`, `robustness_error`, and `gain` with `gain_error` over
    the untouched, paired.
    """
    found = []
    for share in shares:
        covariance = shaped_covariance(rows, variance, share)
        ways: dict[str, Closing | None] = {
            "original": None,
            "hull projection, centred": HullProjection(center=True),
            "hull projection, oblique": HullProjection(covariance=covariance),
        }
        kept = {
            name: torch.cat([_under_covariance(_closed(way, task), covariance) for task in blocks])
            for name, way in ways.items()
        }
        errors = bootstrap_means(torch.stack(list(kept.values()), dim=1)).std(axis=0)
        for place, (name, values) in enumerate(kept.items()):
            gain, error = paired_gain(values, kept["original"])
            found.append((share, name, float(values.mean()), errors[place], gain, error))
    columns = ["share", "query", "robustness", "robustness_error", "gain", "gain_error"]
    return pd.DataFrame(found, columns=columns)


def shift_that_harms(variance: float = 0.05) -> pd.Series[float]:
    """Mean robustness before and after the mean shift, where the shift lowers it (plane, d = 2).

    Eight queries near the middle of two items, and two far away that drag the mean with them.
    """
    queries = torch.tensor([[0.08, 0.0]] * 8 + [[3.0, 4.0]] * 2, dtype=torch.float64)
    gallery = torch.tensor([[0.5, 0.0], [-0.5, 0.0]], dtype=torch.float64)
    noise = GaussianNoise(variance)
    closings = {"original": None, "mean shift": MeanShift(), "hull projection": HullProjection()}
    frame = compare_closings(queries, gallery, closings, {"": noise}, scorings=["euclidean"])
    return frame.set_index("closing")["robustness"]


def _closed(closing: Closing | None, task: Embeddings) -> Sides:
    sides = work(task.queries), work(task.gallery)
    return moved(fitted(closing, *sides), *sides)


def _under_covariance(sides: Sides, covariance: Tensor) -> Tensor:
    """(n,) probability that the best inner product stays the best: the scores' noise is i.i.d.

    Its deviation is ``sqrt(y' S y)``, so that one integral over the winner's own noise is left.
    """
    queries, gallery = sides
    scores = queries @ gallery.mT
    deviation = ((queries @ covariance) * queries).sum(dim=1).sqrt()
    best, winner = scores.max(dim=1)
    leads = (best[:, None] - scores) / deviation[:, None]
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    total = torch.zeros_like(best)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        logs = torch.special.log_ndtr(leads + node)
        logs.scatter_(1, winner[:, None], 0.0)
        total += weight * logs.sum(dim=1).exp()
    return total


def parts_over_sizes(embeddings: Embeddings, sizes: Iterable[int]) -> pd.DataFrame:
    """`distance_parts` with the gallery's first rows: one row for each of `sizes`."""
    rows = {size: distance_parts(embeddings.queries, embeddings.gallery[:size]) for size in sizes}
    return pd.DataFrame(rows).T.rename_axis("gallery items")


def curves(
    embeddings: Embeddings, sizes: Iterable[int], radii: Sequence[float], noise: GaussianNoise
) -> dict[int, pd.DataFrame]:
    """`over_radius` for galleries of each of `sizes`, in blocks of answerable pairs."""
    return {size: over_radius(tasks(embeddings, size), radii, noise) for size in sizes}


def scoring_table(frame: pd.DataFrame, size: int) -> pd.DataFrame:
    """`survival.over_sizes` for readers: robustness untouched, and gains with their errors.

    For galleries of `size`, a row for each closing, a column for each scoring.
    """
    parts = {}
    for closing, part in frame[frame["items"] == size].groupby("closing", sort=False):
        untouched = closing == "original"
        value, sign = ("robustness", False) if untouched else ("gain", True)
        texts = plus_minus(part[value], part[f"{value}_error"], signed=sign)
        label = "original" if untouched else f"gain of {closing}"
        parts[label] = dict(zip(part["scoring"], texts, strict=True))
    return pd.DataFrame.from_dict(parts, orient="index")
