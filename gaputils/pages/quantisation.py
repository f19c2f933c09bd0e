"""Quantisation beside Gaussian noise of its variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from gaputils._checks import Seed
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import _share, _under
from gaputils.noise.perturbations import Noise, equivalent_gaussian
from gaputils.noise.robustness import estimate
from gaputils.scoring import SCORINGS, nearest


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
        known_targets(e)
        for name, noise in noises.items():
            like = equivalent_gaussian(noise, e.gallery)
            for scoring in scorings:
                kept, right = estimate(
                    e.queries,
                    e.gallery,
                    noise,
                    targets=e.answers,
                    scoring=scoring,
                    draws=draws,
                    seed=seed,
                )
                clean = e.right(nearest(e.queries, e.gallery, scoring))
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
