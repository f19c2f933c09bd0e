"""What each closing does to accuracy, rankings and robustness, on one task."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import torch

from gaputils._checks import Seed, work
from gaputils.closing.catalogue import Closings, copy, fit, fit_all, moved, spread
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import compare_closings
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import certified_radius
from gaputils.scoring import SCORINGS, cost, top_k


def noise_label(variance: float) -> str:
    """How the tables call Gaussian noise of that total variance."""
    return f"σ² = {variance:g}"


def compare_on(
    embeddings: Embeddings,
    closings: Closings,
    variances: Sequence[float],
    *,
    calibration: Embeddings | None = None,
    order: str = "closing first",
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """`compare_closings` on a task with targets, closings fitted where `catalogue.fit` does it."""
    return compare_closings(
        embeddings.queries,
        embeddings.gallery,
        fit_all(closings, embeddings, calibration),
        {noise_label(variance): GaussianNoise(variance) for variance in variances},
        targets=known_targets(embeddings),
        order=order,
        draws=draws,
        seed=seed,
    )


def properties(
    embeddings: Embeddings,
    closings: Closings,
    *,
    calibration: Embeddings | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> pd.DataFrame:
    """What there is to know of each closing besides its robustness; `embeddings` need targets.

    A row for each closing and scoring, with columns `closing`, `scoring`, ``recall@k`` (share of
    queries with their target among the k nearest), `certified_radius` (mean; missing for cosine),
    `spread` of the gallery over the original's, and `seconds` for fit and transform. Raises
    `ValueError` without targets, or for a gallery whose rows are all alike.
    """
    targets, width = known_targets(embeddings), spread(embeddings.gallery)
    if width == 0:
        raise ValueError("gallery: expected rows that differ, they are all alike")
    most = min(max(ks), len(embeddings.gallery))
    rows = []
    for label, closing in closings.items():
        start = time.perf_counter()
        learned = None if closing is None else fit(copy(closing), embeddings, calibration)
        sides = moved(learned, embeddings.queries, embeddings.gallery)
        told = {"spread": spread(sides[1]) / width, "seconds": time.perf_counter() - start}
        for scoring in SCORINGS:
            hits = top_k(*sides, most, scoring) == targets[:, None]
            recalls = {f"recall@{k}": float(hits[:, :k].any(dim=1).double().mean()) for k in ks}
            radius = {"certified_radius": _certificate(*sides, scoring)}
            names = {"closing": label, "scoring": scoring}
            rows.append({**names, **recalls, **radius, **told})
    return pd.DataFrame(rows)


def _certificate(queries: torch.Tensor, gallery: torch.Tensor, scoring: str) -> float:
    """Mean norm of the smallest joint change of the gallery that changes the nearest item.

    For inner products ``(s_1 - s_2) / (sqrt(2) |y|)`` of the two greatest (our derivation).
    """
    if scoring == "euclidean":
        return float(certified_radius(queries, gallery).double().mean())
    if scoring == "cosine" or len(gallery) == 1:
        return float("nan")
    queries = work(queries)
    two = cost(queries, work(gallery), scoring).topk(2, dim=1, largest=False).values
    norms = torch.linalg.vector_norm(queries, dim=1)
    return float(((two[:, 1] - two[:, 0]) / (2**0.5 * norms)).mean())


def winners(frame: pd.DataFrame) -> pd.DataFrame:
    """Who comes first in a table of `compare_closings` of one noise, by question and scoring.

    Questions: accuracy without noise, robustness, the same among closings that change no answer,
    and right answers under noise. Whoever lies within one standard error of its own gain of the
    best shares its place; each cell names them with the best's value.
    """
    same = frame[frame["unchanged"] == 1]
    questions = {
        "accuracy without noise": (frame, "accuracy", "accuracy_gain_error"),
        "robustness": (frame, "robustness", "gain_error"),
        "robustness, no answer changed": (same, "robustness", "gain_error"),
        "right under noise": (frame, "right", "right_gain_error"),
    }
    table = {
        question: {s: _first(part, *columns) for s, part in rows.groupby("scoring")}
        for question, (rows, *columns) in questions.items()
    }
    return pd.DataFrame(table).T[list(dict.fromkeys(frame["scoring"]))]


def _first(rows: pd.DataFrame, column: str, error: str) -> str:
    place = int(rows[column].to_numpy().argmax())
    best, its_error = float(rows[column].iloc[place]), float(rows[error].iloc[place])
    level = best - rows[error].clip(lower=its_error)
    names = rows.loc[rows[column] >= level, "closing"]
    return f"{', '.join(names)} ({best:.3f})"
