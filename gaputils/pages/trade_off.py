"""What closing cannot do: large galleries, noise elsewhere, new items, right answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from gaputils._checks import as_generator, integer, work
from gaputils.closing import GRCLIP, HullProjection, MeanShift, Standardizing
from gaputils.closing.catalogue import Closings
from gaputils.closing.on_hull import OnHull, comparing
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks, compared
from gaputils.evaluation.table import Comparison
from gaputils.noise import GaussianNoise
from gaputils.pages.survival import (
    CENTRED,
    CLOSINGS,
    ORIGINAL,
    SCALED,
    plus_minus,
)

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
    blocks: Sequence[Embeddings],
    counts: Iterable[int],
    noise: GaussianNoise,
    draws: int = 8,
    seed: int = 0,
) -> pd.DataFrame:
    """What the mean shift gains under cosine on half of the queries, fitted on other queries.

    `counts` are the numbers of queries it is fitted on, all of the other half, `draws` times drawn;
    the last row is fitted on the measured queries themselves. Columns: `fitted on`, `gain` over the
    untouched embeddings, its mean over the draws, `gain_error` over the measured queries and the
    draws, and `unchanged`, the share of answers that the shift leaves.
    """
    generator, parts = as_generator(seed), []
    chosen = [(str(count), count, draw) for count in counts for draw in range(draws)]
    for task in blocks:
        half = len(task.queries) // 2
        others, these = task.queries[:half], task.queries[half:]
        samples = {"themselves 0": these}
        for name, count, draw in chosen:
            samples[f"{name} {draw}"] = others[torch.randperm(half, generator=generator)[:count]]
        with comparing():
            shifts = {name: MeanShift().fit(rows, task.gallery) for name, rows in samples.items()}
        parts.append(compared((these, task.gallery), shifts, {"": noise}, None, ["cosine"]))
    frame = Comparison.together(parts).table()
    frame["fitted on"] = frame["closing"].str.split().str[0]
    each = frame.groupby("fitted on")
    of_draws = each["gain"].var().fillna(0) / each["gain"].size()
    table = each[["gain", "unchanged"]].mean()
    table["gain_error"] = np.hypot(each["gain_error"].mean(), np.sqrt(of_draws))
    order = [*dict.fromkeys(name for name, _, _ in chosen), "themselves"]
    return table.loc[order, ["gain", "gain_error", "unchanged"]].reset_index()


def grown(
    embeddings: Embeddings,
    counts: Iterable[int],
    noise: GaussianNoise,
    closing: OnHull | None = None,
) -> pd.DataFrame:
    """A closing fitted on the first `counts` items, used on all of them, under cosine.

    Columns: `fitted on`, `off the hull` (items), `farthest` (their greatest distance from it),
    `unchanged` (share of answers that closing leaves), `robustness` (of the closed answers) and
    its error over the queries, the last three once more with " after add", when the other items
    were taken in.
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
            values = found.table().iloc[0]
            row[f"unchanged{after}"] = values["unchanged"]
            row[f"robustness{after}"] = values["robustness"]
            row[f"robustness{after} error"] = values["robustness_error"]
        rows.append(row)
    return pd.DataFrame(rows)


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
