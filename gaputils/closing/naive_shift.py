"""The naive shift: one side, or both, along the gap vector, whatever it does to the ranking."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from gaputils._checks import choice, flag, number, work
from gaputils._steps import Steps
from gaputils.closing.base import Closing

_SHARES = {"gallery": (0.0, 1.0), "queries": (-1.0, 0.0), "both": (-0.5, 0.5)}


class NaiveShift(Closing):
    """Move a side by ``alpha g``, ``g`` the mean of the queries minus the mean of the gallery.

    Liang et al. 2022, section 4.2, move images and texts towards each other and put them back on
    the sphere: ``side="both"``, ``renormalize=True``, each side by half of ``alpha g``. Chowers
    et al. 2026, Fig. 2, move the texts, the searched side: ``side="gallery"``. ``alpha=0``
    changes nothing, ``alpha=1`` makes the means equal before renormalising.

    Guarantees nothing: the part of ``g`` that lies in the gallery's hull favours the items on its
    side, and renormalising moves every item by another amount. Learns `gap_` (d,).

    `fit` raises `ValueError` for an unknown `side`, an `alpha` that is not finite, or sides of
    unlike dimension.

    >>> import numpy as np, gaputils as gu
    >>> queries, gallery = np.array([[0.2, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> gu.NaiveShift(alpha=0.5).fit(queries, gallery).transform_gallery(gallery)
    array([[-0.15,  0.5 ],
           [ 0.85,  0.5 ]])
    """

    called = "naive shift"
    variants: ClassVar = {"renormalised": {"side": "both", "renormalize": True}}

    def __init__(
        self, alpha: float = 1.0, side: str = "gallery", renormalize: bool = False
    ) -> None:
        self.alpha = alpha
        self.side = side
        self.renormalize = renormalize

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        number("alpha", self.alpha)
        choice("side", self.side, tuple(_SHARES))
        flag("renormalize", self.renormalize)
        self.gap_ = work(queries).mean(dim=0) - work(gallery).mean(dim=0)

    def _query_steps(self) -> Steps:
        return self._steps(0)

    def _gallery_steps(self) -> Steps:
        return self._steps(1)

    def _steps(self, side: int) -> Steps:
        share = _SHARES[choice("side", self.side, tuple(_SHARES))][side]
        step: tuple[Any, ...] = ("shift", "gap_", share * number("alpha", self.alpha))
        return [step, ("lengthen", 1.0)] if flag("renormalize", self.renormalize) else [step]
