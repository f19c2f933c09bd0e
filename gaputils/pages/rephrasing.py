"""Other words for the same gallery: do the answers stay, and do they stay right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from sklearn.base import clone
from torch import Tensor

from gaputils._checks import integer
from gaputils.closing.base import Closing
from gaputils.closing.catalogue import Methods, fit
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings
from gaputils.scoring import SCORINGS, nearest


def rephrase(
    queries: Tensor,
    galleries: Tensor,
    targets: Tensor,
    methods: Methods,
    *,
    base: int = 0,
    refit: bool = False,
    scorings: Sequence[str] = SCORINGS,
    calibration: Embeddings | None = None,
) -> pd.DataFrame:
    """Agreement and accuracy of each method under every phrasing of the gallery.

    `queries` (n, d), `galleries` (t, m, d) the same m items in t phrasings, `targets` (n,). A
    method is fitted on phrasing `base` and moves the queries once; the other phrasings go through
    the fitted method as they come. With `refit` it is fitted anew on each phrasing and moves the
    queries each time. Methods that need a `calibration` (`methods.fit`) take its queries and
    targets with the phrasing that is fitted.

    Columns: `method`, `scoring`, `template` (row of `galleries`), `agreement` (share of queries
    answered as under `base` with the same method), `accuracy`. `base` itself is left out.
    """
    integer("base", base, low=0)
    rows = []
    others = [template for template in range(len(galleries)) if template != base]
    for name, method in methods.items():
        first = _Moved(method, Embeddings(queries, galleries[base], targets), calibration)
        before = {scoring: first.nearest(first.gallery, scoring) for scoring in scorings}
        for template in others:
            gallery, current = galleries[template], first
            if refit:
                current = _Moved(method, Embeddings(queries, gallery, targets), calibration)
            moved = current.gallery if refit else first.of(gallery)
            for scoring in scorings:
                after = current.nearest(moved, scoring)
                rows.append(
                    {
                        "method": name,
                        "scoring": scoring,
                        "template": template,
                        "agreement": float((before[scoring] == after).double().mean()),
                        "accuracy": float((after == targets).double().mean()),
                    }
                )
    return pd.DataFrame(rows)


class _Moved:
    """A fitted method, the queries it moved, and a way for other galleries to follow."""

    def __init__(
        self, method: Closing | None, embeddings: Embeddings, calibration: Embeddings | None
    ) -> None:
        self.raw, self.method = embeddings.queries, method
        if method is not None:
            if calibration is not None:
                calibration = replace(calibration, gallery=embeddings.gallery)
            self.method = fit(clone(method), embeddings, calibration)
        self.queries, self.gallery = embeddings.queries, embeddings.gallery
        if self.method is not None:
            self.queries, self.gallery = self.method.transform(self.raw, self.gallery)

    def nearest(self, gallery: Tensor, scoring: str) -> Tensor:
        return nearest(self.queries, gallery, scoring)

    def of(self, gallery: Tensor) -> Tensor:
        """Another gallery of the same items after the fitted method."""
        if self.method is None:
            return gallery
        with comparing():
            return self.method.transform(self.raw[:1], gallery).gallery
