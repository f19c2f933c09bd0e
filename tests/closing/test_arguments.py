"""What the closing methods refuse, the last value they take, and what is left out of a call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gaputils import closing


def sides(n: int = 40, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)) - 0.3, rng.normal(size=(n, d)) * np.linspace(0.2, 1, d) + 0.3


RANGES: list[tuple[type[closing.Closing], str, Any, type[Exception], Any]] = [
    (closing.NaiveShift, "alpha", math.nan, ValueError, -2.5),
    (closing.NaiveShift, "alpha", "1", TypeError, 0),
    (closing.NaiveShift, "side", "left", ValueError, "both"),
    (closing.Standardizing, "scale", "none", ValueError, "coordinate"),
    (closing.DimensionAblation, "n_dims", -0.5, ValueError, 0.0),
    (closing.DimensionAblation, "n_dims", 1.5, ValueError, 1.0),
    (closing.DimensionAblation, "n_dims", -1, ValueError, 0),
    (closing.DimensionAblation, "n_dims", 12, ValueError, 11),
    (closing.DimensionAblation, "n_dims", True, TypeError, 1),
    (closing.Whitening, "regularization", 0, ValueError, 1e-6),
    (closing.Whitening, "regularization", None, TypeError, 2),
    (closing.Coral, "regularization", 0, ValueError, 1e-6),
    (closing.Coral, "regularization", None, TypeError, 2),
    (closing.NearestNeighborNormalization, "k", 0, ValueError, 1),
    (closing.NearestNeighborNormalization, "k", 2.0, TypeError, 99),
    (closing.NearestNeighborNormalization, "weight", math.inf, ValueError, -1.5),
    (closing.HullProjection, "center", "no", TypeError, True),
    (closing.HullProjection, "center", 1, TypeError, np.False_),
    (closing.Centering, "renormalize", "x", TypeError, True),
    (closing.NaiveShift, "renormalize", "x", TypeError, True),
    (closing.ReAlign, "renormalize", "x", TypeError, True),
    (closing.DimensionAblation, "renormalize", None, TypeError, False),
    (closing.Procrustes, "scale", "x", TypeError, True),
]


@pytest.mark.parametrize(("kind", "name", "bad", "error", "last"), RANGES)
@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_a_parameter_is_refused_by_name_outside_its_range_and_taken_at_its_end(
    kind: type[closing.Closing], name: str, bad: Any, error: type[Exception], last: Any
) -> None:
    with pytest.raises(error, match=rf"^{name}: expected"):
        kind(**{name: bad}).fit(*sides())
    moved = kind(**{name: last}).fit_transform(*sides())
    assert np.isfinite(moved[0]).all()
    assert np.isfinite(moved[1]).all()


@pytest.mark.parametrize(
    ("kind", "name", "bad"),
    [
        (closing.NaiveShift, "alpha", math.inf),
        (closing.NaiveShift, "side", "left"),
        (closing.Standardizing, "scale", "none"),
        (closing.NearestNeighborNormalization, "k", 0),
        (closing.NearestNeighborNormalization, "weight", math.nan),
        (closing.HullProjection, "center", "no"),
        (closing.Centering, "renormalize", "no"),
        (closing.NaiveShift, "renormalize", "no"),
        (closing.ReAlign, "renormalize", "no"),
        (closing.DimensionAblation, "renormalize", "no"),
    ],
)
@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_a_parameter_that_is_set_after_the_fit_is_refused_by_name_too(
    kind: type[closing.Closing], name: str, bad: Any
) -> None:
    fitted = kind().fit(*sides()).set_params(**{name: bad})
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: expected"):
        fitted.transform(*sides())


@pytest.mark.parametrize(
    ("kind", "written_out"),
    [
        (closing.NaiveShift, {"alpha": 1.0, "side": "gallery", "renormalize": False}),
        (closing.Centering, {"renormalize": False}),
        (closing.Standardizing, {"scale": "row"}),
        (closing.ReAlign, {"renormalize": False}),
        (closing.DimensionAblation, {"n_dims": 0.5, "renormalize": True}),
        (closing.Procrustes, {"scale": False}),
        (closing.Whitening, {"regularization": 0.1}),
        (closing.Coral, {"regularization": 0.1}),
        (closing.NearestNeighborNormalization, {"k": 16, "weight": 0.5}),
    ],
)
def test_what_is_left_out_is_the_documented_default(
    kind: type[closing.Closing], written_out: dict[str, Any]
) -> None:
    usual, told = (kind(**given).fit_transform(*sides()) for given in ({}, written_out))
    assert np.array_equal(usual[0], told[0])
    assert np.array_equal(usual[1], told[1])


def test_ablation_by_share_stops_where_equal_parts_make_it_up() -> None:
    queries = np.full((3, 4), 0.5)
    dims = closing.DimensionAblation(0.5).fit(queries, -queries).dims_
    assert dims.tolist() == [0, 1]


def test_of_equal_differences_ablation_takes_the_first() -> None:
    queries = np.ones((2, 301))
    queries[:, ::7] = 2
    dims = closing.DimensionAblation(100).fit(queries, -queries).dims_.tolist()
    assert dims[:43] == list(range(0, 301, 7))
    assert dims[43:] == [i for i in range(67) if i % 7][:57]


def test_ablation_without_renormalising_leaves_the_other_coordinates_as_they_were() -> None:
    queries, gallery = sides()
    method = closing.DimensionAblation(5, renormalize=False).fit(queries, gallery)
    gone = np.isin(np.arange(12), method.dims_)
    for moved, original in zip(method.transform(queries, gallery), (queries, gallery), strict=True):
        assert np.array_equal(moved, np.where(gone, 0, original))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_procrustes_finds_the_scale_of_a_copy_of_any_size(size: float) -> None:
    queries, _ = sides()
    method = closing.Procrustes(scale=True).fit(queries, size * (queries[:, ::-1] + 2))
    assert method.scale_ == pytest.approx(1 / size)
    moved = method.transform(queries, size * (queries[:, ::-1] + 2))[1]
    np.testing.assert_allclose(moved, queries, atol=1e-9)


@pytest.mark.parametrize("kind", [closing.Procrustes, closing.ReAlign])
def test_a_gallery_without_variance_keeps_its_scale(kind: type[closing.Closing]) -> None:
    queries, _ = sides()
    method = kind(scale=True) if kind is closing.Procrustes else kind()
    assert method.fit(queries, np.ones_like(queries)).scale_ == 1


def test_realign_puts_its_result_on_the_sphere_once_more_if_told_to() -> None:
    plain, once_more = (
        closing.ReAlign(again).fit_transform(*sides())[1] for again in (False, True)
    )
    unit = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    assert not np.allclose(plain, unit)
    np.testing.assert_allclose(once_more, unit)


def test_a_coordinate_that_did_not_vary_becomes_zero_wherever_it_is_met() -> None:
    queries, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides())
    still = np.column_stack([gallery * 0.8, np.full(len(gallery), 0.6)])
    method = closing.Standardizing("coordinate")
    method.fit(np.column_stack([queries, queries[:, :1]]), still)
    moved = method.transform(*(np.column_stack([side, side[:, :1]]) for side in (queries, gallery)))
    assert not moved[1][:, 12].any()
    assert moved[0][:, 12].all()
