"""The shift where it gives no guarantee, what renormalising does, and how many queries it needs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import gaputils as gu
from gaputils.closing import ClosingDoesNothing, predicted_excess

SYMMETRIES = [
    (gu.MeanShift(), "p", 1),
    (gu.MeanShift(1), "p", 1),
]

SEEDS = st.integers(0, 2**32 - 1)


def sides(seed: int, n: int, m: int, d: int):
    """Queries with a gap, and a gallery of norm 1."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) + 1
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return rng.normal(size=(n, d)) * 0.4 - 0.5, gallery


def off_hull(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The queries' parts orthogonal to the hull, by least squares on its edges."""
    edges = (gallery[1:] - gallery[0]).T
    offset = (queries - gallery[0]).T
    return (offset - edges @ np.linalg.lstsq(edges, offset, rcond=None)[0]).T


def test_the_mean_robustness_may_fall_by_the_shift_and_never_by_the_projection() -> None:
    queries = np.array([[0.08, 0.0]] * 8 + [[3.0, 4.0]] * 2)
    gallery = np.array([[-0.5, 0.0], [0.5, 0.0]])
    noise = gu.GaussianNoise(0.05)

    def mean(closing: gu.closing.Closing | None) -> float:
        moved = (queries, gallery) if closing is None else closing.fit_transform(queries, gallery)
        return float(np.asarray(gu.robustness(*moved, noise)).mean())

    assert mean(None) == pytest.approx(0.805, abs=5e-4)
    assert mean(gu.MeanShift()) == pytest.approx(0.717, abs=5e-4)
    assert mean(gu.HullProjection()) >= mean(None)


def test_on_clip_no_query_loses_by_the_shift(published) -> None:
    e = published("liang2022-clip-coco")
    normalize = torch.nn.functional.normalize
    queries, gallery = normalize(e.queries.double()), normalize(e.gallery[:100].double())
    before, after = (
        gu.robustness(*moved, gu.GaussianNoise(0.04))
        for moved in ((queries, gallery), gu.MeanShift().fit_transform(queries, gallery))
    )
    assert float((after - before).min()) > -2e-4


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, m=st.integers(2, 8))
def test_renormalising_the_shifted_gallery_keeps_rankings_of_equal_norms(seed: int, m: int) -> None:
    queries, gallery = sides(seed, 6, m, 12)
    moved = gu.MeanShift().fit(queries, gallery).transform_gallery(gallery)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(norms, float(norms[0, 0]))
    ranked = [cdist(queries, items).argsort(axis=1) for items in (gallery, moved / norms)]
    assert np.array_equal(*ranked)


def test_renormalising_may_change_rankings_of_unequal_norms() -> None:
    changed = 0
    for seed in range(20):
        queries, gallery = sides(seed, 20, 8, 12)
        gallery *= np.linspace(0.5, 2, 8)[:, None]
        moved = gu.MeanShift().fit(queries, gallery).transform_gallery(gallery)
        unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        changed += (cdist(queries, gallery).argmin(1) != cdist(queries, unit).argmin(1)).sum()
    assert changed > 20


@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 6))
def test_the_excess_after_a_shift_is_the_one_predicted(seed: int, count: int) -> None:
    """Averaged over all orders in which `count` queries and another one are drawn without return.

    With `S` the unbiased covariance of the n queries, the expectation is exact for any set.
    """
    queries, gallery = sides(seed, 7, 4, 9)
    parts = off_hull(queries, gallery)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2000):
        drawn = rng.permutation(7)
        found.append(np.sum((parts[drawn[count]] - parts[drawn[:count]].mean(0)) ** 2))
    predicted = float(predicted_excess(queries, gallery, count))
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(predicted, abs=5 * error + 1e-12)


def test_the_excess_on_clip_is_the_one_measured(published) -> None:
    """Shifts by the mean of the first n queries of each order, measured on all the others."""
    e = published("liang2022-clip-coco")
    normalize = torch.nn.functional.normalize
    queries = normalize(e.queries.double()).numpy()
    gallery = normalize(e.gallery[:100].double()).numpy()
    counts = [1, 5, 20, 100]
    predicted = predicted_excess(queries, gallery, counts).numpy()
    np.testing.assert_allclose(predicted, [0.6496, 0.3898, 0.3410, 0.3281], atol=1e-3)
    parts, rng = off_hull(queries, gallery), np.random.default_rng(0)
    measured = np.zeros(4)
    for _ in range(100):
        order = rng.permutation(len(parts))
        for k, n in enumerate(counts):
            away = parts[order[n:]] - parts[order[:n]].mean(axis=0)
            measured[k] += np.sum(away**2, axis=1).mean() / 100
    np.testing.assert_allclose(measured, predicted, rtol=0.02)
    spread = parts.var(axis=0, ddof=1).sum()
    assert spread / np.sum(parts.mean(axis=0) ** 2) == pytest.approx(0.62, abs=0.01)


def test_counts_and_queries_of_the_excess_are_checked() -> None:
    queries, gallery = sides(0, 5, 3, 6)
    with pytest.raises(ValueError, match="counts: expected an integer of at least 1, got 0"):
        predicted_excess(queries, gallery, [3, 0])
    with pytest.raises(ValueError, match=r"queries: expected at least 2 rows .* got 1"):
        predicted_excess(queries[:1], gallery, 1)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"alpha": "x"}, TypeError),
        ({"alpha": np.nan}, ValueError),
        ({"n_components": -1}, ValueError),
        ({"statistics": np.eye(6)}, TypeError),
    ],
)
def test_what_a_fit_from_statistics_cannot_use_is_named_at_once(given: dict, error: type) -> None:
    statistics = gu.GapStatistics(6)
    statistics.update(*sides(0, 5, 3, 6))
    (name,) = given
    with pytest.raises(error, match=f"^{name}: expected"):
        gu.fit_mean_shift(**{"statistics": statistics, **given})


def test_a_gallery_that_spans_the_space_is_told_at_once() -> None:
    queries, gallery = sides(0, 5, 40, 6)
    with pytest.warns(ClosingDoesNothing, match="MeanShift moves nothing: the 40 rows .* all 6"):
        shift = gu.MeanShift().fit(queries, gallery)
    assert float(shift.shift_.norm()) < 1e-12
    statistics = gu.GapStatistics(6)
    statistics.update(queries, gallery)
    with pytest.warns(ClosingDoesNothing):
        gu.fit_mean_shift(statistics)
    assert float(gu.MeanShift(2).fit(queries, gallery).shift_.norm()) > 0.1
