"""Accuracy as the gap is moved, and why it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from gaputils.closing import Closing, MeanShift, NaiveShift
from gaputils.closing.catalogue import close
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import compare_closings
from gaputils.evaluation.protocol import mean_over_groups, paired_gain
from gaputils.geometry import gap_vector
from gaputils.geometry.hull import principal_components, project
from gaputils.noise import GaussianNoise
from gaputils.pages import SCORING_WORDS, with_error
from gaputils.pages.gains import short_title
from gaputils.pages.survival import COSINE_FIRST, distinct_items
from gaputils.scoring import SCORINGS, nearest

ORIGINAL, NAIVE, BOTH, MEAN = "original", "naive shift", "naive shift, renormalised", "mean shift"
VARIANTS: dict[str, Callable[[float], Closing]] = {
    NAIVE: lambda alpha: NaiveShift(alpha),
    BOTH: lambda alpha: NaiveShift(alpha, "both", renormalize=True),
    MEAN: lambda alpha: MeanShift(alpha=alpha),
}


def accuracy_curve(
    embeddings: Embeddings,
    make: Callable[[float], Closing],
    alphas: Sequence[float],
    scorings: Sequence[str] = SCORINGS,
) -> pd.DataFrame:
    """Noise-free accuracy of ``make(alpha)`` at each alpha.

    Columns: `alpha`, `scoring`, `gap` (distance of the two means), `accuracy` (missing without
    targets), `unchanged` (share of queries with the original's nearest item under that scoring).
    """
    before = {s: nearest(embeddings.queries, embeddings.gallery, s) for s in scorings}
    rows = []
    for alpha in alphas:
        moved = close(make(float(alpha)), embeddings)
        gap = float(torch.linalg.vector_norm(moved.queries.mean(dim=0) - moved.gallery.mean(dim=0)))
        for scoring in scorings:
            found = nearest(moved.queries, moved.gallery, scoring)
            row = {"alpha": float(alpha), "scoring": scoring, "gap": gap}
            if embeddings.answers is not None:
                row["accuracy"] = _share(embeddings.right(found))
            rows.append({**row, "unchanged": _share(found == before[scoring])})
    return pd.DataFrame(rows)


def sweep(tasks: Mapping[str, Embeddings], alphas: Sequence[float]) -> pd.DataFrame:
    """`accuracy_curve` of each of `VARIANTS` on each task, with columns `task` and `closing`."""
    return pd.concat(
        [
            accuracy_curve(task, make, alphas).assign(task=name, closing=closing)
            for name, task in tasks.items()
            for closing, make in VARIANTS.items()
        ],
        ignore_index=True,
    )


def handicaps(embeddings: Embeddings) -> pd.DataFrame:
    """What the naive shift does to each item of the gallery, a row for each.

    `handicap` is the inner product of the gap with the item relative to the mean item, `before`
    and `after` the number of queries that it wins, `change` their difference.
    """
    gallery = embeddings.gallery
    moved = close(NaiveShift(), embeddings)
    before, after = (
        torch.bincount(nearest(e.queries, e.gallery), minlength=len(gallery)).double()
        for e in (embeddings, moved)
    )
    bias = (gallery - gallery.mean(0)) @ gap_vector(embeddings.queries, gallery)
    columns = {"handicap": bias, "before": before, "after": after, "change": after - before}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def two_shifts(embeddings: Embeddings) -> dict[str, float]:
    """The shifted texts under Euclidean distance beside the shifted images under cosine.

    The share of queries that get `equal` answers from both, `accuracy` after the shift, the share
    `inside` of the gap's length that lies in the gallery's hull, and `rank`, Spearman's correlation
    of handicap and change of wins.
    """
    texts = close(NaiveShift(1.0), embeddings)
    images = close(NaiveShift(1.0, side="queries", renormalize=True), embeddings)
    found = nearest(images.queries, images.gallery, "cosine")
    gap = gap_vector(embeddings.queries, embeddings.gallery).double()
    components, _ = principal_components(embeddings.gallery)
    items = handicaps(embeddings)
    return {
        "equal": _share(nearest(texts.queries, texts.gallery) == found),
        "accuracy": _share(embeddings.right(found)),
        "inside": float(project(gap, components).norm() / gap.norm()),
        "rank": float(spearmanr(items["handicap"], items["change"]).statistic),
    }


def changes(sets: Mapping[str, Embeddings], alpha: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """What the naive shift adds to the accuracy of each set, by Euclidean distance, a row for each.

    Columns: `accuracy` before, `change` with its paired bootstrap `error` over queries, `told`
    (whether it is beyond two errors), `error_over_items`, where queries of one item are drawn
    together, the set's `model`, `loss` and `title`. Equal items are one.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, e in sets.items():
        task = distinct_items(e)
        moved = close(NaiveShift(alpha), task)
        right = [task.right(nearest(one.queries, one.gallery)).double() for one in (task, moved)]
        change, error = paired_gain(right[1], right[0], seed=seed)
        told = abs(change) > 2 * error > 0
        row = {"accuracy": _share(right[0]), "change": change, "error": error, "told": told}
        gains = pd.Series((right[1] - right[0]).cpu().numpy())
        items = pd.Series(known_targets(task).cpu().numpy())
        row["error_over_items"] = mean_over_groups(gains, items, seed=seed)[1]
        model, data = e.info.get("model", name), e.info.get("data", "")
        title = short_title(model, data, name)
        rows[name] = row | {"model": model, "loss": e.info.get("loss"), "title": title}
    return pd.DataFrame(rows).T.infer_objects()


def renormalised(tasks: Mapping[str, Embeddings]) -> pd.DataFrame:
    """What normalising the shifted gallery does to the answers, a row a shift and task."""
    ways = {
        NAIVE: NaiveShift(),
        "mean shift, whole hull": MeanShift(),
        "mean shift, half the variance": MeanShift(n_components=0.5),
    }
    rows = {}
    for label, closing in ways.items():
        for name, e in tasks.items():
            moved = close(closing, e)
            before, plain = nearest(e.queries, e.gallery), nearest(moved.queries, moved.gallery)
            sphere = nearest(moved.queries, F.normalize(moved.gallery, dim=1))
            rows[label, name] = {
                "spread of norms": float(moved.gallery.norm(dim=1).std()),
                "unchanged": _share(plain == before),
                "unchanged, renormalised": _share(sphere == before),
            }
    return pd.DataFrame(rows).T


def renormalised_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`renormalised` for readers: answers unchanged by the shift, and after renormalising; "all"
    where none changes either way.
    """
    words = [
        "all" if plain == sphere == 1 else f"{plain:.3f} → {sphere:.3f}"
        for plain, sphere in zip(frame["unchanged"], frame["unchanged, renormalised"], strict=True)
    ]
    table = pd.Series(words, index=frame.index).unstack(sort=False)
    return table.rename_axis(None, axis=0)


def under_noise(embeddings: Embeddings, variance: float, seed: int = 0) -> pd.DataFrame:
    """`compare_closings` of the naive shifts and the paper's under Gaussian noise of `variance`."""
    made = {name: make(1.0) for name, make in VARIANTS.items()}
    closings: dict[str, Closing | None] = {ORIGINAL: None, **made}
    return compare_closings(
        embeddings.queries,
        embeddings.gallery,
        closings,
        {"": GaussianNoise(variance)},
        targets=embeddings.targets,
        scorings=COSINE_FIRST,
        seed=seed,
    )


def noise_table(frame: pd.DataFrame) -> pd.DataFrame:
    """What `under_noise` found in words: a row a closing, under each scoring two columns."""
    cells: dict[str, dict[str, str]] = {}
    for row in frame.to_dict("records"):
        for column, gain in (("robustness", "gain"), ("right", "right_gain")):
            words = with_error(row[column], row[f"{column}_error"])
            if row["closing"] != ORIGINAL:
                gained = with_error(row[gain], row[f"{gain}_error"], signed=True)
                words = f"{row[column]:.3f} ({gained})"
            what = "survive" if column == "robustness" else "right"
            place = f"{SCORING_WORDS[row['scoring']]}, {what}"
            cells.setdefault(place, {})[row["closing"]] = words
    return pd.DataFrame(cells).T


def summarize_curve(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Accuracy at alpha 0 and 1 and the best alpha, for each combination of the columns `by`.

    `frame` as of `accuracy_curve` with the further columns; of equally good alphas the one
    nearest to 0 is named.
    """
    rows = {}
    for key, part in frame.groupby(list(by), sort=False):
        found = part.set_index("alpha")["accuracy"]
        best = found.index[found == found.max()].to_numpy()
        rows[key] = {
            "α = 0": float(found.loc[0.0]),
            "α = 1": float(found.loc[1.0]),
            "best α": float(best[abs(best).argmin()]),
        }
    keys = pd.DataFrame(list(rows), columns=list(by))
    return pd.concat([keys, pd.DataFrame(list(rows.values()))], axis=1).set_index(list(by))


def most_over_original(frame: pd.DataFrame) -> float:
    """The greatest rise of accuracy that a naive shift brings at any alpha on any task."""
    naive = frame[(frame["closing"] == NAIVE) & (frame["scoring"] == "euclidean")]
    start = naive[np.isclose(naive["alpha"], 0)].set_index("task")["accuracy"]
    return float((naive["accuracy"] - naive["task"].map(start)).max())


def _share(values: torch.Tensor) -> float:
    return float(values.double().mean())
