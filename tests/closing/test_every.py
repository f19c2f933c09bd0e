"""What holds of every closing of the field: files, precisions, odd inputs, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from closing.helpers import sides
from gaputils import closing

ALL = [
    closing.NaiveShift(),
    closing.NaiveShift(0.5, side="both", renormalize=True),
    closing.NaiveShift(1.0, side="queries", renormalize=True),
    closing.Centering(),
    closing.Centering(renormalize=True),
    closing.Standardizing(),
    closing.Standardizing(scale="coordinate"),
    closing.ReAlign(),
    closing.ReAlign(renormalize=True),
    closing.GRCLIP(),
    closing.DimensionAblation(3),
    closing.DimensionAblation(0.5, renormalize=False),
    closing.Procrustes(),
    closing.Procrustes(scale=True),
    closing.Whitening(),
    closing.Coral(),
    closing.NearestNeighborNormalization(k=3),
]
# A closing that was added since stands here as it is by default; the other three have files of
# their own.
ALL += [
    kind()
    for name, kind in sorted(closing.registered().items())
    if name in set(closing.__all__) - {"MeanShift", "HullProjection", "MixedGallery"}
    and kind not in {type(listed) for listed in ALL}
]
IDS = [repr(method) for method in ALL]


PARAMETERS = [
    (type(method), name)
    for method in {type(method): method for method in ALL}.values()
    for name, value in method.get_params().items()
    if not isinstance(value, bool)
]


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
@pytest.mark.parametrize("bad", ["a guess", float("nan"), [1.0]], ids=repr)
def test_a_parameter_that_makes_no_sense_is_refused_by_its_name(kind, name, bad):
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: expected"):
        kind(**{name: bad}).fit(*sides())


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_a_method_survives_its_file(method, tmp_path):
    queries, gallery = sides()
    fitted = clone(method).fit(queries, gallery)
    fitted.save(tmp_path / "method.safetensors")
    again = closing.load(tmp_path / "method.safetensors")
    assert type(again) is type(fitted)
    assert again.get_params() == fitted.get_params()
    for first, second in zip(
        fitted.transform(queries, gallery), again.transform(queries, gallery), strict=True
    ):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("method", ALL, ids=IDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_what_comes_back_is_finite_and_of_the_precision_that_came(method, dtype):
    queries, gallery = sides(dtype=dtype)
    moved = clone(method).fit_transform(queries, gallery)
    for values, rows in zip(moved, (len(queries), len(gallery)), strict=True):
        assert values.dtype == dtype
        assert len(values) == rows
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("method", ALL, ids=IDS)
@pytest.mark.parametrize("side", [0, 1])
def test_of_rows_that_are_alike_nothing_is_made_of_their_rounding(method, side):
    """Their mean is exact in binary fractions, and a last digit off beside them."""
    moved = []
    for offset in (0.0, 1e-7):
        pair = list(sides(3, 3))
        row = torch.arange(1, 13) / 8 + offset * torch.arange(12).double().sqrt()
        pair[side] = row.expand(3, 12).clone()
        moved.append(clone(method).fit_transform(*pair))
    for exact, rounded in zip(*moved, strict=True):
        torch.testing.assert_close(exact, rounded, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_arrays_and_tensors_give_the_same_and_stay_as_they_were(method):
    queries, gallery = sides()
    kept = queries.clone(), gallery.clone()
    from_tensors = clone(method).fit_transform(queries, gallery)
    from_arrays = clone(method).fit_transform(queries.numpy(), gallery.numpy())
    for first, second in zip(from_tensors, from_arrays, strict=True):
        assert isinstance(second, np.ndarray)
        torch.testing.assert_close(first, torch.from_numpy(second))
    assert torch.equal(queries, kept[0])
    assert torch.equal(gallery, kept[1])


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_fitted_on_one_part_it_moves_another_row_by_row(method):
    queries, gallery = sides(60, 60)
    fitted = clone(method).fit(queries[:40], gallery[:40])
    both = fitted.transform(queries[40:], gallery[40:])
    one = fitted.transform(queries[40:41], gallery[40:41])
    width = queries.shape[1] + (
        1 if isinstance(method, closing.NearestNeighborNormalization) else 0
    )
    torch.testing.assert_close(both[0][:1], one[0])
    torch.testing.assert_close(both[1][:1, :width], one[1][:, :width])


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_odd_galleries_give_finite_answers(method):
    queries, gallery = sides(6, 6, 20)
    for odd in (gallery[:1].expand(6, -1), gallery[[0, 0, 1, 1, 2, 2]]):
        for values in clone(method).fit_transform(queries, odd):
            assert torch.isfinite(values).all()
    one = clone(method).fit(queries[:1], gallery[:1]).transform(queries, gallery[:1])
    assert torch.isfinite(one[0]).all()
    assert torch.isfinite(one[1]).all()


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_unusable_sides_are_named(method):
    queries, gallery = sides(6, 6, 5)
    with pytest.raises(NotFittedError):
        clone(method).transform(queries, gallery)
    with pytest.raises(ValueError, match="gallery: expected dimension 5"):
        clone(method).fit(queries, gallery[:, :4])
    broken = gallery.clone()
    broken[1, 2] = torch.nan
    with pytest.raises(ValueError, match="gallery: expected finite values"):
        clone(method).fit(queries, broken)
    with pytest.raises(ValueError, match="queries: expected dimension 5 as fitted, got 4"):
        clone(method).fit(queries, gallery).transform(queries[:, :4], gallery[:, :4])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (closing.NaiveShift(alpha=float("nan")), "alpha"),
        (closing.NaiveShift(side="left"), "side: expected one of"),
        (closing.Standardizing(scale="none"), "scale: expected one of"),
        (closing.DimensionAblation(12), "n_dims: expected fewer than the 12 dimensions, got 12"),
        (closing.DimensionAblation(-1), "n_dims"),
        (closing.DimensionAblation(1.5), "n_dims"),
        (closing.Whitening(0), "regularization"),
        (closing.Coral(-1), "regularization"),
        (closing.NearestNeighborNormalization(k=0), "k: expected an integer of at least 1"),
        (closing.NearestNeighborNormalization(weight=float("inf")), "weight"),
    ],
)
def test_parameters_out_of_range_are_named(method, message):
    with pytest.raises(ValueError, match=message):
        method.fit(*sides())


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_none_claims_to_keep_rankings(method):
    assert not method.preserves_ranking
