"""Other words for the same gallery: do the answers stay, and do they stay right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from torch import Tensor

from gaputils._checks import integer
from gaputils.closing.base import Closing
from gaputils.closing.catalogue import Closings, fit_all, moved
from gaputils.embeddings import Embeddings
from gaputils.scoring import SCORINGS, nearest


def rephrase(
    queries: Tensor,
    galleries: Tensor,
    targets: Tensor,
    closings: Closings,
    *,
    base: int = 0,
    refit: bool = False,
    scorings: Sequence[str] = SCORINGS,
    calibration: Embeddings | None = None,
) -> pd.DataFrame:
    """Unchanged answers and accuracy of each closing under every phrasing of the gallery.

    `queries` (n, d), `galleries` (t, m, d) the same m items in t phrasings, `targets` (n,). A
    closing is fitted on phrasing `base` and moves the queries once; the other phrasings go through
    the fitted closing as they come. With `refit` it is fitted anew on each phrasing and moves the
    queries each time. Closings that need a `calibration` (`catalogue.fit`) take its queries and
    targets with the phrasing that is fitted.

    Columns: `closing`, `scoring`, `template` (row of `galleries`), `unchanged` (share of queries
    answered as under `base` with the same closing), `accuracy`. `base` itself is left out.
    """
    integer("base", base, low=0)
    rows = []
    others = [template for template in range(len(galleries)) if template != base]
    for name, closing in closings.items():
        first = _Moved(closing, Embeddings(queries, galleries[base], targets), calibration)
        before = {scoring: first.nearest(first.gallery, scoring) for scoring in scorings}
        for template in others:
            gallery, current = galleries[template], first
            if refit:
                current = _Moved(closing, Embeddings(queries, gallery, targets), calibration)
            options = current.gallery if refit else first.of(gallery)
            for scoring in scorings:
                after = current.nearest(options, scoring)
                rows.append(
                    {
                        "closing": name,
                        "scoring": scoring,
                        "template": template,
                        "unchanged": float((before[scoring] == after).double().mean()),
                        "accuracy": float((after == targets).double().mean()),
                    }
                )
    return pd.DataFrame(rows)


class _Moved:
    """A fitted closing, the queries it moved, and a way for other galleries to follow."""

    def __init__(
        self, closing: Closing | None, embeddings: Embeddings, calibration: Embeddings | None
    ) -> None:
        if calibration is not None:
            calibration = replace(calibration, gallery=embeddings.gallery)
        self.closing = fit_all({"": closing}, embeddings, calibration)[""]
        self.raw = embeddings.queries
        self.queries, self.gallery = moved(self.closing, self.raw, embeddings.gallery)

    def nearest(self, gallery: Tensor, scoring: str) -> Tensor:
        return nearest(self.queries, gallery, scoring)

    def of(self, gallery: Tensor) -> Tensor:
        """Another gallery of the same items after the fitted closing."""
        return moved(self.closing, self.raw[:1], gallery)[1]
