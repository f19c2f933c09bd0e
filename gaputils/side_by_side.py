"""Closing methods side by side: what each does to accuracy, rankings and robustness."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, work
from gaputils.closing.base import Closing
from gaputils.embeddings import Embeddings
from gaputils.methods import Methods, close, known_targets, spread
from gaputils.noise import GaussianNoise, Noise, equivalent_gaussian
from gaputils.robustness import accuracy_under_noise, certified_radius, estimate, robustness
from gaputils.scoring import SCORINGS, cost, nearest
from gaputils.tasks import top_k


def compare(
    embeddings: Embeddings,
    methods: Methods,
    variances: Sequence[float] = (0.005, 0.022, 0.04),
    scorings: Sequence[str] = SCORINGS,
    *,
    calibration: Embeddings | None = None,
    relative: bool = False,
    ks: Sequence[int] = (1, 5, 10),
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """One row for each method and scoring; `embeddings` need targets.

    Columns: `method`, `scoring`, `accuracy`, `agreement` (share of queries with the original's
    nearest item), ``robustness@v`` and ``accuracy@v`` under Gaussian noise of total variance v
    on the gallery, `certified_radius` (mean; missing for cosine), ``recall@k`` (share of queries
    with their target among the k nearest), `spread` of the gallery over the original's, `seconds`
    for fit and transform. Exact but for cosine, which takes `draws` draws.

    A method that inflates the gallery meets a fixed noise with an advantage that is none of its
    making. With `relative` each variance is taken relative to the gallery's own spread: v times
    `spread` squared, and radii are divided by `spread`. Raises `ValueError` without targets, or for
    a gallery whose rows are all alike.
    """
    targets, width = known_targets(embeddings), spread(embeddings.gallery)
    if width == 0:
        raise ValueError("gallery: expected rows that differ, they are all alike")
    before = nearest(embeddings.queries, embeddings.gallery)
    rows = []
    for name, method in methods.items():
        start = time.perf_counter()
        moved = close(method, embeddings, calibration)
        seconds = time.perf_counter() - start
        ratio = spread(moved.gallery) / width
        unit = ratio if relative else 1.0
        for scoring in scorings:
            row: dict[str, Any] = {"method": name, "scoring": scoring}
            found = nearest(moved.queries, moved.gallery, scoring)
            row["accuracy"] = _share(found == targets)
            row["agreement"] = _share(found == before)
            for variance in variances:
                noise = GaussianNoise(variance * unit**2)
                kept, right = _under(moved, noise, scoring, draws, seed)
                row[f"robustness@{variance:g}"], row[f"accuracy@{variance:g}"] = kept, right
            row["certified_radius"] = _certificate(moved, scoring) / unit
            row |= _recalls(moved, ks, scoring)
            rows.append({**row, "spread": ratio, "seconds": seconds})
    return pd.DataFrame(rows)


def winners(frame: pd.DataFrame, variance: float) -> pd.DataFrame:
    """Who comes first in a table of `compare`, by question (rows) and scoring (columns).

    Questions: clean accuracy, robustness at `variance`, the same among methods that change no
    answer, and accuracy at `variance`. Methods within 0.0005 of the best share a place; each cell
    names them with the value.
    """
    kept = frame[frame["agreement"] == 1]
    questions = {
        "clean accuracy": (frame, "accuracy"),
        f"robustness at {variance:g}": (frame, f"robustness@{variance:g}"),
        "robustness, no answer changed": (kept, f"robustness@{variance:g}"),
        f"accuracy at {variance:g}": (frame, f"accuracy@{variance:g}"),
    }
    table = {
        question: {scoring: _first(part, column) for scoring, part in rows.groupby("scoring")}
        for question, (rows, column) in questions.items()
    }
    return pd.DataFrame(table).T[list(dict.fromkeys(frame["scoring"]))]


def _first(rows: pd.DataFrame, column: str) -> str:
    best = float(rows[column].max())
    names = rows.loc[rows[column] > best - 5e-4, "method"]
    return f"{', '.join(names)} ({best:.3f})"


def under_noises(
    embeddings: Mapping[str, Embeddings],
    noises: Mapping[str, Noise],
    scorings: Sequence[str] = SCORINGS,
    *,
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Robustness and accuracy of each named pair of sides under each named noise.

    Columns: `method`, `noise`, `scoring`, `robustness`, `accuracy` (clean), `noisy_accuracy`,
    `variance` (mean squared change of a gallery row) and `predicted`, the robustness under
    Gaussian noise of that variance: exact, or with `draws` draws for cosine.
    """
    rows = []
    for method, e in embeddings.items():
        targets = known_targets(e)
        for name, noise in noises.items():
            like = equivalent_gaussian(noise, e.gallery)
            for scoring in scorings:
                kept, right = estimate(
                    e.queries,
                    e.gallery,
                    noise,
                    targets=targets,
                    scoring=scoring,
                    draws=draws,
                    seed=seed,
                )
                clean = nearest(e.queries, e.gallery, scoring) == targets
                rows.append(
                    {
                        "method": method,
                        "noise": name,
                        "scoring": scoring,
                        "robustness": kept.mean,
                        "accuracy": _share(clean),
                        "noisy_accuracy": None if right is None else right.mean,
                        "variance": like.variance,
                        "predicted": _under(e, like, scoring, draws, seed)[0],
                    }
                )
    return pd.DataFrame(rows)


