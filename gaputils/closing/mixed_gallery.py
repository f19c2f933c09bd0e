"""Several kinds of items in one gallery: an offset and a scale a kind, so that they can compete."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import as_pair, flag, labelled, work
from gaputils.closing.base import Closing, as_given

_ROWS_AT_ONCE = 2**15
_FACTOR_BITS = 8
_OFFSET_STEP = 2.0**-10


class MixedGallery(Closing):
    """Bring items of several kinds (images, texts, sounds) into one order for one kind of query.

    With means ``mu`` and deviations ``q' = q - mu_q`` and ``x' = x - mu_k``, the score of a query
    and an item of kind ``k`` is ``q.x = mu_q.mu_k + q'.mu_k + mu_q.x' + q'.x'``. The first two
    terms are the same for all items of a kind, the query's mean score in it: they put one kind
    ahead of another and rank nothing within it. The third is a handicap of the single item, the
    last the match.

    `center` takes each mean away and puts the rows back at norm one (GR-CLIP, Li et al. 2025),
    which leaves the match alone. Then each kind's scores get mean 0 and standard deviation 1, as
    measured on all pairs of a sample: nothing says which pairs match, and few of all can. Both are
    folded into the rows: an item becomes ``(factor x, offset)`` and a query ``(q, 1)``, so one
    index that ranks by inner product gives ``(q.x - mean) / deviation``. With `equal_norms` an
    item gets one more coordinate and a query a zero, such that all items have one norm and an
    index that only knows cosine ranks alike.

    Guarantees, with ``center=False``: no query's ranking by inner product changes within a kind,
    since the score becomes a positive factor times itself plus a constant. In floats: the factor
    has 8 significant bits and the offset 10 binary places, so no stored number is rounded where
    rows lie on a grid (int8 codes in single precision, say), and ties stay ties if the index's
    sums are exact, as those of int8 codes are in double precision; otherwise items can change
    places only if their scores are as close as the index's own rounding of an inner product.
    Centring changes some rankings, on purpose.

    Learns `kinds_` (names in their order), `query_mean_` (d,), `means_` (kinds, d) (zero without
    `center`), `factors_` and `offsets_` (kinds,), and `radius_`, the norm that `equal_norms` uses.
    An index serves the kind of query it was fitted for.

    >>> import numpy as np, gaputils as gu
    >>> rng = np.random.default_rng(0)
    >>> queries, texts = rng.normal(size=(50, 8)) + 1, rng.normal(size=(40, 8)) + 1
    >>> images = rng.normal(size=(30, 8)) - 1
    >>> mixed = gu.MixedGallery().fit(queries, {"image": images, "text": texts})
    >>> q, rows = mixed.transform(queries, {"image": images, "text": texts})
    >>> q.shape, rows["image"].shape, rows["text"].shape
    ((50, 9), (30, 9), (40, 9))
    >>> bool((q @ rows["image"].T).std().round(1) == 1.0)
    True
    """

    def __init__(self, center: bool = True, equal_norms: bool = False) -> None:
        self.center = center
        self.equal_norms = equal_norms

    def fit(self, queries: Any, galleries: Any) -> Self:
        """Learn from `queries` (n, d) and `galleries`, a mapping from kind to (m_k, d) rows.

        The rows are a sample like those that will be searched; nothing says which belong together.
        Where a kind has n rows, row i is not scored with query i, which may be its match or the
        row itself. Memory and time grow with (n + sum of m_k) d and d², not with the pairs.
        Raises `TypeError` or `ValueError` naming the argument, also if all scores of a kind are
        alike.
        """
        flag("center", self.center)
        flag("equal_norms", self.equal_norms)
        given = _as_kinds(galleries)
        pairs = {
            kind: as_pair(queries, rows, ("queries", _name(kind))) for kind, rows in given.items()
        }
        asked = work(next(iter(pairs.values()))[0])
        items = {kind: work(rows) for kind, (_, rows) in pairs.items()}
        if self.center:
            for name, rows in [("queries", asked), *((_name(kind), items[kind]) for kind in items)]:
                _require_spread(name, rows)
        zero = torch.zeros_like(asked[0])
        self.dim_ = asked.shape[1]
        self.kinds_ = list(items)
        self.query_mean_ = asked.mean(dim=0) if self.center else zero
        self.means_ = torch.stack(
            [rows.mean(dim=0) if self.center else zero for rows in items.values()]
        )
        moved = self._about(asked, self.query_mean_)
        factors, offsets, longest = [], [], 0.0
        for (kind, rows), own in zip(items.items(), self.means_, strict=True):
            rows = self._about(rows, own)
            factor, offset = _standardization(moved, rows, kind)
            factors.append(factor)
            offsets.append(offset)
            norm = 1.0 if self.center else float(rows.square().sum(dim=1).max().sqrt())
            longest = max(longest, math.hypot(factor * norm, offset))
        self.factors_ = torch.tensor(factors, dtype=asked.dtype)
        self.offsets_ = torch.tensor(offsets, dtype=asked.dtype)
        self.radius_ = longest
        return self

    def transform(self, queries: Any, galleries: Any) -> Any:
        """`transform_queries` and `transform_gallery`: a pair of both, every fitted kind in it."""
        check_is_fitted(self, "dim_")
        missing = [kind for kind in self.kinds_ if kind not in _as_kinds(galleries)]
        if missing:
            raise ValueError(
                f"galleries: expected every kind that was fitted, {_listed(self.kinds_)}, "
                f"got none of {_listed(missing)}; transform_gallery takes some alone"
            )
        return self.transform_queries(queries), self.transform_gallery(galleries)

    def transform_queries(self, queries: Any) -> Any:
        """(n, d + 1) rows to search with; (n, d + 2) with `equal_norms`.

        An array gives an array and a tensor a tensor, of the floating type and on the device they
        came. Raises `NotFittedError` before `fit` and `ValueError` on another dimension.
        """
        check_is_fitted(self, "dim_")
        rows = self._checked("queries", queries)
        moved = self._about(work(rows), self.query_mean_.to(rows.device))
        added = moved.new_tensor([[1.0, 0.0] if self.equal_norms else [1.0]])
        lifted = torch.cat([moved, added.expand(len(moved), -1)], dim=1)
        return as_given("queries", lifted, rows, queries)

    def transform_gallery(self, galleries: Any) -> Any:
        """The rows of each kind in `galleries` as they are stored; kinds may be left out.

        `galleries` maps kinds to (m_k, d) rows; returns the same kinds with (m_k, d + 1) rows,
        (m_k, d + 2) with `equal_norms`, as `transform_queries` does. Raises `ValueError` for a
        kind that was not fitted and, with `equal_norms` but without `center`, for rows longer
        than any that were fitted.
        """
        check_is_fitted(self, "dim_")
        given = _as_kinds(galleries)
        unknown = [kind for kind in given if kind not in self.kinds_]
        if unknown:
            raise ValueError(
                f"galleries: expected kinds that were fitted, {_listed(self.kinds_)}, "
                f"got {_listed(unknown)}"
            )
        return {kind: self._lifted(kind, values) for kind, values in given.items()}

    def _query_steps(self) -> tuple[tuple[Any, ...], ...]:
        """What `transform_queries` does, as named steps that a saved file can hold."""
        about = (("shift", "query_mean_", -1.0), ("lengthen", 1.0)) if self.center else ()
        return (*about, ("append", [1.0, 0.0] if self.equal_norms else [1.0]))

    def _gallery_steps(self) -> None:
        """None: each kind moves by steps of its own."""

    def _try_on(self, rows: Tensor) -> None:
        if not len(self.kinds_) == len(self.means_) == len(self.factors_) == len(self.offsets_):
            raise ValueError("it holds other numbers of kinds, means, factors and offsets")
        nothing = torch.zeros_like(rows)  # no row is shorter, so `equal_norms` takes it
        self.transform(nothing, dict.fromkeys(self.kinds_, nothing))

    def _lifted(self, kind: str, values: Any) -> Any:
        rows = self._checked(_name(kind), values)
        place = self.kinds_.index(kind)
        mean = self.means_[place].to(rows.device)
        factor, offset = float(self.factors_[place]), float(self.offsets_[place])
        lifted = rows.new_empty(len(rows), self.dim_ + (2 if self.equal_norms else 1))
        parts = zip(
            torch.split(rows, _ROWS_AT_ONCE), torch.split(lifted, _ROWS_AT_ONCE), strict=True
        )
        for part, into in parts:
            moved = self._about(work(part), mean) * factor
            into[:, : self.dim_] = moved
            into[:, self.dim_] = offset
            if self.equal_norms:
                room = self.radius_**2 - offset**2 - moved.square().sum(dim=1)
                if float(room.min()) < -1e-6 * self.radius_**2:
                    most = math.sqrt(self.radius_**2 - offset**2) / factor
                    longest = float(moved.square().sum(dim=1).max().sqrt()) / factor
                    raise ValueError(
                        f"{_name(kind)}: expected rows of norm at most {most:.6g}, for which "
                        f"equal norms were fitted, got {longest:.6g}"
                    )
                into[:, self.dim_ + 1] = room.clamp_min(0).sqrt()
        return as_given(_name(kind), lifted, rows, values)

    def _about(self, rows: Tensor, mean: Tensor) -> Tensor:
        """`rows` about `mean` at norm one, or as they are without `center`."""
        return normalize(rows - mean, dim=1) if self.center else rows


def _require_spread(name: str, rows: Tensor) -> None:
    """Raise `ValueError` if there is nothing but rounding about the mean of `rows`."""
    if not float((rows - rows.mean(dim=0)).square().sum()) > 1e-24 * float(rows.square().sum()):
        raise ValueError(
            f"{name}: expected rows that differ from one another, as their mean is taken away, "
            f"got {len(rows)} row(s) all alike"
        )


def _standardization(queries: Tensor, items: Tensor, kind: str) -> tuple[float, float]:
    """The factor and the offset that give the scores of all pairs mean 0 and deviation 1.

    The scores' variance is that of ``q'.mu_k``, of ``mu_q.x'`` and of ``q'.x'``, which are
    uncorrelated over all pairs; the last is the trace of the product of both covariances. Of as
    many items as queries, row i with row i is then left out.
    """
    pairs = len(queries) * len(items)
    asked, own = queries.mean(dim=0), items.mean(dim=0)
    mean = float(asked @ own)
    query_part, item_part = queries - asked, items - own
    variance = float(
        (query_part @ own).square().mean()
        + (item_part @ asked).square().mean()
        + ((query_part.mT @ query_part) * (item_part.mT @ item_part)).sum() / pairs
    )
    size = float(queries.square().sum(dim=1).mean() * items.square().sum(dim=1).mean())
    least = 1e-24 * size
    if len(queries) == len(items):
        least = max(least, 1e-12 * variance)  # rounding of what is taken away
        own_scores = (queries * items).sum(dim=1) - mean
        others = pairs - len(items)
        shift = -float(own_scores.sum()) / others if others else 0.0
        squares = pairs * variance - float(own_scores.square().sum())
        mean, variance = mean + shift, squares / others - shift**2 if others else 0.0
    if not variance > least:
        raise ValueError(
            f"{_name(kind)}: expected rows whose scores differ, all those of the "
            f"{len(items)} row(s) with the {len(queries)} queries are alike"
        )
    mantissa, exponent = math.frexp(1 / math.sqrt(variance))
    factor = math.ldexp(round(math.ldexp(mantissa, _FACTOR_BITS)), exponent - _FACTOR_BITS)
    return factor, -round(mean * factor / _OFFSET_STEP) * _OFFSET_STEP


def _as_kinds(galleries: Any) -> dict[str, Any]:
    kinds = labelled("galleries", galleries, "kind")
    strange = [kind for kind in kinds if not isinstance(kind, str)]
    if strange:
        raise TypeError(f"galleries: expected names of kinds as strings, got {strange[0]!r}")
    return kinds


def _name(kind: str) -> str:
    return f"galleries[{kind!r}]"


def _listed(kinds: list[str]) -> str:
    return ", ".join(repr(kind) for kind in kinds)
