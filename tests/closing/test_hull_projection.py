"""The circumcentre, the radius about it, and the oblique projection, against definitions of old."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal, norm
from sklearn.base import clone

import gaputils as gu
from closing.helpers import named
from gaputils.closing import ClosingDoesNothing, load
from gaputils.closing.hull_projection import best_radius

SYMMETRIES = [
    (gu.HullProjection(), "p", 1),
]

SEEDS = st.integers(0, 2**32 - 1)


def sides(seed: int, n: int, m: int, d: int, spread: float = 0.0):
    """Queries and a gallery whose norms are spread about 1 by up to `spread`."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d)) + 1
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    gallery *= 1 + spread * rng.uniform(-1, 1, size=(m, 1))
    return rng.normal(size=(n, d)) * 0.4 - 0.5, gallery


def rankings(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    return cdist(queries, gallery, "sqeuclidean").argsort(axis=1)


def random_covariance(seed: int, d: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(d, d))
    return root @ root.T / d + 0.05 * np.eye(d)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, m=st.integers(2, 9), far=st.floats(0, 10))
@pytest.mark.parametrize("radius", [2, "auto"])
def test_a_query_equally_far_from_all_items_goes_to_the_center(radius, seed, m, far) -> None:
    """It has no ray, and what rounding leaves of one is an accident of the processor."""
    queries, gallery = sides(seed, 4, m, 40)
    closing = gu.HullProjection(radius=radius).fit(queries, gallery)
    center = closing.center_.numpy()
    across = queries - center
    across = far * (across - across @ closing.components_.numpy().T @ closing.components_.numpy())
    moved, _ = closing.transform(center + across, gallery)
    np.testing.assert_allclose(moved, np.tile(center, (4, 1)), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, spread=st.floats(0, 0.9), m=st.integers(3, 9), extra=st.integers(0, 4))
def test_affinely_independent_items_are_equally_far_from_the_center_whatever_their_norms(
    seed: int, spread: float, m: int, extra: int
) -> None:
    queries, gallery = sides(seed, 4, m, m - 1 + extra, spread)
    edges = gallery[1:] - gallery[0]
    closing = gu.HullProjection(radius=2).fit(queries, gallery)
    squares = np.sum(gallery[1:] ** 2, axis=1) - np.sum(gallery[0] ** 2)
    scale = max(1.0, closing.circumradius_) ** 2 * np.linalg.cond(edges)
    np.testing.assert_allclose(2 * edges @ closing.center_.numpy(), squares, atol=1e-12 * scale)
    distances = np.linalg.norm(gallery - closing.center_.numpy(), axis=1)
    np.testing.assert_allclose(distances, closing.circumradius_, rtol=1e-9)
    assert closing.preserves_ranking
    assert float(closing.off_hull(closing.center_.numpy()[None])[0]) < 1e-9 * scale


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    spread=st.floats(0, 0.5),
    radius=st.sampled_from([0.1, 2, 50, "auto"]),
    center=st.booleans(),
    m=st.integers(2, 9),
)
def test_unequal_norms_keep_whole_rankings_about_the_circumcentre(
    seed: int, spread: float, radius: float | str, center: bool, m: int
) -> None:
    queries, gallery = sides(seed, 6, m, 10, spread)
    before = cdist(queries, gallery, "sqeuclidean")
    moved = gu.HullProjection(radius=radius, center=center).fit_transform(queries, gallery)
    after = cdist(*moved, "sqeuclidean")
    for was, now in zip(before, after, strict=True):
        apart = was[:, None] < was[None, :] - 1e-7
        assert not (now[:, None] > now[None, :] + 1e-9 * now.max())[apart].any()


