"""Galleries in a subspace, and what a shift that leaves the complement does to neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_direction, as_generator, as_pair, integer, number
from gaputils.closing import MeanShift
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import mean_and_error, paired_gain
from gaputils.geometry import gap_vector
from gaputils.noise import GaussianNoise, robustness
from gaputils.pages import SCORING_WORDS
from gaputils.pages.survival import by_scoring
from gaputils.scoring import nearest
from gaputils.theory import survival, survival_slope


def flat_gallery(
    n: int,
    m: int,
    d: int,
    *,
    gap: float,
    blur: float = 2.0,
    norms: float = 0.0,
    seed: Seed = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (n, d), a gallery (m, d) that meets Assumption 3.3, and the unit gap direction (d,).

    Gallery items point into random directions orthogonal to the last one, with norms uniform in
    [1 - `norms`, 1 + `norms`]; each query is a gallery item, disturbed by a Gaussian of `blur` /
    sqrt(d) a coordinate, and lies `gap` away along the last direction. In float64. Raises
    `ValueError` naming the argument that is out of range.
    """
    n, m, d = integer("n", n, low=1), integer("m", m, low=2), integer("d", d, low=2)
    generator = as_generator(seed)
    gallery = torch.randn(m, d, generator=generator, dtype=torch.float64)
    gallery[:, -1] = 0.0
    unequal = 2 * torch.rand(m, 1, generator=generator, dtype=torch.float64) - 1
    gallery = torch.nn.functional.normalize(gallery, dim=1)
    gallery *= 1 + number("norms", norms, low=0, high=1) * unequal
    own = torch.randint(m, (n,), generator=generator)
    disturbance = torch.randn(n, d, generator=generator, dtype=torch.float64) / d**0.5
    queries = gallery[own] + number("blur", blur, low=0) * disturbance
    queries[:, -1] = number("gap", gap)
    direction = torch.zeros(d, dtype=torch.float64)
    direction[-1] = 1.0
    return queries, gallery, direction


