"""The paper's algorithm: shift the gallery by the gap's part orthogonal to its hull."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from gaputils._checks import number, work
from gaputils.closing.base import Closing
from gaputils.geometry.hull import (
    check_n_components,
    count_components,
    principal_components,
    project,
)
from gaputils.scoring import agreement

if TYPE_CHECKING:
    from gaputils.geometry.streaming import GapStatistics


class MeanShift(Closing):
    """Shift every gallery embedding by ``alpha g'`` towards the queries.

    Chowers et al. 2026, section 4, Eq. 11: ``g`` is the mean of the queries minus the mean of the
    gallery, ``V`` the gallery's principal components, ``g' = g - V V^T g``. ``alpha=0`` leaves
    all as it is and ``alpha=1`` closes the gap (the paper's ``-1``). The queries stay. Rank by
    Euclidean distance; renormalising afterwards voids the guarantee.

    `n_components`: None for the gallery's whole hull, an int, a float for the least number that
    keeps that share of variance, or ``"auto"`` for the fewest components that leave at least the
    share `agreement` of the fitted queries with their nearest item.

    Guarantees (Theorem 3.5): with the whole hull every query keeps its ranking exactly. A gallery
    whose hull fills the space leaves ``g' = 0`` and nothing moves.

    Learns `gap_` (d,), `shift_` (d,) at ``alpha=1``, and `n_components_`.
    """

    def __init__(
        self,
        n_components: int | float | str | None = None,
        alpha: float = 1.0,
        agreement: float = 0.99,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.agreement = agreement

    @property
    def preserves_ranking(self) -> bool:
        return self.n_components is None

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        check_n_components(self.n_components, ("auto",))
        number("alpha", self.alpha)
        components, variances = principal_components(gallery)
        self.gap_ = work(queries).mean(dim=0) - work(gallery).mean(dim=0)
        if isinstance(self.n_components, str):
            self._fit_fewest(queries, gallery, components)
        else:
            self._keep(components[: count_components(self.n_components, variances)])

    def _keep(self, components: Tensor) -> None:
        self.n_components_ = len(components)
        self.shift_ = self.gap_ - project(self.gap_, components)

    def _fit_fewest(self, queries: Tensor, gallery: Tensor, components: Tensor) -> None:
        """Bisect the number of components on the share of unchanged nearest items."""
        level = number("agreement", self.agreement, low=0, high=1)
        wide, base = work(queries), work(gallery)

        def enough(kept: int) -> bool:
            self._keep(components[:kept])
            return agreement(wide, base, wide, base + self.shift_) >= level

        low, high = 0, len(components)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle + 1, high)
        self._keep(components[:low])

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        shift: Any = number("alpha", self.alpha) * self.shift_.to(gallery)
        return queries, gallery + shift


def fit_mean_shift(
    statistics: GapStatistics, n_components: int | float | None = None, alpha: float = 1.0
) -> MeanShift:
    """The `MeanShift` that fitting on all rows at once would give, from their statistics alone.

    `n_components` and `alpha` as there; the states of all processes are merged first. Raises
    `ValueError` if a side has no rows and for `n_components="auto"`, which needs the rows.
    """
    if isinstance(n_components, str):
        raise ValueError(f"n_components: {n_components!r} needs the rows, not their statistics")
    with statistics.sync_context():
        queries, gallery = statistics.moments("queries"), statistics.moments("gallery")
    shift = MeanShift(n_components=n_components, alpha=alpha)
    check_n_components(n_components)
    kept = count_components(n_components, gallery.variances[: gallery.rank])
    components = gallery.hull[:, :kept].T
    shift.dim_ = statistics.dim
    shift.n_components_ = kept
    shift.gap_ = queries.mean - gallery.mean
    shift.shift_ = shift.gap_ - project(shift.gap_, components)
    return shift