@pytest.mark.parametrize("offset", [1e-14, 1e-12, 1e-9])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("parameters", [{}, {"center": True}, {"radius": 2}])
def test_items_that_are_nearly_stored_twice_cost_no_answer(
    parameters: dict, added: bool, offset: float
) -> None:
    queries, once = sides(0, n=100, m=20, d=40)
    rng = np.random.default_rng(1)
    twice = once[:6] + offset * rng.normal(size=(6, 40))
    twice /= np.linalg.norm(twice, axis=1, keepdims=True)
    gallery = np.concatenate([once, twice])
    closing = gu.HullProjection(**parameters).fit(queries, once if added else gallery)
    if added:
        closing.add(twice)
    moved = closing.transform(queries, gallery)
    before, after = (rankings(*pair)[:, 0] for pair in ((queries, gallery), moved))
    np.testing.assert_array_equal(
        *(np.where(first < 20, first, first - 20) for first in (before, after))
    )
    assert np.linalg.norm(moved[0], axis=1).max() < 5


@pytest.mark.parametrize("offset", [1e-12, 1e-8])
def test_adding_items_that_are_nearly_there_leaves_the_center_where_fitting_puts_it(
    offset: float,
) -> None:
    """As of captions embedded and normalised in single precision, and held in double."""
    queries, rows = sides(0, n=10, m=20, d=40)
    again = rows[:6] + offset * np.random.default_rng(1).normal(size=(6, 40))
    single = [side.astype(np.float32) for side in (rows, again)]
    once, twice = (
        (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(float) for side in single
    )
    closing = gu.HullProjection(center=True).fit(queries, once)
    closing.add(twice)
    whole = gu.HullProjection(center=True).fit(queries, np.concatenate([once, twice]))
    assert closing.circumradius_ == pytest.approx(whole.circumradius_, abs=1e-3)
    np.testing.assert_allclose(closing.center_, whole.center_, atol=1e-3)


@pytest.mark.parametrize("m", [10, 100, 500])
@pytest.mark.parametrize("radius", [2, 5, 50])
def test_raw_clip_keeps_every_whole_ranking(published, m: int, radius: float) -> None:
    e = published("liang2022-clip-coco")
    queries, gallery = e.queries.double().numpy(), e.gallery[:m].double().numpy()
    assert np.ptp(np.linalg.norm(gallery, axis=1)) > 2e-4
    closing = gu.HullProjection(radius=radius).fit(queries, gallery)
    assert np.array_equal(
        rankings(*closing.transform(queries, gallery)), rankings(queries, gallery)
    )
    assert closing.preserves_ranking


def test_the_projection_of_the_origin_would_not(published) -> None:
    e = published("liang2022-clip-coco")
    queries, gallery = e.queries.double().numpy(), e.gallery.double().numpy()
    mean = gallery.mean(axis=0)
    edges = np.linalg.svd(gallery - mean, full_matrices=False)[2][:499]
    origin = mean - edges.T @ (edges @ mean)
    rays = (queries - origin) @ edges.T @ edges
    rays *= 2 / np.linalg.norm(rays, axis=1, keepdims=True)
    kept = (rankings(origin + rays, gallery) == rankings(queries, gallery)).all(axis=1)
    assert kept.mean() < 0.9


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("m", [6, 60])
def test_rows_normalised_in_half_precision_pass_and_come_back_as_such(
    dtype: torch.dtype, m: int
) -> None:
    queries, gallery = (torch.tensor(side).to(dtype) for side in sides(0, 5, m, 24))
    norms = torch.linalg.vector_norm(gallery.double(), dim=1)
    assert float(norms.max() - norms.min()) > 4e-5
    for closing in (gu.HullProjection(radius=2), gu.HullProjection(center=True)):
        moved = closing.fit(queries, gallery).transform(queries, gallery)
        assert all(side.dtype == dtype for side in moved)
    told = gu.HullProjection(radius=2).fit(queries, gallery)
    assert told.preserves_ranking == (m <= 25)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, radius=st.floats(0.2, 20))
