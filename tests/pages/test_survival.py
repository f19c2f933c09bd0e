"""Closings over blocks of pairs, query by query, against the plain calls they stand for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

import gaputils as gu
from gaputils.pages import survival

NOISE = gu.GaussianNoise(0.3)
TWO = {"original": None, "mean shift": gu.MeanShift()}


def pairs(n: int = 20, d: int = 24, seed: int = 0) -> gu.Embeddings:
    """Unit rows with a gap; query i near item i."""
    rng = np.random.default_rng(seed)
    gallery = torch.tensor(rng.normal(size=(n, d)))
    gallery[:, 0] -= 2
    queries = gallery + torch.tensor(rng.normal(size=(n, d)))
    queries[:, 0] += 5
    return gu.Embeddings(normalize(queries), normalize(gallery))


def test_each_query_has_the_exact_values_of_its_own_block() -> None:
    e = pairs()
    blocks = survival.tasks(e, 10)
    frame = survival.per_query(blocks, TWO, NOISE, ["cosine"])
    assert len(frame) == 2 * 20
    second = blocks[1]
    moved = gu.MeanShift().fit_transform(second.queries, second.gallery)
    part = frame[(frame["closing"] == "mean shift") & (frame["block"] == 1)]
    same = gu.robustness(*moved, NOISE, scoring="cosine")
    right = gu.accuracy_under_noise(*moved, second.targets, NOISE, scoring="cosine")
    np.testing.assert_allclose(part["same"], same)
    np.testing.assert_allclose(part["right"], right)
    found = gu.scoring.nearest(*moved, "cosine")
    np.testing.assert_array_equal(part["accuracy"], (found == second.targets).double())


def test_a_closing_given_is_not_fitted_and_each_block_has_its_own() -> None:
    closing = gu.HullProjection(center=True)
    frame = survival.per_query(survival.tasks(pairs(), 5), {"": closing}, NOISE, ["euclidean"])
    assert not hasattr(closing, "dim_")
    assert (frame["unchanged"] == 1).all()


def test_noise_first_agrees_with_closing_first_where_the_gallery_is_left_alone() -> None:
    blocks = survival.tasks(pairs(), 10)
    closings = {"hull projection": gu.HullProjection()}
    options = {"order": "noise first", "draws": 400}
    first = survival.per_query(blocks, closings, NOISE, ["euclidean"], **options)
    exact = survival.per_query(blocks, closings, NOISE, ["euclidean"])
    error = np.sqrt((exact["same"] * (1 - exact["same"])).sum() / 400) / len(exact)
    assert abs(first["same"].mean() - exact["same"].mean()) < 4 * error + 1e-4


def test_calibrated_closings_are_fitted_on_another_block() -> None:
    blocks = survival.tasks(pairs(), 10)
    frame = survival.per_query(blocks, {"GR-CLIP": gu.GRCLIP()}, NOISE, ["cosine"])
    fitted = gu.GRCLIP().fit(blocks[0].queries, blocks[0].gallery)
    moved = fitted.transform(blocks[1].queries, blocks[1].gallery)
    expected = gu.robustness(*moved, NOISE, scoring="cosine")
    np.testing.assert_allclose(frame.loc[frame["block"] == 1, "same"], expected)


def test_a_summary_pairs_the_gains_over_queries() -> None:
    values = np.linspace(0.1, 0.9, 30)
    rows = {"original": values, "better": values + 0.05}
    frame = pd.concat(
        pd.DataFrame({"closing": name, "scoring": "cosine", **dict.fromkeys(survival.MEASURES, v)})
        for name, v in rows.items()
    )
    better = survival.summary(frame).set_index("closing").loc["better"]
    assert better["same_gain"] == pytest.approx(0.05)
    assert better["same_gain_error"] == pytest.approx(0, abs=1e-12)
    assert better["same_error"] == pytest.approx(values.std() / 30**0.5, rel=0.1)


def test_nothing_is_gained_by_cosine_with_more_items_than_dimensions() -> None:
    closings = {name: survival.CLOSINGS[name] for name in ("original", survival.CENTRED)}
    frame = survival.over_sizes(pairs(20, 8), [5, 20], closings, NOISE)
    centred = frame[(frame["closing"] == survival.CENTRED) & (frame["scoring"] == "cosine")]
    assert centred["same_gain"].iloc[0] > 0.01
    assert abs(centred["same_gain"].iloc[1]) < 1e-4
    assert centred["outside"].iloc[1] == pytest.approx(0, abs=1e-9)


def test_values_and_errors_are_told_with_a_true_minus() -> None:
    assert survival.plus_minus([-0.12345], [0.1], signed=True) == ["−0.123 ± 0.100"]
    assert survival.plus_minus([0.5], [0.01], digits=2) == ["0.50 ± 0.01"]