def changed_by_shift(
    queries: Any,
    gallery: Any,
    direction: Any,
    *,
    lengths: Sequence[float],
    degrees: Sequence[float] = (0.0,),
    renormalize: bool = False,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Share of queries whose nearest neighbour another gallery takes after the gallery's shift.

    The shift has each of `lengths` along the unit vector `direction` (d,), tilted by each of
    `degrees` towards a random direction of the gallery's own spread; `renormalize` scales the
    shifted gallery to norm 1. One row for each length and tilt: `length`, `degrees`, `changed`.
    Raises `ValueError` for `direction` zero or of another length, and for a tilt with a gallery
    whose rows are all alike, or differ along `direction` alone.
    """
    queries, gallery = as_pair(queries, gallery)
    unit = as_direction("direction", direction, gallery.shape[1], gallery.device).to(gallery)
    unit = unit / torch.linalg.vector_norm(unit)
    lengths = [number("lengths", length) for length in lengths]
    degrees = [number("degrees", tilt) for tilt in degrees]
    weights = torch.randn(len(gallery), generator=as_generator(seed), dtype=torch.float64)
    spread = (weights - weights.mean()).to(gallery) @ (gallery - gallery[0])
    inside = spread - (spread @ unit) * unit
    size, rounding = torch.linalg.vector_norm(inside), 8 * torch.finfo(gallery.dtype).eps
    if any(degrees) and bool(size <= rounding * torch.linalg.vector_norm(spread)):
        raise ValueError(
            "gallery: expected rows that differ across direction, to tilt the shift towards them"
        )
    inside = inside / size.clamp_min(torch.finfo(size.dtype).tiny)
    before = nearest(queries, gallery)
    rows = []
    for tilt in degrees:
        angle = torch.deg2rad(torch.tensor(tilt, dtype=torch.float64)).to(gallery)
        along = angle.cos() * unit + angle.sin() * inside
        for length in lengths:
            moved = gallery + length * along
            if renormalize:
                moved = torch.nn.functional.normalize(moved, dim=1)
            after = nearest(queries, moved)
            changed = float((after != before).double().mean())
            rows.append({"length": length, "degrees": tilt, "changed": changed})
    return pd.DataFrame(rows)


def survival_by_distance(
    classes: Sequence[int],
    distances: Sequence[float],
    noise: GaussianNoise,
    *,
    runs: int,
    n: int,
    d: int,
) -> pd.DataFrame:
    """Mean exact robustness of `flat_gallery` queries at each distance along the gap.

    One row for each number of classes, run and distance: "classes", "distance", "run",
    "robustness". The seed of a run is its number.
    """
    rows = []
    for size in classes:
        for run in range(runs):
            starts = [flat_gallery(n, size, d, gap=at, seed=run) for at in distances]
            queries = torch.cat([start[0] for start in starts])
            kept = robustness(queries, starts[0][1], noise).reshape(len(distances), n)
            rows.append(
                pd.DataFrame(
                    {
                        "classes": size,
                        "distance": distances,
                        "run": run,
                        "robustness": kept.mean(1),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def after_shifts(
    *,
    runs: int,
    n: int,
    m: int,
    d: int,
    gap: float,
    lengths: Sequence[float],
    tilts: Sequence[float],
) -> pd.DataFrame:
    """`changed_by_shift` for tilted shifts and for renormalised ones, of equal and unequal norms.

    One row for each run, shift and length, the shift's name in "shift".
    """
    rows = []
    for run in range(runs):
        for norms, kind, how in (
            (0.0, "tilted by {:.0f}°", {"degrees": tilts}),
            (0.0, "renormalised, equal norms", {"renormalize": True}),
            (0.5, "renormalised, unequal norms", {"renormalize": True}),
        ):
            start = flat_gallery(n, m, d, gap=gap, norms=norms, seed=run)
            table = changed_by_shift(*start, lengths=lengths, seed=run, **how)
            names = [
                "orthogonal" if not x and "{" in kind else kind.format(x) for x in table["degrees"]
            ]
            rows.append(table.assign(run=run, shift=names))
    return pd.concat(rows, ignore_index=True)


def random_slopes(count: int, seed: int = 0) -> pd.DataFrame:
    """The slope of an item's chance in a common growth of all distances, for configurations of
    very different kinds: "item" ("nearest" or "farthest"), "probability", "slope"."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size = int(random.integers(3, 31))
        dim = int(random.choice([1, 2, 3, 8, 32, 128, 512]))
        reach = 10 ** random.uniform(-2, 2)
        offset = random.choice([0, 1]) * 10 ** random.uniform(-2, 2)
        squared = offset + reach * random.random(size) ** random.uniform(0.1, 4)
        if random.random() < 0.5:
            squared[1:] = squared[1]
        item = None if random.random() < 0.5 else int(squared.argmax())
        found.append(
            {
                "item": "nearest" if item is None else "farthest",
                "probability": survival(squared, 1.0, dim, item=item),
                "slope": survival_slope(squared, 1.0, dim, item=item),
            }
        )
    return pd.DataFrame(found)


SHIFTS = ("original", "mean shift", "mean shift, renormalised", "naive shift")


def shifted(task: Embeddings) -> dict[str, Tensor]:
    """The gallery of `task` (m, d) as it is and after each of `SHIFTS`, all the way."""
    sides = task.queries, task.gallery
    with comparing():
        shift = MeanShift().fit(*sides)
    closed = as_pair(*shift.transform(*sides))[1]
    naive = task.gallery + gap_vector(*sides)
    galleries = task.gallery, closed, torch.nn.functional.normalize(closed, dim=1), naive
    return dict(zip(SHIFTS, galleries, strict=True))


def compared(
    blocks: Sequence[Embeddings],
    noise: GaussianNoise,
    scorings: Sequence[str] = ("cosine", "euclidean"),
) -> pd.DataFrame:
    """What each shift does to the answers of all `blocks`, a row for each and each scoring.

    Columns: `gallery`, `scoring`, `changed` (share of queries with another nearest item than in the
    untouched gallery), `robustness`, its `gain` over the untouched rows under the same scoring, and
    the (paired) bootstrap errors of both over the queries.
    """
    galleries = [shifted(block) for block in blocks]
    rows = []
    for scoring in scorings:
        kept: dict[str, Tensor] = {}
        for name in SHIFTS:
            each = [
                (block.queries, block.gallery, moved[name])
                for block, moved in zip(blocks, galleries, strict=True)
            ]
            changed = [
                nearest(queries, gallery, scoring) != nearest(queries, plain, scoring)
                for queries, plain, gallery in each
            ]
            kept[name] = torch.cat(
                [
                    robustness(queries, gallery, noise, scoring=scoring)
                    for queries, _, gallery in each
                ]
            ).double()
            gain = paired_gain(kept[name], kept[SHIFTS[0]])
            share = float(torch.cat(changed).double().mean())
            rows.append((name, scoring, share, *mean_and_error(kept[name]), *gain))
    columns = ["gallery", "scoring", "changed", "robustness", "robustness_error", "gain"]
    return pd.DataFrame(rows, columns=[*columns, "gain_error"])


def compared_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`compared` for readers, a row a shift: neighbours changed, and what survives and its gain."""
    found = by_scoring(frame.rename(columns={"gallery": "closing"}))
    changed = frame.pivot(index="gallery", columns="scoring", values="changed").loc[list(SHIFTS)]
    columns: dict[str, Any] = {}
    for scoring in found:
        word = SCORING_WORDS[str(scoring)]
        columns[f"{word}: survive"] = found[scoring]
        columns[f"{word}: changed"] = [f"{share:.3f}" for share in changed[scoring]]
    return pd.DataFrame(columns, index=list(SHIFTS))