def test_what_is_lost_without_a_circumcentre_stays_within_what_is_told(
    seed: int, radius: float
) -> None:
    """More items than dimensions and norms off by half precision's rounding."""
    queries, gallery = sides(seed, 20, 40, 6, spread=5e-4)
    closing = gu.HullProjection(radius=radius).fit(queries, gallery)
    assert 0 < closing.sphere_spread_ < 1e-2 * closing.circumradius_**2
    assert not closing.preserves_ranking
    away = np.linalg.norm(queries - closing.center_.numpy(), axis=1)
    told = np.abs(away / (radius * closing.circumradius_) - 1) * closing.sphere_spread_
    before = cdist(queries, gallery, "sqeuclidean")
    after = cdist(*closing.transform(queries, gallery), "sqeuclidean")
    for was, now, bound in zip(before, after, told, strict=True):
        apart = was[:, None] < was[None, :] - bound - 1e-9
        assert not (now[:, None] > now[None, :])[apart].any()


def test_really_unequal_norms_of_many_items_are_refused_with_what_was_found() -> None:
    queries, gallery = sides(0, 5, 40, 6, spread=0.1)
    for radius in (2, "auto"):
        with pytest.raises(ValueError, match=r"^gallery: scaling .* no sphere: .* normalise"):
            gu.HullProjection(radius=radius).fit(queries, gallery)
    gu.HullProjection(center=True).fit(queries, gallery)
    gu.HullProjection(3, radius=2).fit(queries, gallery)


@pytest.mark.parametrize(("first", "second", "expected"), [(0.9, -0.3, 1.910), (0.8, 0.8, 1.25)])
def test_the_best_radius_of_two_cosines_by_hand(
    first: float, second: float, expected: float
) -> None:
    gallery = torch.tensor([[c, math.sqrt(1 - c * c)] for c in (first, second)]).double()
    found = best_radius(torch.tensor([[1.0, 0.0]]).double(), gallery)
    assert float(found) == pytest.approx(expected, abs=5e-4)


@settings(max_examples=60, deadline=None)
@given(first=st.floats(-0.5, 0.999), drop=st.floats(0.01, 0.5))
def test_the_best_radius_maximises_the_certified_radius(first: float, drop: float) -> None:
    second = first - drop
    gallery = torch.tensor([[c, math.sqrt(1 - c * c)] for c in (first, second)]).double()
    best = float(best_radius(torch.tensor([[1.0, 0.0]]).double(), gallery))
    ratios = np.append(np.linspace(0.02, 10, 4000), best)
    near, far = (np.sqrt(1 + ratios**2 - 2 * ratios * c) for c in (first, second))
    assert (far - near)[-1] >= (far - near).max() - 1e-12
    assert best <= 10


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, m=st.integers(3, 7), d=st.integers(4, 9))
def test_auto_takes_the_two_nearest_of_all_items(seed: int, m: int, d: int) -> None:
    queries, gallery = sides(seed, 6, m, d)
    closing = gu.HullProjection(radius="auto", center=True).fit(queries, gallery)
    moved, items = closing.transform(queries, gallery)
    angles = np.arccos(np.clip(1 - cdist(moved, items, "cosine"), -1, 1))
    t1, t2 = np.sort(angles, axis=1)[:, :2].T
    bottom = np.maximum(np.cos((t1 + t2) / 2), np.cos((t2 - t1) / 2) / 10)
    found = np.linalg.norm(moved, axis=1) / closing.circumradius_
    np.testing.assert_allclose(found, np.cos((t2 - t1) / 2) / bottom, rtol=1e-6)


def test_auto_is_the_best_radius_for_little_noise() -> None:
    queries, gallery = sides(2, 4, 2, 6)
    closing = gu.HullProjection(radius="auto").fit(queries, gallery)
    moved, center = closing.transform(queries, gallery)[0], closing.center_.numpy()
    noise = gu.GaussianNoise(1e-4)
    best = np.asarray(gu.robustness(moved, gallery, noise))
    for factor in np.geomspace(0.2, 5, 25):
        other = np.asarray(gu.robustness(center + factor * (moved - center), gallery, noise))
        assert (other <= best + 3e-5).all()


