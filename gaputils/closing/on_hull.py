"""What the closings share that keep the rankings of one fitted hull: its edge, and its growth."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gaputils._checks import work
from gaputils.closing.base import Array, Closing, G
from gaputils.geometry.hull import Hull, check_n_components, project


class ClosingDoesNothing(UserWarning):
    """What was fitted moves nothing: the gallery's hull fills the space."""


class RowsOffHull(UserWarning):
    """Rows of a gallery lie off the hull that was fitted, and their ranking is not kept."""


@contextmanager
def comparing() -> Iterator[None]:
    """No `ClosingDoesNothing` and `RowsOffHull` where closings are compared: the numbers tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClosingDoesNothing)
        warnings.simplefilter("ignore", RowsOffHull)
        yield


class OnHull(Closing, registered=False):
    """A closing that keeps every ranking of a gallery as long as its rows lie on the fitted hull.

    `off_hull` tells how far rows are from it, `transform` and `transform_gallery` warn
    (`RowsOffHull`) of rows that are farther than rounding, and `add` takes new rows in. Learns
    `mean_` (d,), a point of the hull, `components_` (r, d), `rank_` of the whole hull and
    `count_` of its rows.
    """

    n_components: int | float | str | None
    mean_: Tensor
    components_: Tensor
    rank_: int
    count_: int
    rounding_: float
    precision_: float

    @property
    def preserves_ranking(self) -> bool:
        """True if the whole hull was kept; before `fit`, if it will be."""
        if hasattr(self, "rank_"):
            return len(self.components_) == self.rank_
        return self.n_components is None

    def fit(self, queries: Any, gallery: Any) -> Self:
        """Learn from `queries` (n, d) and `gallery` (m, d); returns itself.

        Warns (`ClosingDoesNothing`) if nothing will move. Raises `TypeError` or `ValueError`
        naming the argument if a side is not a finite matrix, the dimensions differ, or a
        parameter is out of its range.
        """
        super().fit(queries, gallery)
        self.precision_ = _precision(gallery)
        return self

    def off_hull(self, gallery: Any) -> Any:
        """(m,) distance of each row of `gallery` (m, d) from the hull of the fitted rows.

        With fewer components than the whole hull, from the part of it that was kept. The ranking
        of a query among rows at distance 0 is the one before closing; a row at distance h may
        gain or lose on them as much as its offset h lets it. An array for an array.
        """
        check_is_fitted(self, "dim_")
        rows = self._checked("gallery", gallery)
        distances = self._distances(rows).to(rows.dtype)
        return distances if isinstance(gallery, Tensor) else distances.cpu().numpy()

    def add(self, gallery: Any) -> Array:
        """Extend the fitted hull by the rows of `gallery` (m, d), and say which rows change.

        Returns the places of the rows, in the order they were fitted and added before, whose
        stored vector is another now: all, which `transform_gallery` gives anew, or none. The new
        rows are to be stored by `transform_gallery` in any case, and queries moved anew. The
        result is that of fitting on all rows; the center of `HullProjection(center=True)` only if
        all rows lie on a sphere, as rows of one norm do: else it is where the first rows and the
        directions added since put it. Raises `ValueError` if fewer components than the whole hull
        were kept, since these depend on all rows.
        """
        check_is_fitted(self, "dim_")
        if not len(self.components_) == self.rank_:
            raise ValueError(
                f"gallery: {len(self.components_)} of the hull's {self.rank_} directions were "
                "kept, which depend on all rows; fit again on the whole gallery"
            )
        given = self._checked("gallery", gallery)
        rows = work(given).to(self.mean_)
        outside = rows - self.mean_
        outside = outside - project(outside, self.components_)
        outside = outside - project(outside, self.components_)
        _, values, directions = torch.linalg.svd(outside, full_matrices=False)
        fresh = directions[values > self._tolerance(given, given)]
        before = self.count_
        count = before + len(rows)
        mean = (before * self.mean_ + rows.sum(dim=0)) / count
        changed = self._extend(rows, fresh, mean)
        self.components_ = torch.cat([self.components_, fresh])
        self.mean_, self.count_, self.rank_ = mean, count, len(self.components_)
        self._refresh()
        return np.arange(before if changed else 0)

    def _learn_hull(self, hull: Hull, kept: int) -> None:
        self.count_, self.rank_ = hull.count, len(hull.components)
        self.mean_, self.components_ = hull.mean, hull.components[:kept].contiguous()
        self.rounding_ = hull.rounding

    @abstractmethod
    def _extend(self, rows: Tensor, fresh: Tensor, mean: Tensor) -> bool:
        """Take in `rows`, their new directions `fresh` (k, d) and the new `mean` of all rows.

        True if stored rows change.
        """

    def _refresh(self) -> None:
        """Derive anew what follows from the components."""

    def _warn_if_idle(self) -> None:
        if self.count_ > 1 and self.rank_ == self.dim_ == len(self.components_):
            warnings.warn(
                f"{type(self).__name__} moves nothing: the {self.count_} rows of the gallery span "
                f"all {self.dim_} dimensions, so nothing of the gap is orthogonal to their hull. "
                "Scale (HullProjection(radius=2)), or keep fewer n_components",
                ClosingDoesNothing,
                stacklevel=4,
            )

    def transform_gallery(self, gallery: G) -> G:
        """`gallery` (m, d) moved, without queries; warns (`RowsOffHull`) of rows off the hull.

        Raises `NotFittedError` before `fit` and `ValueError` on another dimension.
        """
        check_is_fitted(self, "dim_")
        self._warn_of_rows_off_hull(gallery)
        return super().transform_gallery(gallery)

    def _warn_of_rows_off_hull(self, gallery: Any) -> None:
        if not self.preserves_ranking or self.rank_ == self.dim_:
            return
        rows = self._checked("gallery", gallery)
        distances = self._distances(rows)
        far = int((distances > self._tolerance(rows, gallery)).sum())
        if far:
            warnings.warn(
                f"gallery: {far} of {len(distances)} rows lie off the hull that was fitted, the "
                f"farthest by {float(distances.max()):.3g}: their ranking is not kept. Call "
                "add(gallery), or fit again",
                RowsOffHull,
                stacklevel=3,
            )

    def _distances(self, rows: Tensor) -> Tensor:
        if len(self.components_) == self.dim_:
            return work(rows.new_zeros(len(rows)))
        mean, components = (t.to(rows.device) for t in (self.mean_, self.components_))
        parts = []
        for block in torch.split(rows, 2**14):
            offset = work(block) - mean
            parts.append(torch.linalg.vector_norm(offset - project(offset, components), dim=1))
        return torch.cat(parts)

    def _tolerance(self, rows: Tensor, given: Any) -> float:
        """The distance from the hull that rounding to the dtype of `given` can give its `rows`."""
        largest = float(torch.linalg.vector_norm(rows, dim=1).max())
        given_so = 4 * max(self.precision_, _precision(given))
        own: float = 64 * self.n_features_in_**0.5 * torch.finfo(self.mean_.dtype).eps
        return max(self.rounding_, max(given_so, own) * largest)


def check_from_statistics(statistics: Any, n_components: Any) -> None:
    """Raise unless `statistics` are `GapStatistics` and enough to choose `n_components` by."""
    from gaputils.geometry.streaming import GapStatistics

    if not isinstance(statistics, GapStatistics):
        raise TypeError(f"statistics: expected GapStatistics, got {type(statistics).__name__}")
    check_n_components(n_components)
    if isinstance(n_components, str):
        raise ValueError(f"n_components: {n_components!r} needs the rows, not their statistics")


def _precision(given: Any) -> float:
    """The relative rounding error of the numbers of an array or a tensor as it was given."""
    if isinstance(given, Tensor):
        return torch.finfo(given.dtype).eps if given.is_floating_point() else 0.0
    return float(np.finfo(given.dtype).eps) if given.dtype.kind == "f" else 0.0
