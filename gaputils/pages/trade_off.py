"""What closing cannot do: large galleries, noise elsewhere, new items, right answers, reranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from torch import Tensor

from gaputils._checks import integer, work
from gaputils.closing import GRCLIP, HullProjection, MeanShift, Standardizing
from gaputils.closing.catalogue import Closings, fitted, moved
from gaputils.closing.on_hull import OnHull, comparing
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks, compared
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.evaluation.table import Comparison
from gaputils.noise import GaussianNoise, Noise, variance_between
from gaputils.pages.survival import (
    CENTRED,
    CLOSINGS,
    ORIGINAL,
    SCALED,
    plus_minus,
)
from gaputils.scoring import nearest, top_k

FAITHFUL = {name: CLOSINGS[name] for name in (ORIGINAL, "mean shift", "hull projection", SCALED)}
MEANS: Closings = {
    **{name: CLOSINGS[name] for name in (ORIGINAL, "mean shift", CENTRED)},
    "standardising (I0T)": Standardizing(),
    "GR-CLIP": GRCLIP(),
}


def leading(embeddings: Embeddings, dim: int) -> Embeddings:
    """Both sides in their `dim` leading directions together (singular, uncentred), at norm 1.

    Whatever has the greatest part in the rows is kept, and so is the gap.
    """
    integer("dim", dim, low=1, high=embeddings.dim)
    rows = work(torch.cat([embeddings.queries, embeddings.gallery]))
    directions = torch.linalg.svd(rows, full_matrices=False)[2][:dim]
    queries, gallery = (
        work(side) @ directions.mT for side in (embeddings.queries, embeddings.gallery)
    )
    return Embeddings(queries, gallery, info=dict(embeddings.info), normalize=True)


def where_noise_falls(
    blocks: Sequence[Embeddings],
    closings: Closings,
    variance: float,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of answers (Euclidean) that noise on the gallery, or on the queries, leaves unchanged.

    The latter falls on the raw queries, and each noisy query goes through the fitted closing. All
    closings see the same draws. Index: the closings; each column has one with " error" beside it.
    """
    places = {"gallery": "closing first", "queries": "noise first"}
    columns: dict[str, Any] = {}
    for place, order in places.items():
        noises = {place: GaussianNoise(variance, on=place)}
        frame = compare_blocks(
            blocks, closings, noises, scorings=["euclidean"], order=order, draws=draws, seed=seed
        ).set_index("closing")
        columns[f"noise on the {place}"] = frame["robustness"]
        columns[f"noise on the {place} error"] = frame["robustness_error"]
    return pd.DataFrame(columns)


def fitted_on_others(
    blocks: Sequence[Embeddings], counts: Iterable[int], noise: GaussianNoise
) -> pd.DataFrame:
    """What the mean shift gains under cosine on half of the queries, fitted on other queries.

    `counts` are the numbers of queries it is fitted on, all of the other half; the last row is
    fitted on the measured queries themselves. Columns: `fitted on`, `gain` and `gain_error` over
    the untouched embeddings, and `unchanged`, the share of answers that the shift leaves.
    """
    chosen, parts = list(counts), []
    for task in blocks:
        half = len(task.queries) // 2
        others, these = task.queries[:half], task.queries[half:]
        samples = {str(count): others[:count] for count in chosen} | {"themselves": these}
        with comparing():
            shifts = {name: MeanShift().fit(rows, task.gallery) for name, rows in samples.items()}
        parts.append(compared((these, task.gallery), shifts, {"": noise}, None, ["cosine"]))
    frame = Comparison.together(parts).table()
    columns = ["closing", "gain", "gain_error", "unchanged"]
    return frame[columns].rename(columns={"closing": "fitted on"})