def test_auto_needs_the_gallery_and_says_so() -> None:
    queries, gallery = sides(0, 5, 4, 9)
    closing = gu.HullProjection(radius="auto").fit(queries, gallery)
    with pytest.raises(
        ValueError,
        match=r"^queries: HullProjection\(.* moves a query .* transform\(queries, gallery\)",
    ):
        closing.transform_queries(queries)
    assert np.array_equal(closing.transform_gallery(gallery), gallery)


def test_a_ray_is_scaled_once_even_where_cosines_are_negative() -> None:
    gallery = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    queries = np.array([[0.3, 1.0, 0.2], [-2.0, 0.0, 0.5]])
    moved, _ = gu.HullProjection(radius="auto").fit_transform(queries, gallery)
    np.testing.assert_allclose(moved, [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], atol=1e-12)


def test_norms_of_a_gallery_are_compared_with_its_own_size() -> None:
    queries, gallery = sides(3, 2, 40, 8)
    for scale in (1e-4, 1e4):
        gu.HullProjection(radius=2.0).fit(queries, scale * gallery)
        with pytest.raises(ValueError, match=r"^gallery: .* normalise the rows"):
            gu.HullProjection(radius=2.0).fit(
                queries, scale * gallery * np.linspace(1, 1.1, 40)[:, None]
            )


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-4, 1e4), m=st.integers(2, 7))
def test_with_equal_noise_in_all_directions_the_oblique_projection_is_the_orthogonal_one(
    seed: int, scale: float, m: int
) -> None:
    queries, gallery = sides(seed, 5, m, 8)
    oblique = gu.HullProjection(covariance=scale * np.eye(8)).fit(queries, gallery)
    orthogonal = gu.HullProjection(center=True).fit_transform(queries, gallery)
    np.testing.assert_allclose(oblique.transform_queries(queries), orthogonal.queries, atol=1e-9)
    centred = clone(oblique).set_params(center=True).fit_transform(queries, gallery)
    for a, b in zip(centred, orthogonal, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, m=st.integers(2, 7), spread=st.floats(0, 0.5))
def test_the_oblique_projection_keeps_all_leads(seed: int, m: int, spread: float) -> None:
    queries, gallery = sides(seed, 5, m, 8, spread)
    closing = gu.HullProjection(covariance=random_covariance(seed, 8)).fit(queries, gallery)
    moved, same = closing.transform(queries, gallery)
    assert np.array_equal(same, gallery)
    leads = [q @ gallery.T - q @ gallery[:1].T for q in (queries, moved)]
    np.testing.assert_allclose(leads[1], leads[0], atol=1e-9)
    distances = [cdist(q, gallery, "sqeuclidean") for q in (queries, moved)]
    leads = [d - d[:, :1] for d in distances]
    np.testing.assert_allclose(leads[1], leads[0], atol=1e-8)
    assert closing.preserves_ranking


def keeps_first(query: np.ndarray, gallery: np.ndarray, covariance: np.ndarray) -> float:
    """P(the first of three items stays first) under inner products, as a normal probability."""
    scores = gallery @ query
    order = scores.argsort()[::-1]
    turn = np.array([[1.0, -1, 0], [1, 0, -1]])
    noise = (query @ covariance @ query) * turn @ turn.T
    return float(
        multivariate_normal(np.zeros(2), noise, allow_singular=True).cdf(turn @ scores[order])
    )


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_no_query_with_the_same_leads_is_more_robust_under_that_noise(seed: int) -> None:
    queries, gallery = sides(seed, 2, 3, 6)
    covariance = random_covariance(seed, 6)
    moved = (
        gu.HullProjection(covariance=covariance).fit(queries, gallery).transform_queries(queries)
    )
    orthogonal = gu.HullProjection(center=True).fit(queries, gallery).transform_queries(queries)
    edges = gallery[1:] - gallery[0]
    rng = np.random.default_rng(seed)
    for query, rival, best in zip(queries, orthogonal, moved, strict=True):
        top = keeps_first(best, gallery, covariance)
        for _ in range(5):
            step = rng.normal(size=6)
            step -= np.linalg.pinv(edges) @ (edges @ step)
            for other in (query, rival, query + step, best + 0.1 * step):
                np.testing.assert_allclose(edges @ other, edges @ query, atol=1e-9)
                assert keeps_first(other, gallery, covariance) <= top + 1e-5


