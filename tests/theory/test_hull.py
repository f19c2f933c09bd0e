"""What a change of the queries or a renormalisation may do to neighbours and robustness."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from gaputils.pages.why_distance_hurts import changed_by_shift, flat_gallery


def setting(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries (5, 9) and a unit-norm gallery (4, 9), whose hull has dimension 3."""
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(5, 9, generator=generator, dtype=torch.float64)
    gallery = torch.randn(4, 9, generator=generator, dtype=torch.float64)
    return queries, torch.nn.functional.normalize(gallery, dim=1)


def inside(gallery: torch.Tensor) -> torch.Tensor:
    """The projection (9, 9) onto the direction space of the gallery's hull."""
    basis = torch.linalg.qr((gallery[1:] - gallery[0]).mT)[0]
    return basis @ basis.mT


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.01, 0.2]))
def test_no_orthogonal_translation_beats_the_projection(seed: int, variance: float) -> None:
    queries, gallery = setting(seed)
    noise = gu.GaussianNoise(variance, per="coordinate")
    projected, _ = gu.HullProjection().fit(queries, gallery).transform(queries, gallery)
    best = gu.robustness(projected, gallery, noise)
    outside = torch.eye(9, dtype=torch.float64) - inside(gallery)
    generator = torch.Generator().manual_seed(seed + 1)
    for size in (0.1, 1.0):
        step = size * torch.randn(5, 9, generator=generator, dtype=torch.float64) @ outside
        assert (gu.robustness(queries + step, gallery, noise) <= best + 2e-4).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.01, 0.2]))
def test_inner_products_are_most_robust_on_the_hull(seed: int, variance: float) -> None:
    queries, gallery = setting(seed)
    noise = gu.GaussianNoise(variance, per="coordinate")
    projection = inside(gallery)
    on_hull = queries @ projection
    best = gu.robustness(on_hull, gallery, noise, scoring="inner-product")
    outside = torch.eye(9, dtype=torch.float64) - projection
    generator = torch.Generator().manual_seed(seed + 1)
    for scale in (0.3, 1.0, 4.0):
        rest = torch.randn(5, 9, generator=generator, dtype=torch.float64) @ outside
        other = gu.robustness(scale * on_hull + rest, gallery, noise, scoring="inner-product")
        assert (other <= best + 2e-4).all()
        same = gu.robustness(scale * on_hull, gallery, noise, scoring="inner-product")
        torch.testing.assert_close(same, best, rtol=0, atol=2e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 4))
def test_renormalising_keeps_neighbours_of_equal_norms_alone(seed: int, length: float) -> None:
    how = {"lengths": [length], "renormalize": True}
    equal = flat_gallery(30, 6, 12, gap=1.0, seed=seed)
    assert changed_by_shift(*equal, **how)["changed"].max() == 0


def test_renormalising_unequal_norms_changes_neighbours() -> None:
    unequal = flat_gallery(400, 20, 12, gap=1.0, norms=0.8, seed=0)
    how = {"lengths": [0.5, 4.0], "renormalize": True}
    assert changed_by_shift(*unequal, **how)["changed"].min() > 0.02


@pytest.mark.parametrize("degrees", [0.0, 10.0, 60.0])
def test_only_the_orthogonal_shift_changes_nothing(degrees: float) -> None:
    start = flat_gallery(400, 20, 12, gap=1.0, seed=1)
    changed = changed_by_shift(*start, lengths=[3.0], degrees=[degrees])["changed"][0]
    assert (changed == 0) == (degrees == 0)


def test_flat_gallery_is_orthogonal_to_its_direction_and_as_far_as_asked() -> None:
    queries, gallery, direction = flat_gallery(10, 5, 7, gap=1.5, norms=0.4, seed=2)
    assert (gallery @ direction == 0).all()
    torch.testing.assert_close(queries @ direction, torch.full((10,), 1.5, dtype=queries.dtype))
    assert gallery.norm(dim=1).min() > 0.6 - 1e-12
    assert gallery.norm(dim=1).max() < 1.4 + 1e-12


def test_flat_gallery_is_made_as_described() -> None:
    """Queries are items of the gallery, blurred off the gap, with norms spread about 1."""
    how = {"gap": -0.7, "seed": 4}
    queries, gallery, direction = flat_gallery(9, 5, 7, blur=0, **how)
    assert direction.tolist() == [0.0] * 6 + [1.0]
    torch.testing.assert_close(gallery.norm(dim=1), torch.ones(5, dtype=gallery.dtype))
    flat = queries[:, :-1]
    assert torch.cdist(flat, gallery[:, :-1]).min(1).values.max() == 0
    assert len(torch.cdist(flat, gallery[:, :-1]).argmin(1).unique()) > 1
    assert (queries[:, -1] == -0.7).all()
    blurred, again, _ = flat_gallery(4000, 5, 7, blur=0.3, **how)
    assert torch.equal(again, gallery)
    own = torch.cdist(blurred[:, :-1], gallery[:, :-1]).min(1).values
    assert own.square().mean().item() == pytest.approx(0.3**2 * 6 / 7, rel=0.05)
    plain, told = (flat_gallery(9, 5, 7, gap=1.0, **more) for more in ({}, {"blur": 2.0}))
    assert torch.equal(plain[0], told[0])
    norms = flat_gallery(1, 4000, 7, gap=1.0, norms=0.6)[1].norm(dim=1)
    assert norms.mean().item() == pytest.approx(1, abs=0.02)
    assert norms.std().item() == pytest.approx(0.6 / 3**0.5, rel=0.05)
    for part in flat_gallery(2, 3, 4, gap=1.0):
        assert part.dtype == torch.float64


