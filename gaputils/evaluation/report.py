"""Does closing the gap help these embeddings, by how much, and how is it done?"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from gaputils import _checks
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.catalogue import fitted
from gaputils.embeddings import Embeddings, require_embeddings
from gaputils.evaluation.compare import as_number, compared
from gaputils.evaluation.sample import ITEMS, Sample
from gaputils.evaluation.table import Comparison
from gaputils.geometry import measure_gap
from gaputils.geometry.moments import moment_measures
from gaputils.geometry.sums import streamed
from gaputils.noise.perturbations import GaussianNoise
from gaputils.scoring import check_scoring, nearly_equal

ORIGINAL = "original"
_WORDS = {"cosine": "cosine", "euclidean": "Euclidean distance", "inner-product": "inner product"}
_FAITHFUL = 0.99
# What the exact engine's errors, below 1e-4 each, may feign.
_RESOLUTION = 2e-4
_AT_ONCE = 512


@dataclass(frozen=True)
class Report:
    """What `report` found.

    `measures` as from `measure_gap`; `benefits` a row for each closing (see `benefits`); `best`
    the recommended closing's name there, "original" where none gains; `verdict` in words; `code`
    the lines that do it, for NumPy arrays or tensors `queries` and `gallery`.
    """

    measures: pd.Series[float]
    benefits: pd.DataFrame
    best: str
    verdict: str
    code: str


@dataclass(frozen=True)
class _Findings:
    sample: Sample
    table: pd.DataFrame
    comparison: Comparison
    refused: dict[str, str]
    fills_space: bool
    key: tuple[str, str]
    bootstrap: int
    seed: int


def benefits(
    embeddings: Embeddings | tuple[Any, ...],
    variance: float = 0.04,
    *,
    scoring: str = "cosine",
    rows: int = 1000,
    items: int = ITEMS,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """What each closing is worth under the `scoring` that you rank by: `compare_closings` in short.

    Gaussian noise of total `variance` falls on each gallery item; closings that are made for the
    scoring are tried, the untouched original first. The columns are those of `compare_closings`,
    and every gain is over the untouched embeddings under the same scoring, with its paired error.
    Scaling about the circumcentre is left out where the gallery has none.

    `embeddings` are `Embeddings`, or a pair (queries, gallery) or a triple with targets of arrays,
    say memory maps, of which only what is measured is read. At most `rows` queries and `items`
    gallery rows are, drawn with `seed`, but always each query's right item: among all items of a
    larger gallery less survives. Queries without a right item in the gallery are for you to leave
    out.

    Raises `ValueError` for a gallery of one row, or rows of norm zero under cosine.
    """
    return _find(embeddings, variance, scoring, rows, items, bootstrap, seed).table


def report(
    embeddings: Embeddings | tuple[Any, ...],
    variance: float = 0.04,
    *,
    scoring: str = "cosine",
    rows: int = 1000,
    items: int = ITEMS,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Report:
    """Is there a gap, does closing it help here, by how much, and the lines that do it.

    The arguments are those of `benefits`; `rows` also limits the quadratic measures, while what
    means and covariances determine is streamed from all rows. Recommended is the closing of the
    greatest robustness among those that keep 99 % of the answers, if its gain exceeds one standard
    error and what the exact engine resolves, 0.0002; of closings that cannot be told apart from it,
    the simplest. It is a recommendation within `scoring`. Raises `ValueError` for a gallery of one
    row, or rows of norm zero under cosine.

    >>> import numpy as np, gaputils as gu
    >>> gallery = np.eye(3, 8)
    >>> found = gu.report(gu.Embeddings(gallery[[0, 1, 2, 0, 1]] + np.eye(8)[7], gallery))
    >>> list(found.benefits["closing"])
    ['original', 'mean shift', 'hull projection', 'hull projection, centred']
    """
    found = _find(embeddings, variance, scoring, rows, items, bootstrap, seed)
    sample = found.sample
    measures = measure_gap(sample.embeddings, max_rows=max(3, rows), seed=found.seed)
    if sample.is_part:
        sides = streamed("queries", sample.queries), streamed("gallery", sample.gallery)
        measures.update(pd.Series(moment_measures(*sides)))
    best, alike = _recommend(found)
    verdict = " ".join([_gap(measures), *_worth(found, best, alike, variance), *_told(found)])
    return Report(measures, found.table, best, verdict, _code(best, scoring))


def candidates(scoring: str) -> dict[str, Closing | None]:
    """The closings that are tried under `scoring`, simplest first."""
    tried: dict[str, Closing | None] = {ORIGINAL: None, "mean shift": MeanShift()}
    tried["hull projection"] = HullProjection()
    if scoring == "euclidean":
        tried["hull projection, scaled"] = HullProjection(radius=2)
    else:
        tried["hull projection, centred"] = HullProjection(center=True)
    return tried


def _find(
    embeddings: Any,
    variance: float,
    scoring: str,
    rows: int,
    items: int,
    bootstrap: int,
    seed: int,
) -> _Findings:
    if not isinstance(embeddings, tuple):
        require_embeddings(embeddings)
    noise = GaussianNoise(_checks.number("variance", variance, low=0, strict=True))
    number = as_number(seed)
    _checks.integer("bootstrap", bootstrap, low=2)
    sample = Sample.of(embeddings, rows, items, number)
    e = sample.embeddings
    if len(e.gallery) < 2:
        raise ValueError("gallery: expected at least 2 rows to tell apart, got 1")
    check_scoring(e.gallery, scoring, e.queries)
    ready: dict[str, Closing | None] = {}
    refused = {}
    for label, closing in candidates(scoring).items():
        try:
            with warnings.catch_warnings():
                # A closing warns that it moves nothing; the verdict says so.
                warnings.simplefilter("ignore", UserWarning)
                ready[label] = fitted(closing, e.queries, e.gallery)
        except ValueError as error:
            refused[label] = str(error)
    name = f"σ² = {variance:g}"
    found = compared(
        (e.queries, e.gallery),
        ready,
        {name: noise},
        sample.answers,
        [scoring],
        seed=number,
    )
    table = found.table(bootstrap, number)
    fills = getattr(ready["mean shift"], "rank_", 0) == e.dim
    return _Findings(sample, table, found, refused, fills, (scoring, name), bootstrap, number)


def _recommend(found: _Findings) -> tuple[str, list[str]]:
    """The closing to take, and the others that it cannot be told apart from."""
    table = found.table.set_index("closing")
    gaining = table[
        (table["unchanged"] >= _FAITHFUL)
        & (table["gain"] > table["gain_error"].clip(lower=_RESOLUTION))
    ]
    if gaining.empty:
        return ORIGINAL, []
    names = [str(name) for name in gaining.index]
    level = _level(found, names, str(gaining["robustness"].idxmax()))
    return level[0], [name for name in _level(found, names, level[0]) if name != level[0]]


def _level(found: _Findings, names: list[str], one: str) -> list[str]:
    """Those of `names` that are within a paired standard error of `one`, itself among them."""
    over = found.comparison.table(found.bootstrap, found.seed, against=one).set_index("closing")
    alike = over["gain"].abs() <= over["gain_error"].clip(lower=_RESOLUTION)
    return [name for name in names if alike[name]]


def _gap(measures: pd.Series[float]) -> str:
    separable = float(measures.get("gap_separability", math.nan))
    size = f"a gap of {measures['gap_norm']:.3f}"
    if separable > 0.9:
        return f"There is {size}: {separable:.0%} of the points can be told apart along it."
    if separable <= 0.9:
        return f"The sides overlap: {size}, along which {separable:.0%} can be told apart."
    return f"There is {size}."


def _worth(found: _Findings, best: str, alike: list[str], variance: float) -> list[str]:
    scoring, _ = found.key
    table = found.table.set_index("closing")
    start = table.loc[ORIGINAL]
    told = [
        f"Ranked by {_WORDS[scoring]} as they are, {_pm(start, 'robustness')} of the answers "
        f"survive noise of total variance {variance:g} on the gallery."
    ]
    if best == ORIGINAL:
        return [*told, _not_worth(table.drop(index=ORIGINAL))]
    row = table.loc[best]
    told.append(
        f"Closing the gap helps: with the {best}, it is {row['robustness']:.3f}, a gain of "
        f"{_pm(row, 'gain')} over the untouched under the same scoring."
    )
    if alike:
        told.append(f"It cannot be told apart from the {' and the '.join(alike)}, and is simpler.")
    if "right" in table:
        told.append(
            f"The right answer wins under the noise with probability {start['right']:.3f} before "
            f"and {row['right']:.3f} after ({_pm(row, 'right_gain', '+')})."
        )
    return told


def _not_worth(closings: pd.DataFrame) -> str:
    """Why none of the `closings` is recommended, which none that loses answers is."""
    faithful = closings[closings["unchanged"] >= _FAITHFUL]
    if faithful.empty:
        most = closings["unchanged"].idxmax()
        return (
            f"No closing can be recommended here, for none keeps {_FAITHFUL:.0%} of the answers: "
            f"the {most} keeps the most, {closings['unchanged'].max():.1%}."
        )
    greatest = faithful.nlargest(1, "gain").iloc[0]
    return (
        f"Closing the gap does not help here: no closing that keeps {_FAITHFUL:.0%} of the answers "
        f"gains more than its standard error and {_RESOLUTION:g} (the greatest gain of these is "
        f"{_pm(greatest, 'gain', '+')})."
    )


def _pm(row: Any, name: str, sign: str = "") -> str:
    """A value and its error, rounded up to what the exact engine resolves, in digits that show it.

    >>> _pm({"gain": 0.00031, "gain_error": 0.00004}, "gain"), _pm({"a": 0.1, "a_error": 0.02}, "a")
    ('0.0003 ± 0.0001', '0.100 ± 0.020')
    """
    error = max(float(row[f"{name}_error"]), 1e-4)
    digits = 4 if error < 1e-3 else 3
    return f"{row[name]:{sign}.{digits}f} ± {error:.{digits}f}"


def _told(found: _Findings) -> list[str]:
    """What one has to know of these rows before one believes the numbers."""
    e, sample = found.sample.embeddings, found.sample
    told = []
    if found.fills_space:
        told.append(
            f"The gallery's hull fills all {e.dim} dimensions: the mean shift and the projection "
            "move nothing, and what closing can still do is center or scale."
        )
    told += [*norms_told("queries", e.queries), *norms_told("gallery", e.gallery)]
    told += [f"The {label} was left out: {why}." for label, why in found.refused.items()]
    doubles = 0 if (found.table["unchanged"] == 1).all() else _doubles(e.gallery)
    if doubles:
        told.append(
            f"{doubles:,} of the {len(e.gallery):,} items are stored more than once, as far as "
            "squared distances in single precision tell. Which of them comes first is chance, so "
            "that a change from one to the other counts as a changed answer though it is none: "
            "keep one of each."
        )
    if e.targets is None:
        told.append(
            "Which item is right is not known, so that only unchanged answers count, and measures "
            "of matched pairs are left out."
        )
    if sample.is_part:
        told.append(
            f"Measured with {len(e.queries):,} of {sample.total_queries:,} queries among "
            f"{len(e.gallery):,} of {sample.total_items:,} items."
        )
    if len(e.gallery) < sample.total_items:
        told.append("Among all items fewer answers survive.")
    return told


def _doubles(gallery: torch.Tensor) -> int:
    """How many rows of `gallery` (m, d) are no farther from another one than rounding goes."""
    parts = torch.split(gallery, _AT_ONCE)
    return sum(int((nearly_equal(part, gallery).sum(dim=1) > 1).sum()) for part in parts)


def norms_told(name: str, side: torch.Tensor) -> list[str]:
    """What a variance of noise means where rows are not of norm 1; nothing where they are."""
    norms = torch.linalg.vector_norm(side, dim=1)
    if float((norms - 1).abs().max()) <= 0.05:
        return []
    return [
        f"Rows of the {name} have norms from {float(norms.min()):.3g} to "
        f"{float(norms.max()):.3g} (median {float(norms.median()):.3g}), not 1: the variance of "
        "the noise is to be read against their squares; normalise the rows if your system does."
    ]


def _code(best: str, scoring: str) -> str:
    closing = candidates(scoring)[best]
    rank = f'answers = gu.scoring.nearest(queries, gallery, "{scoring}")'
    if closing is None:
        return f"import gaputils as gu\n\n{rank}"
    return (
        "import gaputils as gu\n\n"
        f"closing = gu.{closing!r}.fit(queries, gallery)\n"
        f"queries, gallery = closing.transform(queries, gallery)\n{rank}"
    )