def test_the_orthogonal_projection_can_be_worse_than_the_raw_query() -> None:
    worse = 0
    for seed in range(60):
        queries, gallery = sides(seed, 1, 3, 6)
        covariance = random_covariance(seed, 6)
        inside = gu.HullProjection(center=True).fit(queries, gallery).transform_queries(queries)
        worse += keeps_first(inside[0], gallery, covariance) < keeps_first(
            queries[0], gallery, covariance
        )
    assert 1 <= worse <= 30


@pytest.mark.parametrize(
    ("share", "raw", "orthogonal", "oblique"),
    [(0.5, 0.682, 0.735, 0.770), (0.9, 0.652, 0.682, 0.768)],
)
def test_the_three_queries_on_clip_under_noise_shaped_like_captions(
    published, share: float, raw: float, orthogonal: float, oblique: float
) -> None:
    e = gu.Embeddings(*_unit(published("liang2022-clip-coco")))
    queries, gallery = e.queries, e.gallery[:100]
    shape = torch.cov(e.gallery.mT, correction=0)
    covariance = 0.04 * (share * shape / shape.trace() + (1 - share) * torch.eye(512) / 512)
    projected = gu.HullProjection(center=True).fit(queries, gallery).transform_queries(queries)
    moved = (
        gu.HullProjection(covariance=covariance).fit(queries, gallery).transform_queries(queries)
    )
    for side, expected in ((queries, raw), (projected, orthogonal), (moved, oblique)):
        assert _inner_product_survival(side, gallery, covariance) == pytest.approx(
            expected, abs=0.003
        )


def _unit(e: gu.Embeddings) -> tuple[torch.Tensor, torch.Tensor]:
    normalize = torch.nn.functional.normalize
    return normalize(e.queries.double()), normalize(e.gallery.double())


