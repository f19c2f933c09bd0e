"""Circumcentre, best radius, oblique projection and the shift of few queries, in any dtype.

Each is held against its definition, solved by other means in double precision for the values that
the rows have in the dtype given.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import gaputils as gu
from gaputils.closing import predicted_excess
from strategies import SEEDS, forms, given_in, rounding, same_form, whole

CASES = {"seed": SEEDS, "form": forms(), "m": whole(2, 40), "extra": whole(1, 80)}


def sides(seed: int, n: int, m: int, d: int, spread: float = 0.3):
    """Queries with a gap, and items of norms spread about 1."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) / np.sqrt(d) + 1 / np.sqrt(d)
    gallery *= 1 + spread * rng.uniform(-1, 1, size=(m, 1))
    return (0.6 * rng.normal(size=(n, d)) - 0.5) / np.sqrt(d), gallery


def onto(points: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The nearest points of the affine hull, by least squares on its edges."""
    edges, offset = (gallery[1:] - gallery[0]).T, (points - gallery[0]).T
    return gallery[0] + (edges @ np.linalg.lstsq(edges, offset, rcond=1e-7)[0]).T


def circumcentre(gallery: np.ndarray) -> tuple[np.ndarray, float]:
    """The point of the hull that is as far from all items, and how far; skips a flat simplex."""
    edges = gallery[1:] - gallery[0]
    assume(np.linalg.cond(edges) < 1e3)
    inside = np.linalg.lstsq(2 * edges, np.square(edges).sum(axis=1), rcond=None)[0]
    return gallery[0] + inside, float(np.linalg.norm(inside))


def slack(form: Any, rows: np.ndarray) -> float:
    """How far rounding to the dtype `form` may have moved one of `rows`."""
    return max(rounding(form), 1e-9) * float(np.linalg.norm(rows, axis=1).max())


@settings(max_examples=40, deadline=None)
@given(spread=st.floats(0, 0.5), radius=st.floats(0.2, 30), **CASES)
def test_scaling_about_the_true_circumcentre_multiplies_every_lead(
    seed, form, m, extra, spread, radius
) -> None:
    (queries, gallery), (y, x) = given_in(form, *sides(seed, 4, m, m - 2 + extra, spread))
    centre, size = circumcentre(x)
    closing = gu.HullProjection(radius=radius).fit(queries, gallery)
    np.testing.assert_allclose(closing.center_.numpy(), centre, atol=1e-8 * size)
    assert closing.circumradius_ == pytest.approx(size, rel=1e-9)
    assert closing.preserves_ranking
    rays = onto(y, x) - centre
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    assume(lengths.min() > 0.02 * size)
    moved = closing.transform_queries(queries)
    assert same_form(moved, form)
    found = np.asarray(moved.double() if hasattr(moved, "double") else moved, dtype=float)
    wanted = centre + radius * size * rays / lengths
    off = slack(form, np.vstack([wanted, centre]))
    np.testing.assert_allclose(found, wanted, atol=off)
    # A step of that length changes no lead by more than twice its product with the items' distance.
    before, after = (cdist(rows, x, "sqeuclidean") for rows in (y, found))
    leads = radius * size / lengths * (before - before[:, :1])
    room = 2 * np.sqrt(x.shape[1]) * off * cdist(x[:1], x) + 1e-7 * (1 + np.abs(leads))
    assert (np.abs(after - after[:, :1] - leads) <= room).all()


@settings(max_examples=40, deadline=None)
@given(spread=st.floats(0, 0.5), **CASES)
def test_no_radius_has_a_larger_certificate_than_the_best_one(seed, form, m, extra, spread) -> None:
    (queries, gallery), (y, x) = given_in(form, *sides(seed, 3, m, m - 2 + extra, spread))
    centre, size = circumcentre(x)
    rays = onto(y, x) - centre
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    assume(lengths.min() > 0.02 * size)
    moved = gu.HullProjection(radius="auto").fit(queries, gallery).transform(queries, gallery)[0]
    assert same_form(moved, form)
    found = np.asarray(moved.double() if hasattr(moved, "double") else moved, dtype=float)

    def certificate(rows: np.ndarray) -> np.ndarray:
        near = np.sort(cdist(rows, x), axis=1)
        return np.asarray(near[:, 1] - near[:, 0])

    best = np.max(
        [certificate(centre + r * size * rays / lengths) for r in np.linspace(0.02, 10, 1500)],
        axis=0,
    )
    off = 2 * np.sqrt(x.shape[1]) * slack(form, np.vstack([found, centre]))
    assert (certificate(found) >= best - off).all()
    assert (np.linalg.norm(found - centre, axis=1) <= 10 * size + off).all()


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
@settings(max_examples=40, deadline=None)
@given(spread=st.floats(0, 0.5), **CASES)
def test_the_oblique_projection_solves_its_program(seed, form, m, extra, spread) -> None:
    """The least noise under given leads, by the equations of Lagrange's multipliers."""
    d = m - 2 + extra
    (queries, gallery), (y, x) = given_in(form, *sides(seed, 4, m, d, spread))
    edges = x[1:] - x[0]
    assume(np.linalg.cond(edges) < 1e3)
    root = np.random.default_rng(seed).normal(size=(d, d)) / np.sqrt(d)
    covariance = root @ root.T + 0.05 * np.eye(d)
    closing = gu.HullProjection(covariance=covariance).fit(queries, gallery)
    moved = closing.transform_queries(queries)
    assert same_form(moved, form)
    found = np.asarray(moved.double() if hasattr(moved, "double") else moved, dtype=float)
    system = np.block([[covariance, edges.T], [edges, np.zeros((m - 1, m - 1))]])
    right = np.vstack([np.zeros((d, len(y))), edges @ y.T])
    wanted = np.linalg.solve(system, right)[:d].T
    np.testing.assert_allclose(found, wanted, atol=slack(form, wanted) + 1e-7)
    assert closing.preserves_ranking


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    form=forms(),
    n=st.integers(2, 5),
    m=whole(1, 30),
    d=whole(1, 60),
    data=st.data(),
)
def test_a_shift_of_few_queries_leaves_what_was_predicted(seed, form, n, m, d, data) -> None:
    """Over every choice of the queries it is fitted on, and of another one that is measured."""
    (queries, gallery), (y, x) = given_in(form, *sides(seed, n, m, d))
    count = data.draw(st.integers(1, n - 1))
    parts = y - onto(y, x)
    left = []
    for drawn in combinations(range(n), count):
        shift = gu.MeanShift().fit(queries[list(drawn)], gallery).shift_.numpy()
        left += [np.square(parts[k] - shift).sum() for k in set(range(n)) - set(drawn)]
    predicted = float(predicted_excess(queries, gallery, count))
    assert predicted == pytest.approx(np.mean(left), rel=1e-6, abs=1e-9)