def accuracy_curve(
    embeddings: Embeddings,
    make: Callable[[float], Closing],
    alphas: Sequence[float],
    scorings: Sequence[str] = SCORINGS,
) -> pd.DataFrame:
    """Noise-free accuracy of ``make(alpha)`` at each alpha.

    Columns: `alpha`, `scoring`, `gap` (distance of the two means), `accuracy` (missing without
    targets), `unchanged` (share of queries with the original's nearest item).
    """
    before = nearest(embeddings.queries, embeddings.gallery)
    rows = []
    for alpha in alphas:
        moved = close(make(float(alpha)), embeddings)
        gap = float(torch.linalg.vector_norm(moved.queries.mean(dim=0) - moved.gallery.mean(dim=0)))
        for scoring in scorings:
            found = nearest(moved.queries, moved.gallery, scoring)
            row = {"alpha": float(alpha), "scoring": scoring, "gap": gap}
            if embeddings.targets is not None:
                row["accuracy"] = _share(found == embeddings.targets)
            rows.append({**row, "unchanged": _share(found == before)})
    return pd.DataFrame(rows)


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


def _share(values: Tensor) -> float:
    return float(values.double().mean())


def _under(
    e: Embeddings, noise: GaussianNoise, scoring: str, draws: int, seed: Seed
) -> tuple[float, float]:
    """Mean robustness and accuracy under `noise`, exact where there is an exact answer."""
    targets = known_targets(e)
    if scoring == "cosine":
        kept, right = estimate(
            e.queries, e.gallery, noise, targets=targets, scoring=scoring, draws=draws, seed=seed
        )
        assert right is not None
        return kept.mean, right.mean
    stays = robustness(e.queries, e.gallery, noise, scoring=scoring)
    wins = accuracy_under_noise(e.queries, e.gallery, targets, noise, scoring=scoring)
    return _share(stays), _share(wins)


def _certificate(e: Embeddings, scoring: str) -> float:
    """Mean norm of the smallest joint change of the gallery that changes the nearest item.

    For inner products ``(s_1 - s_2) / (sqrt(2) |y|)`` of the two greatest (our derivation).
    """
    if scoring == "euclidean":
        return _share(certified_radius(e.queries, e.gallery))
    if scoring == "cosine" or len(e.gallery) == 1:
        return float("nan")
    queries = work(e.queries)
    two = cost(queries, work(e.gallery), scoring).topk(2, dim=1, largest=False).values
    norms = torch.linalg.vector_norm(queries, dim=1)
    return float(((two[:, 1] - two[:, 0]) / (2**0.5 * norms)).mean())


def _recalls(e: Embeddings, ks: Sequence[int], scoring: str) -> dict[str, float]:
    most = min(max(ks), len(e.gallery))
    hits = top_k(e.queries, e.gallery, most, scoring) == known_targets(e)[:, None]
    return {f"recall@{k}": _share(hits[:, :k].any(dim=1)) for k in ks}