def _inner_product_survival(queries, gallery, covariance) -> float:
    """Scores' noise is independent over items and normal with variance q'Sq: one integral."""
    deviation = ((queries @ covariance) * queries).sum(dim=1, keepdim=True).sqrt()
    scores = (queries @ gallery.mT).topk(len(gallery), dim=1).values / deviation
    leads = (scores[:, :1] - scores[:, 1:]).numpy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    first = [norm.cdf(leads + z).prod(axis=1) for z in nodes]
    return float((weights @ np.stack(first) / weights.sum()).mean())


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.eye(4), r"covariance: expected shape \(5, 5\), got \(4, 4\)"),
        (np.ones((5, 5)), "covariance: expected a positive definite matrix; shrink"),
        (np.eye(5) + np.eye(5, k=1), "covariance: expected a symmetric matrix, .* differ by 1"),
        (np.full((5, 5), np.nan), "covariance: expected finite values"),
    ],
)
def test_a_covariance_that_is_none_is_refused(covariance: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gu.HullProjection(covariance=covariance).fit(*sides(0, 4, 3, 5))


@pytest.mark.parametrize("radius", [2, "auto"])
def test_radius_and_covariance_are_not_for_each_other(radius: float | str) -> None:
    message = r"^radius: expected None with a covariance, .* a query's length is free"
    with pytest.raises(ValueError, match=message):
        gu.HullProjection(radius=radius, covariance=np.eye(5)).fit(*sides(0, 4, 3, 5))


def test_a_covariance_survives_clone_and_file(tmp_path: Path) -> None:
    queries, gallery = sides(0, 4, 3, 5)
    fitted = clone(gu.HullProjection(covariance=random_covariance(0, 5))).fit(queries, gallery)
    again = load(fitted.save(tmp_path / "oblique.safetensors"))
    assert np.array_equal(again.get_params()["covariance"], fitted.covariance)
    # The stored matrix has another layout, so that a product may differ in its last bit.
    np.testing.assert_allclose(
        again.transform_queries(queries), fitted.transform_queries(queries), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("level", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("radius", [None, 2, "auto"])
def test_auto_components_reach_the_level_and_one_fewer_do_not(
    level: float, radius: float | str | None
) -> None:
    queries, gallery = sides(3, 60, 12, 16)
    closing = gu.HullProjection("auto", radius=radius, unchanged=level).fit(queries, gallery)

    def unchanged(kept: int) -> float:
        moved = gu.HullProjection(kept, radius=radius).fit_transform(queries, gallery)
        return float((rankings(*moved)[:, 0] == rankings(queries, gallery)[:, 0]).mean())

    kept = len(closing.components_)
    assert unchanged(kept) >= level
    assert kept == 0 or unchanged(kept - 1) < level


def test_nothing_moves_where_the_hull_fills_the_space_and_it_says_so() -> None:
    """Of equal norms, the origin is then the circumcentre, and centring moves nothing either."""
    queries, gallery = sides(0, 5, 40, 6)
    for idle in (gu.HullProjection(), gu.HullProjection(center=True)):
        with pytest.warns(ClosingDoesNothing, match="HullProjection moves nothing: the 40 rows"):
            idle.fit(queries, gallery)
        np.testing.assert_allclose(idle.transform_queries(queries), queries, atol=1e-12)
    for other in (gu.HullProjection(radius=2), gu.HullProjection(3)):
        assert np.abs(other.fit_transform(queries, gallery)[0] - queries).max() > 0.01


def statistics_of(queries, gallery) -> gu.GapStatistics:
    statistics = gu.GapStatistics(queries.shape[1])
    for start in range(0, len(gallery), 7):
        statistics.update(gallery=gallery[start : start + 7])
    statistics.update(queries=queries)
    return statistics


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"radius": 2.0},
        {"center": True},
        {"radius": "auto", "center": True},
        {"n_components": 3},
        {"covariance": random_covariance(0, 12)},
    ],
    ids=named,
)
def test_fitted_from_statistics_it_is_the_one_fitted_on_rows(parameters: dict) -> None:
    queries, gallery = sides(1, 9, 10, 12)
    streamed = gu.fit_hull_projection(statistics_of(queries, gallery), **parameters)
    fitted = gu.HullProjection(**parameters).fit(queries, gallery)
    for a, b in zip(
        streamed.transform(queries, gallery), fitted.transform(queries, gallery), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert streamed.preserves_ranking == fitted.preserves_ranking


def test_statistics_of_unequal_norms_give_no_circumcentre() -> None:
    statistics = statistics_of(*sides(1, 9, 10, 12, spread=0.2))
    gu.fit_hull_projection(statistics)
    for parameters in ({"radius": 2}, {"center": True}):
        with pytest.raises(ValueError, match=r"gallery: from statistics .* of one norm alone"):
            gu.fit_hull_projection(statistics, **parameters)
    with pytest.raises(ValueError, match="n_components: 'auto' needs the rows"):
        gu.fit_hull_projection(statistics, n_components="auto")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"radius": "x"}, TypeError),
        ({"radius": -1}, ValueError),
        ({"center": "no"}, TypeError),
        ({"n_components": 1.5}, ValueError),
        ({"covariance": "x"}, TypeError),
        ({"statistics": np.eye(12)}, TypeError),
    ],
)
def test_what_a_fit_from_statistics_cannot_use_is_named(given: dict, error: type) -> None:
    (name,) = given
    statistics = statistics_of(*sides(1, 9, 10, 12))
    with pytest.raises(error, match=f"^{name}: expected"):
        gu.fit_hull_projection(**{"statistics": statistics, **given})