def grown(
    embeddings: Embeddings,
    counts: Iterable[int],
    noise: GaussianNoise,
    closing: OnHull | None = None,
) -> pd.DataFrame:
    """A closing fitted on the first `counts` items, used on all of them, under cosine.

    Columns: `fitted on`, `off the hull` (items), `farthest` (their greatest distance from it),
    `unchanged` (share of answers that closing leaves), `robustness` (of the closed answers), each
    of the last two once more with " after add", when the other items were taken in.
    """
    closing = HullProjection(center=True) if closing is None else closing
    sides = embeddings.queries, embeddings.gallery
    rows = []
    for count in counts:
        with comparing():
            learned = clone(closing).fit(sides[0], sides[1][:count])
        away = learned.off_hull(sides[1][count:])
        row: dict[str, float] = {"fitted on": count, "off the hull": int((away > 1e-4).sum())}
        row["farthest"] = float(away.max())
        for after in ("", " after add"):
            if after:
                learned.add(sides[1][count:])
            found = compared(sides, {"": learned}, {"": noise}, None, ["cosine"])
            values = found.table(bootstrap=0).iloc[0]
            row[f"unchanged{after}"] = values["unchanged"]
            row[f"robustness{after}"] = values["robustness"]
        rows.append(row)
    return pd.DataFrame(rows)


def reranked(
    blocks: Sequence[Embeddings], closings: Closings, codes: Mapping[str, Noise], k: int = 10
) -> pd.DataFrame:
    """Answers by cosine from compressed codes, alone and with the `k` best reranked by floats.

    Columns: `codes`, `variance` (equivalent, of the untouched rows), `closing`, `alone` and
    `reranked` (shares of the untouched floats' answers) and their errors over the queries. An
    answer among the k is found by the reranking, since closing leaves the floats' ranking.
    """
    rows = []
    for label, code in codes.items():
        spent = float(np.mean([variance_between(b.gallery, _coded(b, code)[1]) for b in blocks]))
        for name, closing in closings.items():
            alone, among = [], []
            for task in blocks:
                raw = task.queries, task.gallery
                sides = moved(fitted(closing, *raw), *raw)
                queries, coded = _coded(Embeddings(*sides), code)
                found = top_k(queries, coded, min(k, len(coded)), "cosine")
                hit = found == nearest(*raw, "cosine")[:, None]
                alone.append(hit[:, 0])
                among.append(hit.any(dim=1))
            values = torch.stack([torch.cat(alone), torch.cat(among)], dim=1).double()
            errors = bootstrap_means(values).std(axis=0)
            rows.append((label, spent, name, *values.mean(dim=0).tolist(), *errors))
    columns = ["codes", "variance", "closing", "alone", "reranked", "alone_error", "reranked_error"]
    return pd.DataFrame(rows, columns=columns)


def right_table(closing_first: pd.DataFrame, noise_first: pd.DataFrame) -> pd.DataFrame:
    """The two orders of noise and closing beside each other, gains with errors as text."""
    columns: dict[str, Any] = {
        "unchanged by closing": [f"{value:.3f}" for value in closing_first["unchanged"]],
        "same answer": plus_minus(closing_first["robustness"], closing_first["robustness_error"]),
        "right answer": plus_minus(closing_first["right"], closing_first["right_error"]),
        "gain in right": plus_minus(
            closing_first["right_gain"], closing_first["right_gain_error"], signed=True
        ),
        "gain in same, noise first": plus_minus(
            noise_first["gain"], noise_first["gain_error"], signed=True
        ),
        "gain in right, noise first": plus_minus(
            noise_first["right_gain"], noise_first["right_gain_error"], signed=True
        ),
    }
    return pd.DataFrame(columns, index=list(closing_first["closing"]))


def _coded(task: Embeddings, code: Noise) -> tuple[Tensor, Tensor]:
    queries, gallery = code.apply(task.queries, task.gallery, torch.Generator().manual_seed(0))
    return queries, gallery


def reranked_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`reranked` for readers: shares with errors as text."""
    return pd.DataFrame(
        {
            "closing": frame["closing"].to_list(),
            "codes alone": plus_minus(frame["alone"], frame["alone_error"]),
            "ten best reranked": plus_minus(frame["reranked"], frame["reranked_error"]),
        },
        index=[f"{row.codes} (variance {row.variance:.1e})" for row in frame.itertuples()],
    )
