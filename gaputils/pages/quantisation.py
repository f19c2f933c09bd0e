"""Quantisation beside Gaussian noise of its variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from gaputils._checks import Seed
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_closings
from gaputils.noise.perturbations import Noise, equivalent_gaussian
from gaputils.scoring import SCORINGS


def under_noises(
    embeddings: Mapping[str, Embeddings],
    noises: Mapping[str, Noise],
    scorings: Sequence[str] = SCORINGS,
    *,
    draws: int = 200,
    seed: Seed = 0,
) -> pd.DataFrame:
    """`compare_closings` of sides that were closed before, beside what their variance predicts.

    `embeddings` maps the closing to what it returned, with targets. Columns: `closing`, `noise`,
    `scoring`, `robustness`, `right` and `accuracy` with their errors, `variance` (mean squared
    change of a gallery row), and `predicted`, the robustness under Gaussian noise of that variance.
    """
    keys = ["closing", "scoring", "noise"]
    parts = []
    for label, e in embeddings.items():
        likes = {name: equivalent_gaussian(noise, e.gallery) for name, noise in noises.items()}
        measured, predicted = (
            compare_closings(
                e.queries,
                e.gallery,
                {label: None},
                each,
                targets=e.answers,
                scorings=scorings,
                draws=draws,
                seed=seed,
            )
            for each in (noises, likes)
        )
        measured["variance"] = measured["noise"].map(
            {n: like.variance for n, like in likes.items()}
        )
        told = predicted.set_index(keys)["robustness"].rename("predicted")
        parts.append(measured.join(told, on=keys))
    frame = pd.concat(parts, ignore_index=True)
    told_twice = [name for name in map(str, frame) if "gain" in name or name == "unchanged"]
    return frame.drop(columns=told_twice)
