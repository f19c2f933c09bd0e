"""The gallery's hull and its circumsphere, against decompositions and solutions written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaputils.geometry import Moments, hull
from gaputils.geometry.hull import (
    Hull,
    check_n_components,
    circumsphere,
    count_components,
    principal_components,
)


def test_components_are_counted_by_shares_to_their_edge() -> None:
    variances = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    counted = [count_components(share, variances) for share in (0.5, 0.500001, 0.75, 1.0)]
    assert counted == [1, 2, 2, 3]
    for kind in (np.float16, np.float32, np.float64):
        check_n_components(kind(0.75))
        assert count_components(kind(0.75), variances) == 2
        with pytest.raises(ValueError, match=r"n_components: expected a number in \(0, 1\]"):
            check_n_components(kind(2))
    assert count_components(3, variances) == 3
    assert count_components(0, variances[:1]) == 0
    with pytest.raises(ValueError, match="rank 1, got 2"):
        count_components(2, variances[:1])


def test_a_narrow_direction_of_many_single_precision_rows_is_kept() -> None:
    rows = np.random.default_rng(0).standard_normal((2000, 8)).astype(np.float32)
    rows[:, 7] *= 1e-4
    components, variances = principal_components(torch.from_numpy(rows))
    assert len(components) == 8
    assert float(variances[7]) == pytest.approx(1e-8, rel=0.1)


@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (12, 12), (1, 5), (200, 16)])
def test_principal_components_span_the_hull(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    gallery = torch.tensor(rng.normal(size=shape) + 3)
    components, variances = principal_components(gallery)
    assert len(components) == min(shape[0] - 1, shape[1])
    torch.testing.assert_close(components @ components.T, torch.eye(len(components)).double())
    centred = gallery - gallery.mean(0)
    torch.testing.assert_close(centred @ components.T @ components, centred)
    covariance = np.cov(gallery.numpy().T, bias=True) if shape[0] > 1 else np.zeros((5, 5))
    expected = np.sort(np.linalg.eigvalsh(np.atleast_2d(covariance)))[::-1][: len(variances)]
    np.testing.assert_allclose(variances.numpy(), expected, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(2, 30), d=st.integers(2, 9))
def test_the_center_is_the_least_squares_solution_of_the_equations(
    seed: int, m: int, d: int
) -> None:
    gallery = np.random.default_rng(seed).normal(size=(m, d)) + 2
    hull = Hull.of(torch.tensor(gallery))
    sphere = circumsphere(torch.tensor(gallery), hull)
    mean = gallery.mean(axis=0)
    squares = np.sum((gallery - mean) ** 2, axis=1)
    within = np.linalg.lstsq(2 * (gallery - mean), squares - squares.mean(), rcond=1e-10)[0]
    scale = 1 + np.abs(within).max()
    np.testing.assert_allclose(sphere.center, mean + within, atol=1e-8 * scale**2)
    distances = np.sum((gallery - sphere.center.numpy()) ** 2, axis=1)
    assert sphere.radius == pytest.approx(distances.mean() ** 0.5)
    assert sphere.spread == pytest.approx(np.ptp(distances), abs=1e-9 * scale**2)


@pytest.mark.parametrize("offset", [1e-14, 1e-12, 1e-9, 1e-7])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_rows_that_differ_by_rounding_do_not_move_the_center(
    offset: float, precision: torch.dtype
) -> None:
    """As of captions embedded twice in single precision and held in double."""
    generator = torch.Generator().manual_seed(0)
    once = torch.randn(50, 128, generator=generator, dtype=torch.float64)
    twice = once[:10] + offset * torch.randn(10, 128, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(torch.cat([once, twice]).to(precision), dim=1).double()
    alone, together = (circumsphere(x, Hull.of(x)) for x in (rows[:50], rows))
    assert together.radius == pytest.approx(alone.radius, abs=0.01)
    assert float((together.center - alone.center).norm()) < 0.1
    assert together.spread < 1e-6


@pytest.mark.parametrize("m", [4, 500])
def test_rows_of_one_norm_have_the_origins_projection_for_center(m: int) -> None:
    gallery = torch.randn(m, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gallery[:, 0] = 3
    gallery = torch.nn.functional.normalize(gallery, dim=1)
    hull = Hull.of(gallery)
    inside = hull.components.mT @ hull.components
    sphere = circumsphere(gallery, hull)
    torch.testing.assert_close(sphere.center, hull.mean - inside @ hull.mean, atol=1e-9, rtol=0)
    assert sphere.spread < 1e-12


def test_many_rows_in_blocks_are_the_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = torch.randn(300, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = Hull.of(gallery), circumsphere(gallery, Hull.of(gallery))
    monkeypatch.setattr("gaputils.geometry.hull._ROWS", 64)
    parts = Hull.of(gallery), circumsphere(gallery, Hull.of(gallery))
    torch.testing.assert_close(parts[0].mean, whole[0].mean)
    torch.testing.assert_close(parts[0].variances, whole[0].variances)
    torch.testing.assert_close(parts[1].center, whole[1].center)
    assert parts[1].spread == pytest.approx(whole[1].spread)


@pytest.mark.parametrize("shape", [(5, 9), (400, 9)])
def test_the_hull_of_moments_is_that_of_the_rows(shape: tuple[int, int]) -> None:
    gallery = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gallery[:, 7:] = 0.25
    rows, moments = Hull.of(gallery), Hull.of_moments(Moments.of(gallery))
    assert len(rows.components) == len(moments.components) == min(shape[0] - 1, 7)
    torch.testing.assert_close(moments.variances, rows.variances)
    spans = [hull.components.mT @ hull.components for hull in (rows, moments)]
    torch.testing.assert_close(*spans)
    size = torch.finfo(torch.float64).eps * gallery.norm() * (max(shape) / len(gallery)) ** 0.5
    assert moments.rounding / float(size) == pytest.approx(1)


@pytest.mark.parametrize("copies", [1, 2])
def test_rows_close_to_each_other_have_no_direction_of_rounding(copies: int) -> None:
    """Unit rows that hardly differ: what is left of the mean is no dimension of their hull."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(1, 768, generator=generator, dtype=torch.float64)
    rows = rows + 0.05 * torch.randn(90, 768, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(rows, dim=1)
    gallery = torch.cat([rows] * copies)
    assert Hull.of(gallery).components.shape == (89, 768)
    center = circumsphere(gallery, Hull.of(gallery)).radius
    assert center < 1


@pytest.mark.parametrize("level", [1.0, 0.8, 0.5])
def test_the_fewest_components_are_found_whatever_is_asked_at_once(
    level: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each further component here gives back the answers of two more queries."""
    gallery = torch.eye(10, dtype=torch.float64)
    queries = gallery.repeat(2, 1)
    asked: list[int] = []

    def moved(kept: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(kept)
        wrong = queries.roll(1, dims=1)
        right = torch.arange(20) % 10 < kept
        return torch.where(right[:, None], queries, wrong), gallery

    for at_once in (20, 3, 1):
        monkeypatch.setattr(hull, "_QUERIES", at_once)
        assert hull.fewest_components(10, queries, gallery, level, moved) == round(10 * level)
    assert 0 < len(asked) <= 3 * 4


@pytest.mark.parametrize(("dtype", "times"), [(torch.float32, 1e6), (torch.float64, 1e15)])
def test_a_row_that_drowns_the_others_is_named(dtype: torch.dtype, times: float) -> None:
    gallery = 1e-3 * torch.randn(9, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    gallery[3] *= times / 100
    assert len(Hull.of(gallery).components) == 5
    gallery[3] *= 100
    with pytest.raises(ValueError, match=r"^gallery: row 3 has the norm .*, others .* lost beside"):
        Hull.of(gallery)


def test_rows_of_zero_drown_beside_none() -> None:
    gallery = torch.zeros(9, 5)
    gallery[0, 0], gallery[1, 1] = 1e9, 1e9
    assert len(Hull.of(gallery).components) == 2
