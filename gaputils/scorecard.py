"""Closing methods side by side, under every scoring, on one pair of sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gaputils._checks import Seed, as_pair, as_targets
from gaputils.closing.base import Closing
from gaputils.noise import GaussianNoise, Noise
from gaputils.robustness import estimate, robustness
from gaputils.scoring import SCORINGS, nearest


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
    `noises` maps a label to a noise. Gaussian noise on the gallery is answered exactly under
    Euclidean and inner-product scoring, anything else by `draws` Monte-Carlo draws from `seed`.

    Columns: `method`, `scoring`, `noise`, `robustness`, `standard_error` (0 where exact),
    `unchanged` (share of queries whose nearest item is the original one under that scoring) and
    with `targets` (n,) `accuracy`. Raises as `robustness` does.
    """
    queries, gallery = as_pair(queries, gallery)
    if targets is not None:
        targets = as_targets("targets", targets, len(queries), len(gallery), queries.device)
    rows = []
    for method, closing in closings.items():
        sides = (queries, gallery)
        if closing is not None:
            sides = closing.fit(queries, gallery).transform(queries, gallery)
        for scoring in scorings:
            found = nearest(*sides, scoring)
            row: dict[str, Any] = {
                "method": method,
                "scoring": scoring,
                "unchanged": float((found == nearest(queries, gallery, scoring)).double().mean()),
            }
            if targets is not None:
                row["accuracy"] = float((found == targets).double().mean())
            for label, noise in noises.items():
                mean, error = _robustness(*sides, noise, scoring, draws, seed)
                rows.append({**row, "noise": label, "robustness": mean, "standard_error": error})
    return pd.DataFrame(rows)


def _robustness(
    queries: Any, gallery: Any, noise: Noise, scoring: str, draws: int, seed: Seed
) -> tuple[float, float]:
    if isinstance(noise, GaussianNoise) and noise.on == "gallery" and scoring != "cosine":
        return float(robustness(queries, gallery, noise, scoring=scoring).mean()), 0.0
    kept, _ = estimate(queries, gallery, noise, scoring=scoring, draws=draws, seed=seed)
    return kept.mean, kept.standard_error
