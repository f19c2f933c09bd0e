"""Project the queries onto the gallery's hull, and scale them about its circumcentre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from gaputils._checks import as_matrix, as_pair, flag, number, work
from gaputils._steps import Steps
from gaputils.closing.base import G, Q, Sides, as_given
from gaputils.closing.on_hull import OnHull, check_from_statistics
from gaputils.geometry.hull import (
    THIN,
    Hull,
    Sphere,
    check_n_components,
    circumsphere,
    count_components,
    fewest_components,
    project,
)
from gaputils.scoring import cost

if TYPE_CHECKING:
    from gaputils.geometry.streaming import GapStatistics

_FROM_CENTER = ("shift", "center_", -1.0)
_LARGEST_AUTO_RADIUS = 10.0
_EXACT = 2e-5
_TOLERATED = 1e-2


class HullProjection(OnHull):
    """Replace each query ``y`` by its orthogonal projection ``Py`` onto the gallery's affine hull.

    What is orthogonal to the hull adds one constant to all of a query's squared distances: it
    ranks nothing and only lets noise in. The projection keeps every ranking and makes the
    distances as small as any translation orthogonal to the hull can. (Our derivation.)

    **radius** puts each projected query at that multiple of the circumradius from the
    circumcentre ``c``, along its ray (one that has none, equally far from all items, goes to
    ``c``); ``radius=2`` is the one to take. ``c`` is the point of the
    hull that is equally far from all items. Affinely independent rows, as m <= d + 1 rows in
    general position are, have one, whatever their norms; so have rows of equal norms, in any
    number, where it is the projection of the origin; then no ranking changes. Other galleries,
    say m > d + 1 rows whose norms were rounded to half precision, get the least-squares center,
    and two items keep their order for every query, at distance t from ``c``, whose squared
    distances from them differ by more than ``|t / (radius R) - 1|`` times `sphere_spread_`;
    `preserves_ranking` is False. `fit` raises `ValueError` if the distances from ``c`` differ by
    more than half a percent.

    ``radius="auto"`` gives each query the multiple that maximises the certified radius of its
    answer, ``cos((t_2 - t_1) / 2) / cos((t_1 + t_2) / 2)`` with the angles about ``c`` between the
    query and its two nearest items, at most 10: the best as the noise goes to zero. It costs a
    full exact search of the clean gallery for each query, so that `transform_queries` refuses and
    `transform` must be given the whole gallery; ``radius=2`` buys the same on real embeddings with
    no search. (With noise of total variance v the normal approximation gives
    ``(2 + v / R^2) / (cos t_1 + cos t_2)``, which is worth nothing more in many dimensions and
    wrong in few.)

    **center=True** returns ``Py - c`` and ``x - c``: Euclidean rankings are those of the uncentred
    result, and rankings by cosine and inner product agree with them if the items lie on a sphere
    about ``c``, as above.

    **covariance** (d, d), that of the noise on a gallery item (`covariance_between`), asks for the
    oblique projection ``S^-1 B^T (B S^-1 B^T)^-1 B y``, ``B`` the hull's directions: the query with
    the same leads (differences of scores) whose inner products are the least noisy. No query with
    the same leads is more robust under inner products, where the orthogonal projection can be
    worse than the raw query. (Our derivation.) For a multiple of the identity it is ``Py - c`` for
    the projection ``c`` of the origin. Rank by inner product; the Euclidean ranking is kept too.
    With `center` leads are those about ``c``. `radius` is refused with it: under inner products
    a query's length is free.

    **n_components** as in `MeanShift`, with ``"auto"`` and `unchanged`; fewer than the whole hull
    trades unchanged rankings for robustness.

    `fit` warns (`ClosingDoesNothing`) if the hull fills the space and nothing is scaled or
    centred. Noise is taken as isotropic but for `covariance`.

    Learns `center_` (d,), `circumradius_`, `sphere_spread_` (the largest less the least squared
    distance of an item from the center), with a covariance `duals_` (r, d), and what `OnHull` does.

    >>> import numpy as np
    >>> queries, gallery = np.array([[0.2, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> HullProjection(radius=2).fit(queries, gallery).transform_queries(queries)
    array([[-0.5,  0. ]])
    """

    called = "hull projection"
    variants: ClassVar = {"scaled": {"radius": 2}, "centred": {"center": True}}

    def __init__(
        self,
        n_components: int | float | str | None = None,
        radius: float | str | None = None,
        center: bool = False,
        covariance: Any = None,
        unchanged: float = 0.99,
    ) -> None:
        self.n_components = n_components
        self.radius = radius
        self.center = center
        self.covariance = covariance
        self.unchanged = unchanged

    @property
    def preserves_ranking(self) -> bool:
        """True if the whole hull was kept, and what is scaled lies on a sphere."""
        round_enough = self.radius is None or (
            getattr(self, "sphere_spread_", 0.0)
            <= _EXACT * getattr(self, "circumradius_", 1.0) ** 2
        )
        return super().preserves_ranking and round_enough

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        check_n_components(self.n_components)
        self._check_radius()
        flag("center", self.center)
        hull = Hull.of(gallery)
        if isinstance(self.n_components, str):
            level = number("unchanged", self.unchanged, low=0, high=1)
            base = work(gallery)

            def moved(kept: int) -> tuple[Tensor, Tensor]:
                self._learn(hull, circumsphere(gallery, hull, kept), kept)
                return self._both(work(queries), base)

            kept = fewest_components(len(hull.components), work(queries), base, level, moved)
        else:
            kept = count_components(self.n_components, hull.variances)
        sphere = circumsphere(gallery, hull, kept)
        if self.radius is not None and kept == len(hull.components):
            _require_sphere(sphere)
        self._learn(hull, sphere, kept)
        self._warn_if_idle()

    def _warn_if_idle(self) -> None:
        centred = self.center and float(torch.linalg.vector_norm(self.center_)) > self.rounding_
        if self.radius is None and not centred:
            super()._warn_if_idle()

    def _learn(self, hull: Hull, sphere: Sphere, kept: int) -> None:
        self._learn_hull(hull, kept)
        self.center_, self.circumradius_ = sphere.center, sphere.radius
        self.sphere_spread_ = sphere.spread
        self._refresh()

    def _check_radius(self) -> None:
        if self.radius is None:
            return
        if self.radius != "auto":
            number("radius", self.radius, low=0, strict=True)
        if self.covariance is not None:
            raise ValueError(
                f"radius: expected None with a covariance, got {self.radius!r}; the oblique "
                "projection is for inner products, under which a query's length is free"
            )

    def _refresh(self) -> None:
        if self.covariance is None:
            return
        factor = _cholesky(self.covariance, self.dim_).to(self.components_)
        inverse = torch.cholesky_solve(self.components_.mT, factor)
        self.duals_ = torch.linalg.solve(self.components_ @ inverse, inverse.mT)

    def _extend(self, rows: Tensor, fresh: Tensor, mean: Tensor) -> bool:  # noqa: ARG002
        """Move the center along the new directions until the new rows are as far as the others."""
        offset = rows - self.center_
        away = offset.square().sum(dim=1)
        lead = offset @ fresh.mT
        inverse = torch.linalg.pinv(2 * lead, atol=2 * THIN * self.circumradius_)
        step = inverse @ (away - self.circumradius_**2)
        squares = away - 2 * lead @ step - self.circumradius_**2
        spread = max(float(squares.max()), 0.0) - min(float(squares.min()), 0.0)
        grown = self.circumradius_**2 + float(step.square().sum())
        moved = Sphere(self.center_ + step @ fresh, grown**0.5, self.sphere_spread_ + spread)
        if self.radius is not None:
            _require_sphere(moved)
        self.center_, self.circumradius_ = moved.center, moved.radius
        self.sphere_spread_ = moved.spread
        far = float(torch.linalg.vector_norm(step)) > self.rounding_
        return bool(self.center) and far

    def _query_steps(self) -> Steps | None:
        if self.radius == "auto":
            return None
        center = flag("center", self.center)
        if self.covariance is not None and not center:
            return [self._project()]
        steps: list[tuple[Any, ...]] = [_FROM_CENTER]
        if len(self.components_) < self.dim_:  # onto all of the space nothing moves
            steps.append(self._project())
        if self.radius is not None:
            ratio = number("radius", self.radius, low=0, strict=True)
            steps.append(("lengthen", ratio * self.circumradius_))
        return steps if center else [*steps, ("shift", "center_", 1.0)]

    def _project(self) -> tuple[str, str, str]:
        onto = "components_" if self.covariance is None else "duals_"
        return "project", "components_", onto

    def _gallery_steps(self) -> Steps:
        return [_FROM_CENTER] if flag("center", self.center) else []

    def transform(self, queries: Q, gallery: G) -> Sides[Q, G]:
        """Both sides moved; warns (`RowsOffHull`) of rows of the gallery off the hull.

        With ``radius="auto"`` the gallery must be the whole one, as each query's radius is told by
        its two nearest items. Raises `NotFittedError` before `fit` and `ValueError` on another
        dimension.
        """
        if self.radius != "auto":
            return super().transform(queries, gallery)
        moved_gallery = self.transform_gallery(gallery)
        rows, items = as_pair(queries, gallery)
        moved = self._to_best_radius(work(rows), work(items))
        return Sides(as_given("queries", moved, rows, queries), moved_gallery)

    def _both(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        auto = self.radius == "auto"
        moved = self._to_best_radius(queries, gallery) if auto else self._move_queries(queries)
        return moved, self._move_gallery(gallery)

    def _to_best_radius(self, queries: Tensor, gallery: Tensor) -> Tensor:
        steps = [_FROM_CENTER, self._project(), ("lengthen", 1.0)]
        ray = self._run("queries", steps, queries)
        center = self.center_.to(ray)
        offset = ray * (self.circumradius_ * best_radius(ray, gallery - center))
        return offset if self.center else offset + center


def fit_hull_projection(
    statistics: GapStatistics,
    n_components: int | float | None = None,
    radius: float | str | None = None,
    center: bool = False,
    covariance: Any = None,
) -> HullProjection:
    """The `HullProjection` that fitting on all rows at once would give, from their statistics.

    The parameters as there; the states of all processes are merged first. The circumcentre is the
    projection of the origin, where fitting on rows finds the best center of any, so that `radius`
    and `center` ask for rows of one norm, to half precision. Raises `TypeError` for anything but
    `GapStatistics` and a parameter of another kind, and `ValueError` if the gallery has no rows, if
    its norms differ by more and one of those is asked for, for a parameter out of its range, and
    for ``n_components="auto"``, which needs the rows.
    """
    check_from_statistics(statistics, n_components)
    closing = HullProjection(n_components, radius, center, covariance)
    closing._check_radius()
    flag("center", center)
    with statistics.sync_context():
        gallery, norms = statistics.moments("gallery"), statistics.norms("gallery")
    closing.dim_, closing.precision_ = statistics.dim, gallery.epsilon
    hull = Hull.of_moments(gallery)
    kept = count_components(n_components, hull.variances)
    nearest = hull.mean - project(hull.mean, hull.components[:kept])
    squared = gallery.total + float((hull.mean - nearest).square().sum())
    sphere = Sphere(nearest, squared**0.5, norms[1] ** 2 - norms[0] ** 2)
    if (radius is not None or center) and not _is_round(sphere):
        raise ValueError(
            "gallery: from statistics the circumcentre is known of rows of one norm alone, and the "
            f"squared norms of these differ by {sphere.spread:.2g}, more than {_TOLERATED:g} of "
            f"{sphere.radius**2:.2g}; normalise the rows first"
        )
    closing._learn(hull, sphere, kept)
    closing._warn_if_idle()
    return closing


def best_radius(rays: Tensor, gallery: Tensor) -> Tensor:
    """(n, 1) multiple of the circumradius that maximises the certified radius of each query.

    `rays` (n, d) are unit vectors and `gallery` (m, d) the items, both about the circumcentre.
    On a unit circumsphere the distances a < b to the two nearest items, at angles t_1 <= t_2, have
    the largest difference at ``cos((t_2 - t_1) / 2) / cos((t_1 + t_2) / 2)``; at most 10 is given,
    and 1 for a gallery of one item.
    """
    if len(gallery) < 2:
        return torch.ones_like(rays[:, :1])
    step = max(1, 2**23 // len(gallery))
    tops = [
        -cost(rows, gallery, "cosine").nan_to_num().topk(2, dim=1, largest=False).values
        for rows in torch.split(rays, step)
    ]
    angles = torch.cat(tops).clamp(-1, 1).acos()
    half, difference = angles.sum(dim=1) / 2, (angles[:, 1] - angles[:, 0]) / 2
    top = difference.cos()
    ratio: Tensor = top / torch.maximum(half.cos(), top / _LARGEST_AUTO_RADIUS)
    return ratio[:, None]


def _is_round(sphere: Sphere) -> bool:
    return sphere.spread <= _TOLERATED * sphere.radius**2


def _require_sphere(sphere: Sphere) -> None:
    if not _is_round(sphere):
        raise ValueError(
            "gallery: scaling needs a circumcentre, and these rows lie on no sphere: their squared "
            f"distances from the best center differ by {sphere.spread:.2g}, more than "
            f"{_TOLERATED:g} of {sphere.radius**2:.2g}; normalise the rows first"
        )


def _cholesky(covariance: Any, dim: int) -> Tensor:
    """The lower Cholesky factor (d, d) of `covariance`, which must be one."""
    matrix = work(as_matrix("covariance", covariance))
    if tuple(matrix.shape) != (dim, dim):
        raise ValueError(f"covariance: expected shape ({dim}, {dim}), got {tuple(matrix.shape)}")
    largest = float(matrix.abs().max())
    skew = float((matrix - matrix.mT).abs().max())
    if skew > 1e-6 * largest:
        raise ValueError(f"covariance: expected a symmetric matrix, entries differ by {skew:.3g}")
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex((matrix + matrix.mT) / 2)
    if bool(failed):
        raise ValueError(
            "covariance: expected a positive definite matrix; shrink the estimate, as "
            "covariance_between does"
        )
    return factor