def test_shift_is_along_the_direction_by_its_length() -> None:
    """A corner between two queries' items: the shift's own geometry decides, and by hand."""
    queries = torch.tensor([[0.9, 0.0], [0.0, 0.0]], dtype=torch.float64)
    gallery = torch.tensor([[0.0, 0.0], [1.5, 0.0]], dtype=torch.float64)
    table = changed_by_shift(queries, gallery, [5.0, 0.0], lengths=[0.2, 1.0, -1.0])
    assert list(table.columns) == ["length", "degrees", "changed"]
    assert table["length"].tolist() == [0.2, 1.0, -1.0]
    assert table["degrees"].tolist() == [0.0] * 3
    assert table["changed"].tolist() == [0.5, 0.5, 0.5]
    # Halfway lies at 0.75: at 0.95 or 1.75 the first query changes, at -0.25 the second.
    one = changed_by_shift(queries[:1], gallery, [5.0, 0.0], lengths=[0.1, 0.2, -1.0])
    assert one["changed"].tolist() == [0.0, 1.0, 0.0]


def test_shift_tilts_towards_the_gallery_alone() -> None:
    """At 90 degrees the shift lies in the gallery's own line, whatever direction was asked for."""
    queries = torch.tensor([[0.0, 74.0, 0.0], [0.0, 76.0, 0.0]], dtype=torch.float64)
    gallery = torch.tensor([[0.0, 0.0, 0.0], [0.0, 150.0, 0.0]], dtype=torch.float64)
    how = {"lengths": [0.1, 10.0], "degrees": [0.0, 90.0]}
    table = changed_by_shift(queries, gallery, [3.0, 0.0, 4.0], **how)
    assert table[["degrees", "length"]].to_numpy().tolist() == [
        [0.0, 0.1],
        [0.0, 10.0],
        [90.0, 0.1],
        [90.0, 10.0],
    ]
    assert table["changed"].tolist() == [0.0, 0.0, 0.0, 0.5]


def test_tilts_of_one_seed_are_the_same() -> None:
    start = flat_gallery(400, 20, 12, gap=1.0, seed=1)
    how = {"lengths": [1.0, 3.0], "degrees": [20.0, 60.0]}
    plain = changed_by_shift(*start, **how)
    assert plain.equals(changed_by_shift(*start, **how, seed=0, renormalize=False))
    assert not plain.equals(changed_by_shift(*start, **how, seed=1))


def test_tilts_do_not_depend_on_the_unit_of_length() -> None:
    queries, gallery, direction = flat_gallery(60, 8, 6, gap=1.0, seed=3)
    scale = 1e-9
    usual = changed_by_shift(queries, gallery, direction, lengths=[2.0], degrees=[30.0])
    small = changed_by_shift(
        scale * queries, scale * gallery, direction, lengths=[2.0 * scale], degrees=[30.0]
    )
    assert small["changed"][0] == usual["changed"][0] > 0


def test_renormalising_is_of_each_row() -> None:
    """Scaled as a whole, the gallery would lose the first query to the other item as well."""
    queries = torch.tensor([[0.66, 0.65], [0.6, 0.9]], dtype=torch.float64)
    gallery = torch.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    for query, changed in zip(queries[:, None], (0.0, 1.0), strict=True):
        table = changed_by_shift(query, gallery, [1.0, 0.0], lengths=[0.0], renormalize=True)
        assert table["changed"].tolist() == [changed]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", [0.0, 0.1])
def test_shift_cannot_tilt_towards_what_is_not_there(dtype: torch.dtype, step: float) -> None:
    """A gallery of one point, and one that varies in the shift's own direction alone."""
    gallery = torch.full((3, 2), 1 / 3, dtype=dtype)
    gallery[:, 0] += step * torch.arange(3)
    changed_by_shift(gallery, gallery, [1.0, 0.0], lengths=[1.0])
    with pytest.raises(ValueError, match=r"^gallery: expected rows that differ"):
        changed_by_shift(gallery, gallery, [1.0, 0.0], lengths=[1.0], degrees=[5.0])
