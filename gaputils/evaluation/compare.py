"""Closing methods side by side, under every scoring, on one pair of sides."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_answers, as_pair, work
from gaputils.closing.base import Closing
from gaputils.closing.catalogue import Methods, close, spread
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, known_targets
from gaputils.noise.perturbations import GaussianNoise, Noise
from gaputils.noise.robustness import certified_radius, estimate
from gaputils.scoring import SCORINGS, cost, nearest, top_k


def compare_closings(
    queries: Any,
    gallery: Any,
    closings: Mapping[str, Closing | None],
    noises: Mapping[str, Noise],
    *,
    targets: Any = None,
    scorings: Sequence[str] = SCORINGS,
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Robustness and clean accuracy of each method, scoring and noise, a row for each.

    `closings` maps a label to a method (fitted here on both sides) or to None for the original;
    `noises` maps a label to a noise. Gaussian noise on the gallery is answered exactly, anything
    else by `draws` Monte-Carlo draws from `seed`.

    Columns: `method`, `scoring`, `noise`, `robustness`, `standard_error` (0 where exact),
    `unchanged` (share of queries whose nearest item is the original one under that scoring) and
    with `targets` (as for `accuracy_under_noise`) `accuracy`. Raises as `robustness` does.
    """
    queries, gallery = as_pair(queries, gallery)
    if targets is not None:
        targets = as_answers("targets", targets, len(queries), len(gallery), queries.device)
    rows = []
    for method, closing in closings.items():
        sides = (queries, gallery)
        if closing is not None:
            with comparing():
                sides = closing.fit(queries, gallery).transform(queries, gallery)
        for scoring in scorings:
            found = nearest(*sides, scoring)
            row: dict[str, Any] = {
                "method": method,
                "scoring": scoring,
                "unchanged": float((found == nearest(queries, gallery, scoring)).double().mean()),
            }
            if targets is not None:
                row["accuracy"] = _share((found[:, None] == targets).any(dim=1))
            for label, noise in noises.items():
                mean, error = _robustness(*sides, noise, scoring, draws, seed)
                rows.append({**row, "noise": label, "robustness": mean, "standard_error": error})
    return pd.DataFrame(rows)


def _robustness(
    queries: Any, gallery: Any, noise: Noise, scoring: str, draws: int, seed: Seed
) -> tuple[float, float]:
    kept, _ = estimate(queries, gallery, noise, "auto", scoring=scoring, draws=draws, seed=seed)
    return kept.mean, kept.standard_error


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
    with their target among the k nearest; where owners are known, one of their own), `spread` of
    the gallery over the original's, `seconds` for fit and transform. All exact.

    A method that inflates the gallery meets a fixed noise with an advantage that is none of its
    making. With `relative` each variance is taken relative to the gallery's own spread: v times
    `spread` squared, and radii are divided by `spread`. Raises `ValueError` without targets, or for
    a gallery whose rows are all alike.
    """
    known_targets(embeddings)
    width = spread(embeddings.gallery)
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
            row["accuracy"] = _share(embeddings.right(found))
            row["agreement"] = _share(found == before)
            for variance in variances:
                noise = GaussianNoise(variance * unit**2)
                kept, right = _under(moved, noise, scoring, draws, seed)
                row[f"robustness@{variance:g}"], row[f"accuracy@{variance:g}"] = kept, right
            row["certified_radius"] = _certificate(moved, scoring) / unit
            row |= _recalls(moved, ks, scoring)
            rows.append({**row, "spread": ratio, "seconds": seconds})
    return pd.DataFrame(rows)


def _share(values: Tensor) -> float:
    return float(values.double().mean())


def _under(
    e: Embeddings, noise: GaussianNoise, scoring: str, draws: int, seed: Seed
) -> tuple[float, float]:
    """Mean robustness and accuracy under `noise`, exact where there is an exact answer."""
    kept, right = estimate(
        e.queries,
        e.gallery,
        noise,
        "auto",
        targets=e.answers,
        scoring=scoring,
        draws=draws,
        seed=seed,
    )
    assert right is not None
    return kept.mean, right.mean


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
    hits = e.right(top_k(e.queries, e.gallery, most, scoring))
    return {f"recall@{k}": _share(hits[:, :k].any(dim=1)) for k in ks}


def survival_table(
    embeddings: Embeddings,
    variances: Sequence[float],
    per: str,
    scoring: str,
    *,
    draws: int | None,
    seed: int,
) -> pd.DataFrame:
    """A row for each variance: mean robustness, and accuracy without and with noise.

    Accuracy counts every gallery row of a query's own where owners are known, else its target.
    """
    import pandas as pd

    import gaputils as gu

    simulate: dict[str, Any] = {"method": "exact"}
    if draws is not None:
        simulate = {"method": "monte-carlo", "draws": draws, "seed": seed}
    e, rows = embeddings, []
    for value in variances:
        noise = gu.GaussianNoise(value, per=per)
        kept = gu.robustness(e.queries, e.gallery, noise, scoring=scoring, **simulate)
        row = {"variance": value, "robustness": float(kept.double().mean())}
        if e.answers is not None:
            right = gu.accuracy_under_noise(
                e.queries, e.gallery, e.answers, noise, scoring=scoring, **simulate
            )
            clean = e.right(nearest(e.queries, e.gallery, scoring))
            row["accuracy"] = float(clean.double().mean())
            row["noisy_accuracy"] = float(right.double().mean())
        rows.append(row)
    return pd.DataFrame(rows)