def test_with_the_best_radius_the_queries_are_named_and_come_back_in_their_type() -> None:
    queries, gallery = sides(0, 5, 4, 9)
    fitted = gu.HullProjection(radius="auto").fit(queries, gallery)
    with pytest.raises(ValueError, match=r"^gallery: expected dimension 8 as in queries, got 9"):
        fitted.transform(queries[:, 1:], gallery)
    with pytest.raises(ValueError, match=r"^gallery: expected dimension 9 as fitted, got 8"):
        fitted.transform(queries[:, 1:], gallery[:, 1:])
    far = gu.HullProjection(radius="auto").fit(queries * 4e4, gallery * 4e4)
    with pytest.raises(ValueError, match=r"^queries: expected rows that are finite"):
        far.transform((queries * 1e4).astype(np.float16), gallery * 4e4)
    whole = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    moved = fitted.transform(whole, torch.tensor(gallery, dtype=torch.float32))
    assert moved.queries.dtype == torch.float32


def test_a_center_that_is_set_to_no_boolean_is_named_by_either_side() -> None:
    queries, gallery = sides(0, 5, 4, 9)
    fitted = gu.HullProjection().fit(queries, gallery).set_params(center="no")
    for move, rows in ((fitted.transform_queries, queries), (fitted.transform_gallery, gallery)):
        with pytest.raises(TypeError, match=r"^center: expected"):
            move(rows)


@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=rf"^unchanged: .* got {level}"):
        gu.HullProjection("auto", unchanged=level).fit(*sides(0, 5, 4, 9))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
@pytest.mark.parametrize("radius", [0.05, 30])
def test_auto_components_are_told_by_the_radius_that_is_asked_for(seed: int, radius) -> None:
    queries, gallery = sides(seed, 30, 12, 16, spread=0.3)
    closing = gu.HullProjection("auto", radius=radius, unchanged=0.95).fit(queries, gallery)
    kept = len(closing.components_)
    before = rankings(queries, gallery)[:, 0]

    def unchanged(kept: int) -> float:
        moved = gu.HullProjection(kept, radius=radius).fit_transform(queries, gallery)
        return float((rankings(*moved)[:, 0] == before).mean())

    assert unchanged(kept) >= 0.95
    assert kept == 0 or unchanged(kept - 1) < 0.95 or unchanged(kept // 2) < 0.95


def test_statistics_keep_what_was_asked_for_and_the_spread_of_the_norms() -> None:
    queries, gallery = sides(1, 9, 10, 12)
    gallery = 5 * gallery * np.linspace(1, 1.0004, 10)[:, None]
    fitted = gu.fit_hull_projection(statistics_of(queries, gallery), 3, 2.0, True)
    asked = {"n_components": 3, "radius": 2.0, "center": True}
    assert fitted.get_params() == {**gu.HullProjection().get_params(), **asked}
    assert fitted.sphere_spread_ == pytest.approx(25 * (1.0004**2 - 1), rel=1e-3)


@pytest.mark.parametrize("streamed", [False, True])
def test_rows_on_no_sphere_are_told_with_its_squared_radius(streamed: bool) -> None:
    gallery = np.repeat(np.array([[3.0, 4.0], [-3.0, 4.0], [3.0, -4.0], [-3.0, -4.0]]), 2, axis=0)
    gallery[::2] *= 1.1
    radius = 5.0 * np.sqrt((1 + 1.1**2) / 2)
    fit = (
        (lambda: gu.fit_hull_projection(statistics_of(gallery, gallery), radius=2))
        if streamed
        else (lambda: gu.HullProjection(radius=2).fit(gallery, gallery))
    )
    with pytest.raises(ValueError, match=rf"more than 0\.01 of {radius**2:.2g}; normalise"):
        fit()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_covariance_is_symmetric_by_its_own_size(size: float) -> None:
    queries, gallery = sides(0, 4, 3, 5)
    covariance = size * np.eye(5)
    covariance[0, 1] = 0.5e-6 * size
    gu.HullProjection(covariance=covariance).fit(queries, gallery)
    covariance[0, 1] = 2e-6 * size
    with pytest.raises(ValueError, match=r"^covariance: expected a symmetric"):
        gu.HullProjection(covariance=covariance).fit(queries, gallery)
