"""Does closing the gap help these embeddings, by how much, and how is it done?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor
from torch.nn.functional import normalize

from gaputils import _checks
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, require_embeddings
from gaputils.geometry import measure_gap
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import accuracy_under_noise, robustness
from gaputils.scoring import nearest


@dataclass(frozen=True)
class Report:
    """What `report` found.

    `measures` as from `measure_gap`; `benefits` a row per way of ranking (see `benefits`);
    `best` the row's name with the highest robustness among those that keep at least 99 % of the
    answers; `verdict` a sentence; `code` the lines that apply the best.
    """

    measures: pd.Series[float]
    benefits: pd.DataFrame
    best: str
    verdict: str
    code: str


@dataclass(frozen=True)
class _Way:
    """A way of ranking; `unit` normalises the gallery first, which cosine does anyway."""

    scoring: str
    closing: Closing | None = None
    unit: bool = False


_AS_IT_IS = "as it is, Euclidean"
_COSINE = "as it is, cosine"
_WAYS: dict[str, _Way] = {
    _AS_IT_IS: _Way("euclidean"),
    _COSINE: _Way("cosine"),
    "mean shift, Euclidean": _Way("euclidean", MeanShift()),
    "hull projection, Euclidean": _Way("euclidean", HullProjection()),
    "hull projection at the best radius, Euclidean": _Way(
        "euclidean", HullProjection(radius="auto"), unit=True
    ),
    "hull projection, centred, cosine": _Way("cosine", HullProjection(center=True), unit=True),
}


def benefits(
    embeddings: Embeddings,
    variance: float = 0.04,
    *,
    rows: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Robustness with and without closing, beside what it changes: a row per way of ranking.

    Gaussian noise of total `variance` on each gallery item. Columns: `unchanged` (share of queries
    whose noise-free answer is that of the original embeddings), `robustness` (mean probability
    that the answer survives the noise), `gain` over the original under Euclidean scoring, and with
    targets `accuracy` and `noisy_accuracy`, all exact; where `embeddings.owners` are known, each
    query's own gallery rows are right, not its target alone. The last two ways normalise the
    gallery and are compared with the original's cosine answers. At most `rows` queries, drawn with
    `seed`, are measured; the gallery is whole. Raises `ValueError` for a gallery of one row or
    zero rows.
    """
    noise = GaussianNoise(_checks.number("variance", variance, low=0, strict=True))
    limit = _checks.integer("rows", rows, low=1)
    require_embeddings(embeddings)
    if len(embeddings.gallery) < 2:
        raise ValueError("gallery: expected at least 2 rows to tell apart, got 1")
    generator = _checks.as_generator(seed)
    shown = torch.randperm(len(embeddings.queries), generator=generator)[:limit].sort().values
    queries, gallery = embeddings.queries[shown], embeddings.gallery
    answers = None if embeddings.answers is None else embeddings.answers[shown]
    result = {}
    for name, way in _WAYS.items():
        base = normalize(gallery) if way.unit else gallery
        moved = (queries, base)
        if way.closing is not None:
            with comparing():
                moved = clone(way.closing).fit(embeddings.queries, base).transform(queries, base)
        before = nearest(queries, gallery, "cosine" if way.unit else way.scoring)
        after = nearest(*moved, way.scoring)
        kept = robustness(*moved, noise, scoring=way.scoring)
        row = {"unchanged": _mean(before == after), "robustness": _mean(kept)}
        if answers is not None:
            row["accuracy"] = _mean((after[:, None] == answers).any(dim=1))
            noisy = accuracy_under_noise(*moved, answers, noise, scoring=way.scoring)
            row["noisy_accuracy"] = _mean(noisy)
        result[name] = row
    frame = pd.DataFrame.from_dict(result, orient="index")
    frame.insert(2, "gain", frame["robustness"] - _cell(frame, _AS_IT_IS, "robustness"))
    return frame


def report(
    embeddings: Embeddings,
    variance: float = 0.04,
    *,
    rows: int = 1000,
    seed: int = 0,
) -> Report:
    """Is there a gap, does closing it help here, by how much, and the lines that do it.

    The arguments are those of `benefits`; `rows` also limits the quadratic measures.
    """
    measures = measure_gap(embeddings, max_rows=max(3, rows), seed=seed)
    table = benefits(embeddings, variance, rows=rows, seed=seed)
    faithful = table[table["unchanged"] >= 0.99]
    best = str(faithful["robustness"].idxmax())
    return Report(measures, table, best, _verdict(measures, table, best, variance), _code(best))


def _verdict(measures: pd.Series[float], table: pd.DataFrame, best: str, variance: float) -> str:
    separable = float(measures.get("gap_separability", math.nan))
    size = f"a gap of {measures['gap_norm']:.3f}"
    if separable > 0.9:
        gap = f"There is {size}: {separable:.0%} of the points can be told apart along it"
    elif separable <= 0.9:
        gap = f"The sides overlap: {size}, along which {separable:.0%} can be told apart"
    else:
        gap = f"There is {size}"
    start, cosine = (_cell(table, name, "robustness") for name in (_AS_IT_IS, _COSINE))
    reached = _cell(table, best, "robustness")
    survives = f"at noise of total variance {variance:g} a share of"
    if _WAYS[best].closing is None or reached - cosine < 0.005:
        return (
            f"{gap}. Closing it does not help here beyond what cosine scoring gives: {survives} "
            f"{start:.3f} of the answers survives with Euclidean distances, {cosine:.3f} with "
            f"cosine and at most {reached:.3f} otherwise."
        )
    return (
        f"{gap}. Closing it helps: {survives} {start:.3f} of the answers survives with Euclidean "
        f"distances, {cosine:.3f} with cosine and {reached:.3f} with {best}."
    )


def _code(best: str) -> str:
    way = _WAYS[best]
    if way.closing is None:
        return f"# rank by {way.scoring} scoring; there is nothing to transform"
    unit = "gallery = torch.nn.functional.normalize(gallery)\n" if way.unit else ""
    return (
        f"{unit}closing = gu.{way.closing!r}.fit(queries, gallery)\n"
        f"queries, gallery = closing.transform(queries, gallery)  # then rank by {way.scoring}"
    )


def _mean(values: Tensor) -> float:
    return float(values.double().mean())


def _cell(table: pd.DataFrame, row: str, column: str) -> float:
    value: Any = table.loc[row, column]
    return float(value)
