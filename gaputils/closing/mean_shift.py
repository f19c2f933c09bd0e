"""The paper's algorithm: shift the gallery by the gap's part orthogonal to its hull."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gaputils._checks import as_pair, integer, number, work
from gaputils._steps import Steps
from gaputils.closing.on_hull import OnHull, check_from_statistics
from gaputils.geometry.hull import (
    Hull,
    check_n_components,
    count_components,
    fewest_components,
    project,
)

if TYPE_CHECKING:
    from gaputils.geometry.streaming import GapStatistics


class MeanShift(OnHull):
    """Shift every gallery embedding by ``alpha g'`` towards the queries.

    Chowers et al. 2026, section 4, Eq. 11: ``g`` is the mean of the queries minus the mean of the
    gallery, ``V`` the gallery's principal components, ``g' = g - V V^T g``. ``alpha=0`` leaves
    all as it is and ``alpha=1`` closes the gap (the paper's ``-1``). The queries stay. Rank by
    Euclidean distance. Renormalising the shifted gallery keeps the rankings if its rows had one
    norm, since ``g'`` then lengthens all alike, and may change them otherwise.

    `n_components`: None for the gallery's whole hull, an int, a float for the least number that
    keeps that share of variance, or ``"auto"`` for the fewest components that leave at least the
    share `unchanged` of the fitted queries with their nearest item. The gallery is never split
    for it: each of its rows is an answer.

    Guarantees (Theorem 3.5): with the whole hull every query keeps its ranking of the fitted
    gallery, and of rows on its hull (`off_hull`, `add`). It does not guarantee that the mean
    robustness rises: queries differ in their part off the hull, and the shift moves the gallery
    away from those on the far side of the mean; `HullProjection` loses for none. A gallery whose
    hull fills the space leaves ``g' = 0``, nothing moves, and `fit` warns (`ClosingDoesNothing`).

    Learns `gap_` (d,), `shift_` (d,) at ``alpha=1``, `n_components_`, and what `OnHull` does.
    `fit` raises `ValueError` for an `n_components` that the gallery cannot have, an `alpha` that is
    not finite, an `unchanged` outside 0 to 1, or sides of unlike dimension.

    >>> import numpy as np
    >>> queries, gallery = np.array([[0.2, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> MeanShift().fit(queries, gallery).transform_gallery(gallery)
    array([[0., 1.],
           [1., 1.]])
    """

    called = "mean shift"

    def __init__(
        self,
        n_components: int | float | str | None = None,
        alpha: float = 1.0,
        unchanged: float = 0.99,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.unchanged = unchanged

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        check_n_components(self.n_components)
        number("alpha", self.alpha)
        hull, middle = Hull.of(gallery), work(queries).mean(dim=0)
        if isinstance(self.n_components, str):
            level = number("unchanged", self.unchanged, low=0, high=1)
            wide, base = work(queries), work(gallery)

            def moved(kept: int) -> tuple[Tensor, Tensor]:
                self._learn(hull, middle, kept)
                return wide, base + self.shift_

            kept = fewest_components(len(hull.components), wide, base, level, moved)
        else:
            kept = count_components(self.n_components, hull.variances)
        self._learn(hull, middle, kept)
        self._warn_if_idle()

    def _learn(self, hull: Hull, middle: Tensor, kept: int) -> None:
        self._learn_hull(hull, kept)
        self.n_components_ = kept
        self.gap_ = middle - hull.mean
        self.shift_ = self.gap_ - project(self.gap_, self.components_)

    def _extend(self, rows: Tensor, fresh: Tensor, mean: Tensor) -> bool:  # noqa: ARG002
        self.gap_ = self.gap_ + self.mean_ - mean
        gone = project(self.shift_, fresh)
        self.shift_ = self.shift_ - gone
        self.n_components_ += len(fresh)
        return bool(torch.linalg.vector_norm(gone) > self.rounding_) and self.alpha != 0

    def _gallery_steps(self) -> Steps:
        return [("shift", "shift_", number("alpha", self.alpha))]


def fit_mean_shift(
    statistics: GapStatistics, n_components: int | float | None = None, alpha: float = 1.0
) -> MeanShift:
    """The `MeanShift` that fitting on all rows at once would give, from their statistics alone.

    `n_components` and `alpha` as there; the states of all processes are merged first. Raises
    `TypeError` for anything but `GapStatistics` and a parameter of another kind, and `ValueError`
    if a side has no rows, for a parameter out of its range, and for `n_components="auto"`, which
    needs the rows.
    """
    check_from_statistics(statistics, n_components)
    number("alpha", alpha)
    with statistics.sync_context():
        queries, gallery = statistics.moments("queries"), statistics.moments("gallery")
    shift = MeanShift(n_components=n_components, alpha=alpha)
    shift.dim_, shift.precision_ = statistics.dim, gallery.epsilon
    hull = Hull.of_moments(gallery)
    shift._learn(hull, queries.mean, count_components(n_components, hull.variances))
    shift._warn_if_idle()
    return shift


def predicted_excess(queries: object, gallery: object, counts: int | Sequence[int]) -> Tensor:
    """Mean squared distance of a new query from the hull of `gallery` after a shift, (k,).

    The shift is fitted on each number of queries in `counts` (k), drawn like those of `queries`
    (n, d), whose parts ``h`` orthogonal to the hull have the covariance ``S`` and the mean
    ``g'``. With the mean ``ĝ`` of such parts of ``n`` queries, ``E|h - ĝ|^2 = tr S (1 + 1/n)``
    for any distribution; without a shift it is ``tr S + |g'|^2``, so that ``n`` queries are
    enough to do better as soon as ``n > tr S / |g'|^2``. (Our derivation.) In double precision.

    >>> import numpy as np
    >>> queries, gallery = np.array([[0.2, 1.0], [0.5, 3.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> predicted_excess(queries, gallery, [1, 2, 100])
    tensor([4.0000, 3.0000, 2.0200], dtype=torch.float64)
    """
    first, second = as_pair(queries, gallery, min_rows=1)
    if len(first) < 2:
        raise ValueError(f"queries: expected at least 2 rows for a covariance, got {len(first)}")
    listed = [counts] if isinstance(counts, int) else list(counts)
    drawn = torch.tensor([integer("counts", n, low=1) for n in listed], dtype=torch.float64)
    hull = Hull.of(second)
    offset = work(first) - hull.mean
    outside = offset - project(offset, hull.components)
    total = outside.var(dim=0, correction=1).sum().cpu()
    return total * (1 + 1 / drawn.to(total))
