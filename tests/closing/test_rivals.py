"""The field's closing methods: their definitions, guarantees, files, and odd inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import gaputils as gu
from gaputils import closing
from gaputils.scoring import cost, nearest

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


def sides(n: int = 40, m: int = 40, d: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64):
    """Two unit-norm clouds with different means, spreads and axes."""
    generator = torch.Generator().manual_seed(seed)

    def cloud(rows: int, spread: float) -> torch.Tensor:
        middle = torch.randn(d, generator=generator, dtype=torch.float64)
        axes = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
        points = torch.randn(rows, d, generator=generator, dtype=torch.float64) @ axes
        return F.normalize(middle + spread * points, dim=1).to(dtype)

    return cloud(n, 0.7), cloud(m, 0.4)


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


@pytest.mark.parametrize("side", ["gallery", "queries", "both"])
def test_the_naive_shift_closes_the_gap_and_renormalising_opens_it_again(side):
    queries, gallery = sides()
    moved = closing.NaiveShift(side=side).fit_transform(queries, gallery)
    assert float(gu.gap_vector(*moved).norm()) < 1e-12
    on_sphere = closing.NaiveShift(side=side, renormalize=True).fit_transform(queries, gallery)
    assert float(gu.gap_vector(*on_sphere).norm()) > 1e-3
    for values in on_sphere:
        torch.testing.assert_close(values.norm(dim=1), torch.ones(len(values)).double())


def test_alpha_zero_changes_nothing():
    queries, gallery = sides()
    moved = closing.NaiveShift(alpha=0.0).fit_transform(queries, gallery)
    assert torch.equal(moved[0], queries)
    assert torch.equal(moved[1], gallery)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 30))
def test_centring_ranks_as_the_naive_shift_does(seed, m):
    queries, gallery = sides(25, m, 12, seed)
    shifted = cost(*closing.NaiveShift().fit_transform(queries, gallery), "euclidean")
    centred = cost(*closing.Centering().fit_transform(queries, gallery), "euclidean")
    torch.testing.assert_close(shifted, centred)


def test_the_naive_shift_keeps_the_ranking_where_the_gap_is_orthogonal_to_the_hull():
    queries, gallery = sides(50, 6, 30)
    naive = closing.NaiveShift().fit(queries, gallery)
    paper = closing.MeanShift().fit(queries, gallery)
    assert not torch.allclose(naive.gap_, paper.shift_)
    orthogonal = queries - (naive.gap_ - paper.shift_)
    moved = closing.NaiveShift().fit_transform(orthogonal, gallery)
    assert torch.equal(nearest(*moved), nearest(orthogonal, gallery))


def test_i0t_gr_clip_and_centring_are_one_map_on_the_same_data():
    queries, gallery = sides()
    expected = closing.Centering(renormalize=True).fit_transform(queries, gallery)
    for method in (closing.Standardizing(), closing.GRCLIP()):
        for first, second in zip(method.fit_transform(queries, gallery), expected, strict=True):
            torch.testing.assert_close(first, second)


def test_standardised_coordinates_have_mean_zero_and_variance_one():
    queries, gallery = sides()
    gallery[:, 3] = 0
    moved = closing.Standardizing("coordinate").fit_transform(queries, gallery)
    for values in moved:
        torch.testing.assert_close(values.mean(0), torch.zeros(12).double(), atol=1e-10, rtol=0)
    torch.testing.assert_close(moved[0].var(0, correction=0), torch.ones(12).double())
    assert not moved[1][:, 3].any()


def test_realign_is_the_published_formula_and_closes_the_gap():
    queries, gallery = sides(50, 30)
    moved_queries, moved = closing.ReAlign().fit_transform(queries, gallery)
    x, y = queries.numpy(), gallery.numpy()
    scale = np.sqrt(np.trace(np.cov(x.T, bias=True)) / np.trace(np.cov(y.T, bias=True)))
    traced = x.mean(0) + scale * (y - y.mean(0))
    sphere = traced / np.linalg.norm(traced, axis=1, keepdims=True)
    np.testing.assert_allclose(moved.numpy(), sphere - sphere.mean(0) + x.mean(0), atol=1e-12)
    assert torch.equal(moved_queries, queries)
    assert float(gu.gap_vector(queries, moved).norm()) < 1e-12


def test_ablation_takes_the_coordinates_with_the_greatest_difference_of_means():
    queries, gallery = sides()
    method = closing.DimensionAblation(4).fit(queries, gallery)
    gap = (queries.mean(0) - gallery.mean(0)).abs()
    assert set(method.dims_.tolist()) == set(gap.topk(4).indices.tolist())
    kept = [i for i in range(12) if i not in method.dims_.tolist()]
    moved = method.transform(queries, gallery)
    for values, original in zip(moved, (queries, gallery), strict=True):
        assert not values[:, method.dims_].any()
        torch.testing.assert_close(values[:, kept], F.normalize(original[:, kept], dim=1))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_ablation_by_share_takes_the_fewest_coordinates(share):
    queries, gallery = sides()
    method = closing.DimensionAblation(share, renormalize=False).fit(queries, gallery)
    squares = gu.gap_vector(queries, gallery).square()
    carried = squares[method.dims_]
    assert float(carried.sum() / squares.sum()) >= share - 1e-9
    if len(carried):
        assert float(carried[:-1].sum() / squares.sum()) < share


def test_procrustes_finds_scipys_rotation():
    queries, gallery = sides()
    x, y = (values.numpy() - values.numpy().mean(0) for values in (queries, gallery))
    expected, values_sum = scipy.linalg.orthogonal_procrustes(y, x)
    method = closing.Procrustes(scale=True).fit(queries, gallery)
    np.testing.assert_allclose(method.rotation_.numpy(), expected, atol=1e-10)
    assert method.scale_ == pytest.approx(values_sum / np.square(y).sum())


def test_procrustes_recovers_a_turned_and_moved_copy():
    queries, _ = sides()
    turn = torch.linalg.qr(
        torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ).Q
    copy = 0.5 * (queries - 0.3) @ turn
    _, moved = closing.Procrustes(scale=True).fit_transform(queries, copy)
    torch.testing.assert_close(moved, queries)


def test_procrustes_needs_pairs_and_then_takes_any_gallery():
    queries, gallery = sides(40, 10)
    with pytest.raises(ValueError, match="fitted on pairs, expected 40 rows"):
        closing.Procrustes().fit(queries, gallery)
    targets = torch.arange(40) % 10
    fitted = closing.Procrustes().fit(queries, gallery[targets])
    moved = fitted.transform(queries, gallery)[1]
    torch.testing.assert_close(torch.cdist(moved, moved), torch.cdist(gallery, gallery))


def test_whitening_leaves_no_mean_and_the_identity():
    queries, gallery = sides(400, 300)
    moved = closing.Whitening(1e-9).fit_transform(queries, gallery)
    for values in moved:
        covariance = torch.cov(values.mT, correction=0)
        torch.testing.assert_close(covariance, torch.eye(12).double(), atol=1e-4, rtol=0)
        assert float(values.mean(0).abs().max()) < 1e-10


def test_coral_gives_the_gallery_the_queries_first_two_moments():
    queries, gallery = sides(400, 300)
    same, moved = closing.Coral(1e-9).fit_transform(queries, gallery)
    assert torch.equal(same, queries)
    torch.testing.assert_close(moved.mean(0), queries.mean(0))
    expected = torch.cov(queries.mT, correction=0)
    torch.testing.assert_close(torch.cov(moved.mT, correction=0), expected, atol=1e-7, rtol=1e-5)


def test_coral_is_the_published_product_of_roots():
    queries, gallery = sides(400, 300)
    method = closing.Coral(0.2).fit(queries, gallery)

    def regular(values: torch.Tensor) -> np.ndarray:
        covariance = np.cov(values.numpy().T, bias=True)
        return covariance + 0.2 * np.trace(covariance) / 12 * np.eye(12)

    root = scipy.linalg.sqrtm(regular(queries))
    expected = np.linalg.inv(scipy.linalg.sqrtm(regular(gallery))) @ root
    np.testing.assert_allclose(method.map_.numpy(), expected.real, atol=1e-8)


@pytest.mark.parametrize(("k", "weight"), [(1, 0.5), (5, 0.75), (20, 1.0)])
def test_nnn_equals_nnn_retrieval(k, weight, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nnn = pytest.importorskip("nnn")
        queries, gallery = (values.float() for values in sides(40, 30))
        ranker = nnn.NNNRanker(
            nnn.NNNRetriever(12), gallery.numpy(), queries.numpy(), k, 16, weight
        )
        scores, indices = ranker.search(queries.numpy(), 30)
    capsys.readouterr()
    method = closing.NearestNeighborNormalization(k=k, weight=weight)
    moved = method.fit_transform(queries, gallery)
    ours = -cost(*moved, "inner-product")
    best = ours.topk(30, dim=1)
    np.testing.assert_allclose(best.values.numpy(), scores, atol=2e-6)
    rows = np.arange(40)[:, None]
    np.testing.assert_allclose(ours.numpy()[rows, indices], scores, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 20), k=st.integers(1, 60))
def test_nnn_ranks_alike_under_the_three_scorings(seed, m, k):
    queries, gallery = sides(25, m, 12, seed)
    moved = closing.NearestNeighborNormalization(k=k, weight=0.8).fit_transform(queries, gallery)
    norms = moved[1].norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand(m))
    order = [cost(*moved, scoring) for scoring in ("inner-product", "cosine", "euclidean")]
    product = order[0]
    torch.testing.assert_close(order[1] * norms[0], product, atol=1e-9, rtol=0)
    torch.testing.assert_close(
        order[2], moved[0].square().sum(1, keepdim=True) + norms[0] ** 2 + 2 * product
    )


def test_nnn_without_weight_is_the_plain_ranking():
    queries, gallery = sides()
    moved = closing.NearestNeighborNormalization(k=5, weight=0.0).fit_transform(queries, gallery)
    assert torch.equal(nearest(*moved), nearest(queries, gallery))


def test_nnn_lowers_a_hub():
    queries, gallery = sides(60, 10)
    hub = F.normalize(queries.mean(0, keepdim=True), dim=1)
    gallery = torch.cat([gallery, hub])
    before = float((nearest(queries, gallery) == 10).double().mean())
    method = closing.NearestNeighborNormalization(k=60, weight=1.0)
    after = float((nearest(*method.fit_transform(queries, gallery)) == 10).double().mean())
    assert after < before


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_none_claims_to_keep_rankings(method):
    assert not method.preserves_ranking
