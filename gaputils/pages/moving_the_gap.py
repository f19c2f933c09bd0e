"""Accuracy as the gap is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import torch

from gaputils.closing.base import Closing
from gaputils.closing.catalogue import close
from gaputils.embeddings import Embeddings
from gaputils.scoring import SCORINGS, nearest


def accuracy_curve(
    embeddings: Embeddings,
    make: Callable[[float], Closing],
    alphas: Sequence[float],
    scorings: Sequence[str] = SCORINGS,
) -> pd.DataFrame:
    """Noise-free accuracy of ``make(alpha)`` at each alpha.

    Columns: `alpha`, `scoring`, `gap` (distance of the two means), `accuracy` (missing without
    targets), `unchanged` (share of queries with the original's nearest item under that scoring).
    """
    before = {s: nearest(embeddings.queries, embeddings.gallery, s) for s in scorings}
    rows = []
    for alpha in alphas:
        moved = close(make(float(alpha)), embeddings)
        gap = float(torch.linalg.vector_norm(moved.queries.mean(dim=0) - moved.gallery.mean(dim=0)))
        for scoring in scorings:
            found = nearest(moved.queries, moved.gallery, scoring)
            row = {"alpha": float(alpha), "scoring": scoring, "gap": gap}
            if embeddings.answers is not None:
                row["accuracy"] = float(embeddings.right(found).double().mean())
            rows.append({**row, "unchanged": float((found == before[scoring]).double().mean())})
    return pd.DataFrame(rows)


def summarize_curve(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Accuracy at alpha 0 and 1 and the best alpha, for each combination of the columns `by`.

    `frame` as of `accuracy_curve` with the further columns; of equally good alphas the one
    nearest to 0 is named.
    """
    rows = {}
    for key, part in frame.groupby(list(by), sort=False):
        found = part.set_index("alpha")["accuracy"]
        best = found.index[found == found.max()].to_numpy()
        rows[key] = {
            "α = 0": float(found.loc[0.0]),
            "α = 1": float(found.loc[1.0]),
            "best α": float(best[abs(best).argmin()]),
        }
    keys = pd.DataFrame(list(rows), columns=list(by))
    return pd.concat([keys, pd.DataFrame(list(rows.values()))], axis=1).set_index(list(by))
