"""The paper's shift and the hull projection: definitions another way, guarantees, edges, files."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import gaputils as gu
from closing.helpers import named
from gaputils import closing as closings

SEEDS = st.integers(0, 2**32 - 1)
SIZES = {"n": st.integers(1, 6), "m": st.integers(1, 9), "d": st.integers(1, 12)}


def sides(seed: int = 0, n: int = 8, m: int = 5, d: int = 10, unit: bool = True):
    """Two far clusters; the gallery of unit norm unless told otherwise."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) + 1
    if unit:
        gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return rng.normal(size=(n, d)) * 0.4 - 0.5, gallery


def onto_hull(points: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Nearest points of the affine hull, by least squares on its spanning differences."""
    edges = (gallery[1:] - gallery[:1]).T
    if edges.shape[1] == 0:
        return np.repeat(gallery[:1], len(points), axis=0)
    weights = np.linalg.lstsq(edges, (points - gallery[0]).T, rcond=1e-10)[0]
    return gallery[0] + (edges @ weights).T


def same_ranking(before, after, slack: float = 1e-9) -> bool:
    """No pair of items that `before` tells apart is swapped in `after`; both (queries, gallery)."""
    old, new = (cdist(np.asarray(a), np.asarray(b), "sqeuclidean") for a, b in (before, after))
    for was, now in zip(old, new, strict=True):
        apart = was[:, None] < was[None, :] - slack
        if (now[:, None] > now[None, :] + slack)[apart].any():
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, alpha=st.floats(-2, 3), **SIZES)
@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_mean_shift_is_the_paper_algorithm(seed: int, alpha: float, n: int, m: int, d: int) -> None:
    queries, gallery = sides(seed, n, m, d, unit=False)
    gap = queries.mean(0) - gallery.mean(0)
    inside = onto_hull((gallery.mean(0) + gap)[None], gallery)[0] - gallery.mean(0)
    shift = gu.MeanShift(alpha=alpha)
    moved_queries, moved = shift.fit(queries, gallery).transform(queries, gallery)
    np.testing.assert_allclose(moved, gallery + alpha * (gap - inside), atol=1e-8)
    assert np.array_equal(moved_queries, queries)
    assert same_ranking((queries, gallery), (moved_queries, moved), slack=1e-7)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, **SIZES)
@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_hull_projection_is_the_nearest_point_of_the_hull(
    seed: int, n: int, m: int, d: int
) -> None:
    queries, gallery = sides(seed, n, m, d, unit=False)
    moved, still = gu.HullProjection().fit_transform(queries, gallery)
    np.testing.assert_allclose(moved, onto_hull(queries, gallery), atol=1e-7)
    assert np.array_equal(still, gallery)
    assert same_ranking((queries, gallery), (moved, still), slack=1e-7)
    centred = gu.HullProjection(center=True).fit_transform(queries, gallery)
    assert same_ranking((queries, gallery), centred, slack=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    radius=st.one_of(st.floats(0.05, 20), st.just("auto")),
    center=st.booleans(),
    n=st.integers(1, 5),
    m=st.integers(2, 8),
    d=st.integers(3, 12),
)
def test_scaling_about_the_circumcentre_keeps_rankings(
    seed: int, radius: float | str, center: bool, n: int, m: int, d: int
) -> None:
    queries, gallery = sides(seed, n, m, d)
    method = gu.HullProjection(radius=radius, center=center)
    moved = method.fit_transform(queries, gallery)
    assert same_ranking((queries, gallery), moved, slack=1e-7)
    centre = method.center_.numpy()
    distances = np.linalg.norm(gallery - centre, axis=1)
    np.testing.assert_allclose(distances, method.circumradius_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(moved[1], gallery - centre if center else gallery, atol=1e-12)
    np.testing.assert_allclose(onto_hull(centre[None], gallery)[0], centre, atol=1e-8)
    if radius != "auto":
        lengths = np.linalg.norm(moved[0] - (0 if center else centre), axis=1)
        np.testing.assert_allclose(lengths, radius * method.circumradius_, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, m=st.integers(2, 6))
def test_centred_rankings_agree_under_all_scorings(seed: int, m: int) -> None:
    queries, gallery = sides(seed, 5, m, 9)
    x, y = gu.HullProjection(center=True).fit_transform(queries, gallery)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    euclidean = torch.cdist(x, y)
    for scores in (x @ y.T, torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(y).T):
        order = scores.argsort(1, descending=True)
        assert bool((euclidean.gather(1, order).diff(dim=1) >= -1e-7).all())


def test_the_fewest_components_keep_99_of_100_neighbours_unless_told_otherwise() -> None:
    queries, gallery = sides(1, 400, 8, 12)
    queries, gallery = queries * 0.7 ** np.arange(12), gallery * 0.7 ** np.arange(12)
    usual, told, all_of_them = (
        gu.MeanShift("auto", **given).fit(queries, gallery).n_components_
        for given in ({}, {"unchanged": 0.99}, {"unchanged": 1.0})
    )
    assert usual == told < all_of_them


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n_components=st.one_of(st.integers(0, 3), st.floats(0.05, 1.0)))
def test_components_are_those_of_pca(seed: int, n_components: int | float) -> None:
    queries, gallery = sides(seed, 5, 7, 6, unit=False)
    moved = gu.HullProjection(n_components).fit_transform(queries, gallery)[0]
    pca = PCA(svd_solver="full").fit(gallery)
    kept = n_components
    if isinstance(n_components, float):
        share = np.cumsum(pca.explained_variance_ratio_)
        kept = min(int((share < n_components - 1e-12).sum()) + 1, 6)
    axes = pca.components_[:kept]
    expected = gallery.mean(0) + (queries - gallery.mean(0)) @ axes.T @ axes
    np.testing.assert_allclose(moved, expected, atol=1e-8)
    shift = gu.MeanShift(n_components).fit(queries, gallery)
    assert shift.n_components_ == kept
    gap = queries.mean(0) - gallery.mean(0)
    np.testing.assert_allclose(shift.shift_, gap - gap @ axes.T @ axes, atol=1e-8)


def unchanged(queries, gallery, kept: int) -> float:
    moved = gu.MeanShift(kept).fit_transform(queries, gallery)
    now, before = cdist(moved[0], moved[1]).argmin(1), cdist(queries, gallery).argmin(1)
    return float((now == before).mean())


@pytest.mark.parametrize("level", [0.0, 0.6, 0.9, 1.0])
def test_auto_components_reach_the_level_and_one_fewer_do_not(level: float) -> None:
    queries, gallery = sides(3, 60, 12, 16)
    shift = gu.MeanShift("auto", unchanged=level).fit(queries, gallery)
    assert unchanged(queries, gallery, shift.n_components_) >= level
    if shift.n_components_ > 0:
        assert unchanged(queries, gallery, shift.n_components_ - 1) < level
    assert not shift.preserves_ranking
    assert gu.MeanShift().preserves_ranking


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_closing_raises_robustness_in_the_order_of_the_theory(seed: int) -> None:
    """Projection makes each distance least: no query is less robust than under the shift."""
    queries, gallery = sides(seed, 20, 6, 80)
    noise = gu.GaussianNoise(0.3)
    plain = gu.robustness(queries, gallery, noise)
    shift = gu.robustness(*gu.MeanShift().fit_transform(queries, gallery), noise)
    hull = gu.robustness(*gu.HullProjection().fit_transform(queries, gallery), noise)
    assert bool((hull >= plain - 5e-5).all())
    assert bool((hull >= shift - 5e-5).all())


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, log_scale=st.floats(-4, 4))
def test_closing_commutes_with_isometries_and_scaling(seed: int, log_scale: float) -> None:
    queries, gallery = sides(seed)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0] * 10.0**log_scale
    for method in (gu.MeanShift(), gu.HullProjection(), gu.HullProjection(radius=2.0)):
        x, y = method.fit_transform(queries, gallery)
        a, b = method.fit_transform(queries @ turn, gallery @ turn)
        scale = 1e-7 * 10.0**log_scale
        np.testing.assert_allclose(a, x @ turn, atol=scale)
        np.testing.assert_allclose(b, y @ turn, atol=scale)


METHODS = [
    gu.MeanShift(),
    gu.MeanShift("auto"),
    gu.MeanShift(0.9, alpha=0.5),
    gu.HullProjection(),
    gu.HullProjection(radius="auto"),
    gu.HullProjection(radius=2, center=True),
]


@pytest.mark.parametrize("method", METHODS, ids=named)
@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("one item", lambda y: y[:1]),
        ("duplicates", lambda y: np.concatenate([y, y[:2]])),
        ("one point many times", lambda y: np.repeat(y[:1], 4, axis=0)),
        ("rank-deficient", lambda y: np.linalg.qr(y.T)[0][:, :2] @ np.eye(2)),
        ("more items than dimensions", lambda y: sides(9, 2, 40, y.shape[1])[1]),
    ],
)
def test_degenerate_galleries(method, name: str, build) -> None:
    queries, gallery = sides()
    gallery = build(gallery).T if name == "rank-deficient" else build(gallery)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", closings.ClosingDoesNothing)
        moved = clone(method).fit(queries, gallery).transform(queries, gallery)
    assert np.isfinite(np.concatenate(moved)).all()
    if getattr(method, "n_components", None) is None:
        assert same_ranking((queries, gallery), moved, slack=1e-7)
    if name == "more items than dimensions" and isinstance(method, gu.MeanShift):
        np.testing.assert_allclose(moved[1], gallery, atol=1 if method.n_components else 1e-8)


def test_a_gallery_of_one_item_draws_every_query_onto_it() -> None:
    queries, gallery = sides(m=1)
    moved, _ = gu.HullProjection().fit_transform(queries, gallery)
    np.testing.assert_allclose(moved, np.repeat(gallery, 8, axis=0), atol=1e-12)
    _, shifted = gu.MeanShift().fit_transform(queries, gallery)
    np.testing.assert_allclose(shifted[0], queries.mean(0), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS[:4], ids=named)
def test_types_come_back(dtype, method) -> None:
    queries, gallery = (side.astype(dtype) for side in sides())
    moved = clone(method).fit(queries, gallery).transform(queries, gallery)
    assert all(isinstance(side, np.ndarray) and side.dtype == dtype for side in moved)
    tensors = torch.from_numpy(queries), torch.from_numpy(gallery)
    again = clone(method).fit(*tensors).transform(*tensors)
    assert all(a.dtype == t.dtype for a, t in zip(again, tensors, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(moved, again, strict=True))


def test_single_precision_keeps_every_neighbour() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = (rng.normal(size=(300, 64)) + side for side in (0, 2))
    queries, gallery = queries.astype(np.float32), gallery[:40].astype(np.float32)
    before = cdist(queries, gallery).argmin(1)
    for method in (gu.MeanShift(), gu.HullProjection()):
        moved = method.fit_transform(queries, gallery)
        assert np.array_equal(cdist(*map(np.asarray, moved)).argmin(1), before)


def test_fitted_on_one_split_and_used_on_another() -> None:
    queries, gallery = sides(4, 20, 5, 12)
    for method in (gu.MeanShift(), gu.HullProjection(radius=2.0)):
        method.fit(queries[:10], gallery)
        both = method.transform(queries, gallery)
        rest = method.transform(queries[10:], gallery)
        np.testing.assert_allclose(rest[0], both[0][10:])
        assert same_ranking((queries[10:], gallery), rest, slack=1e-7)


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_saved_and_loaded(method, tmp_path: Path) -> None:
    queries, gallery = sides()
    fitted = clone(method).fit(queries, gallery)
    path = fitted.save(tmp_path / "closing.safetensors")
    back = closings.load(path)
    assert type(back) is type(method)
    assert back.get_params() == method.get_params()
    for a, b in zip(
        back.transform(queries, gallery), fitted.transform(queries, gallery), strict=True
    ):
        assert np.array_equal(a, b)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["closing.safetensors"]


def test_files_that_are_no_closing(tmp_path: Path) -> None:
    queries, gallery = sides()
    path = gu.MeanShift().fit(queries, gallery).save(tmp_path / "good")
    whole = path.read_bytes()
    for keep in (0, 7, 40, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=r"path: .*cut is not a whole safetensors file"):
            closings.load(tmp_path / "cut")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"gap_": gallery}))
    with pytest.raises(ValueError, match=r"path: .*pickle is not a whole safetensors file"):
        closings.load(tmp_path / "pickle")
    gu.Embeddings(queries, gallery).save(tmp_path / "embeddings")
    with pytest.raises(ValueError, match=r"path: expected a saved closing .* in .*embeddings"):
        closings.load(tmp_path / "embeddings")
    save_file({"mean_": torch.zeros(2)}, tmp_path / "older", {"format": "gaputils-closing/1"})
    with pytest.raises(ValueError, match=r"older, got 'gaputils-closing/1'"):
        closings.load(tmp_path / "older")
    with pytest.raises(FileNotFoundError, match=r"path: there is no file .*nowhere"):
        closings.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"closing": "Rotation"}, "holds the closing 'Rotation', expected one of"),
        ({"closing": None}, "holds the closing None"),
        ({"parameters": "{"}, "MeanShift: Expecting property name"),
        ({"parameters": None}, "MeanShift: KeyError"),
        ({"parameters": '{"beta": 1}'}, "MeanShift: TypeError"),
        ({"learned": "7"}, "MeanShift: TypeError"),
        ({"learned": '{"transform": 1, "dim_": 3}'}, "MeanShift: it holds dim_"),
        ({"learned": "{}"}, "MeanShift: it holds gap_"),
        ({"learned": '{"dim_": 0}'}, "MeanShift: dim_: .* at least 1, got 0"),
        ({"learned": '{"dim_": 1048577}'}, "MeanShift: dim_: expected at most 1048576, got"),
    ],
)
def test_damaged_descriptions(change: dict, message: str, tmp_path: Path) -> None:
    metadata = {
        "format": "gaputils-closing/2",
        "closing": "MeanShift",
        "parameters": json.dumps({"n_components": None, "alpha": 1.0, "unchanged": 0.99}),
        "learned": json.dumps({"dim_": 3, "n_components_": 2}),
    }
    metadata = {k: v for k, v in {**metadata, **change}.items() if v is not None}
    save_file({"gap_": torch.zeros(3)}, tmp_path / "file", metadata)
    with pytest.raises(ValueError, match=message):
        closings.load(tmp_path / "file")


def test_what_was_learned_is_finite(tmp_path: Path) -> None:
    fitted = gu.MeanShift().fit(*sides())
    fitted.gap_[3] = math.nan
    with pytest.raises(ValueError, match="MeanShift: gap_ holds NaN or infinity"):
        closings.load(fitted.save(tmp_path / "file"))


def test_a_closing_of_one_dimension_is_saved_and_loaded(tmp_path: Path) -> None:
    queries, gallery = sides(d=1)
    fitted = gu.NaiveShift().fit(queries, gallery)
    loaded = closings.load(fitted.save(tmp_path / "file"))
    for a, b in zip(
        loaded.transform(queries, gallery), fitted.transform(queries, gallery), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_not_fitted(tmp_path: Path) -> None:
    queries, gallery = sides()
    for method in (gu.MeanShift(), gu.HullProjection()):
        with pytest.raises(NotFittedError):
            method.transform(queries, gallery)
        with pytest.raises(NotFittedError):
            method.save(tmp_path / "x")


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        (gu.MeanShift("most"), ValueError, "n_components: expected None, .*'auto', got 'most'"),
        (gu.MeanShift(-1), ValueError, "n_components: .* at least 0, got -1"),
        (gu.MeanShift(0.0), ValueError, "n_components: .* got 0.0"),
        (gu.MeanShift(1.5), ValueError, "n_components: .* got 1.5"),
        (gu.MeanShift(True), TypeError, "n_components: expected an integer, got bool"),
        (gu.MeanShift(99), ValueError, "n_components: .* gallery's rank 4, got 99"),
        (gu.MeanShift(alpha=float("nan")), ValueError, "alpha: .* got nan"),
        (gu.MeanShift(alpha="1"), TypeError, "alpha: expected a number"),
        (gu.MeanShift("auto", unchanged=1.2), ValueError, "unchanged: .* got 1.2"),
        (gu.MeanShift("auto", unchanged=-0.1), ValueError, "unchanged: .* got -0.1"),
        (gu.HullProjection("most"), ValueError, "n_components: .*'auto', got 'most'"),
        (gu.HullProjection("auto", unchanged=2), ValueError, "unchanged: .* got 2"),
        (gu.HullProjection(radius=0.0), ValueError, "radius: .* got 0.0"),
        (gu.HullProjection(radius=-1), ValueError, "radius: .* got -1"),
        (gu.HullProjection(radius="best"), TypeError, "radius: expected a number, got str"),
    ],
    ids=named,
)
def test_bad_parameters(method, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        method.fit(*sides())


def test_another_dimension_is_refused() -> None:
    queries, gallery = sides()
    with pytest.raises(ValueError, match="queries: expected dimension 10 as fitted, got 9"):
        gu.MeanShift().fit(queries, gallery).transform(queries[:, :9], gallery[:, :9])
    with pytest.raises(ValueError, match=r"^gallery: expected dimension 10 as fitted, got 9"):
        gu.MeanShift().fit(queries, gallery).off_hull(gallery[:, :9])
