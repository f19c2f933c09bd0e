"""Galleries that grow: how far new rows are from the hull, what is said of it, what `add` does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

import gaputils as gu
from closing.helpers import named
from gaputils.closing import RowsOffHull

SEEDS = st.integers(0, 2**32 - 1)
GROWING = [
    gu.MeanShift(),
    gu.MeanShift(alpha=0.5),
    gu.HullProjection(),
    gu.HullProjection(radius=2.0),
    gu.HullProjection(radius=3.0, center=True),
    gu.HullProjection(center=True),
    gu.HullProjection(radius="auto", center=True),
    gu.HullProjection(covariance=np.diag(np.linspace(0.2, 2, 14))),
]


def sides(seed: int, n: int = 6, m: int = 9, d: int = 14):
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) + 1
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return rng.normal(size=(n, d)) * 0.4 - 0.5, gallery


def fresh(closing):
    from sklearn.base import clone

    return clone(closing)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_distance_from_the_hull_is_that_of_least_squares(seed: int) -> None:
    queries, gallery = sides(seed)
    edges = (gallery[1:5] - gallery[0]).T
    offset = (gallery - gallery[0]).T
    rest = offset - edges @ np.linalg.lstsq(edges, offset, rcond=None)[0]
    for closing in (gu.MeanShift(), gu.HullProjection(radius=2)):
        found = closing.fit(queries, gallery[:5]).off_hull(gallery)
        np.testing.assert_allclose(found, np.linalg.norm(rest, axis=0), atol=1e-9)
        assert isinstance(found, np.ndarray)
        assert isinstance(closing.off_hull(torch.tensor(gallery)), torch.Tensor)


@pytest.mark.parametrize("closing", GROWING, ids=named)
def test_rows_off_the_hull_are_warned_of_with_their_number(closing) -> None:
    queries, gallery = sides(0)
    fitted = fresh(closing).fit(queries, gallery[:5])
    with pytest.warns(RowsOffHull, match=r"^gallery: 4 of 9 rows lie off the hull .* farthest by"):
        fitted.transform(queries, gallery)
    with pytest.warns(RowsOffHull, match="4 of 4"):
        fitted.transform_gallery(gallery[5:])
    inside = np.random.default_rng(1).dirichlet(np.ones(5), size=3) @ gallery[:5]
    fitted.transform_gallery(inside)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("fitted_in", [torch.float16, torch.float32, torch.float64])
def test_rounding_alone_is_not_warned_of(dtype: torch.dtype, fitted_in: torch.dtype) -> None:
    queries, gallery = (torch.tensor(side) for side in sides(0, d=64))
    stored = gallery.to(dtype)
    closing = gu.MeanShift().fit(queries.to(fitted_in), stored.to(fitted_in))
    closing.transform_gallery(stored)
    closing.transform_gallery(stored.float())


def test_what_keeps_no_ranking_warns_of_nothing() -> None:
    queries, gallery = sides(0)
    closing = gu.HullProjection(2).fit(queries, gallery)
    assert not closing.preserves_ranking
    closing.transform_gallery(gallery)


def test_what_was_kept_decides_on_the_guarantee_not_how_it_was_asked_for() -> None:
    queries, gallery = sides(0)
    for kept, whole in ((8, True), (1.0, True), (7, False), (None, True)):
        for kind in (gu.MeanShift, gu.HullProjection):
            assert kind(kept).fit(queries, gallery).preserves_ranking == whole
    assert gu.MeanShift().preserves_ranking
    assert not gu.MeanShift(3).preserves_ranking


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, first=st.integers(1, 7), second=st.integers(1, 8))
@pytest.mark.parametrize("closing", GROWING, ids=named)
def test_adding_rows_is_fitting_on_all(closing, seed: int, first: int, second: int) -> None:
    queries, gallery = sides(seed)
    second = max(first, second)
    grown = fresh(closing).fit(queries, gallery[:first])
    whole = fresh(closing).fit(queries, gallery)
    grown.add(gallery[first:second]) if second > first else None
    grown.add(gallery[second:])
    moved, expected = grown.transform(queries, gallery), whole.transform(queries, gallery)
    for a, b in zip(moved, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert (grown.rank_, grown.count_) == (whole.rank_, whole.count_)
    assert grown.preserves_ranking
    np.testing.assert_allclose(grown.mean_, whole.mean_, atol=1e-9)
    for name in {"gap_", "n_components_"} & vars(whole).keys():
        np.testing.assert_allclose(getattr(grown, name), getattr(whole, name), atol=1e-9)


@pytest.mark.parametrize("closing", GROWING, ids=named)
def test_adding_tells_which_stored_rows_are_other_vectors_now(closing) -> None:
    queries, gallery = sides(0)
    fitted = fresh(closing).fit(queries, gallery[:5])
    stored = fitted.transform_gallery(gallery[:5])
    changed = fitted.add(gallery[5:])
    again = fitted.transform_gallery(gallery[:5])
    differs = np.abs(again - stored).max(axis=1) > 1e-9
    np.testing.assert_array_equal(changed, np.flatnonzero(differs))
    inside = np.random.default_rng(1).dirichlet(np.ones(5), size=3) @ gallery[:5]
    if closing.get_params().get("radius") is None:
        assert len(fitted.add(inside)) == 0
        assert fitted.count_ == 12


def test_growth_keeps_every_whole_ranking_of_published_captions(published) -> None:
    e = published("liang2022-clip-coco")
    queries, gallery = e.queries.double().numpy(), e.gallery.double().numpy()
    before = cdist(queries, gallery).argsort(axis=1)
    closing = gu.HullProjection(radius=2).fit(queries, gallery[:250])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsOffHull)
        lost = cdist(*closing.transform(queries, gallery)).argmin(axis=1) != before[:, 0]
    assert lost.mean() > 0.05
    closing.add(gallery[250:400])
    closing.add(gallery[400:])
    assert np.array_equal(cdist(*closing.transform(queries, gallery)).argsort(axis=1), before)


def test_rows_that_fit_on_no_sphere_with_the_others_are_refused_and_change_nothing() -> None:
    queries, gallery = sides(0)
    closing = gu.HullProjection(radius=2).fit(queries, gallery)
    kept = closing.transform_queries(queries)
    with pytest.raises(ValueError, match=r"^gallery: scaling needs a circumcentre"):
        closing.add(gallery.mean(axis=0)[None])
    assert np.array_equal(closing.transform_queries(queries), kept)
    assert closing.count_ == 9


def test_part_of_a_hull_cannot_grow() -> None:
    queries, gallery = sides(0)
    closing = gu.HullProjection(3).fit(queries, gallery[:6])
    with pytest.raises(ValueError, match=r"3 of the hull's 5 directions .* fit again"):
        closing.add(gallery[6:])


def test_rows_just_off_the_hull_are_told_from_rounding_in_many_rows_and_dimensions() -> None:
    """In double precision 1e-12 is no rounding of norm one."""
    queries, gallery = np.zeros((2, 400)), np.eye(400)[:5]
    fitted = gu.MeanShift().fit(queries, gallery)
    rows = np.tile(gallery, (80, 1))
    fitted.transform_gallery(rows)
    rows[7, 300] = 1e-12
    with pytest.warns(RowsOffHull, match=r"^gallery: 1 of 400 rows .* Call add\(gallery\)"):
        fitted.transform_gallery(rows)


def test_a_gallery_of_another_dimension_is_named_wherever_it_goes() -> None:
    queries, gallery = sides(0)
    fitted = gu.MeanShift().fit(queries, gallery)
    for use in (fitted.transform_gallery, fitted.off_hull, fitted.add):
        with pytest.raises(ValueError, match=r"^gallery: expected dimension 14 as fitted, got 13"):
            use(gallery[:, 1:])


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_added_rows_within_the_hull_spread_the_sphere_by_as_much_as_they_are_off_it(
    factor: float,
) -> None:
    angles = np.linspace(0, 2 * np.pi, 7)[:-1]
    gallery = 3 * np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    fitted = gu.HullProjection().fit(gallery, gallery)
    fitted.add(factor * gallery[:1])
    assert fitted.sphere_spread_ == pytest.approx(abs(factor**2 - 1) * 9)


def test_statistics_are_asked_for_by_their_kind() -> None:
    with pytest.raises(TypeError, match=r"^statistics: expected GapStatistics, got list"):
        gu.fit_hull_projection([1])  # type: ignore[arg-type]
