"""The four terms of a score between two kinds, and what each of them does to the order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import torch

from gaputils.pages.mixed_galleries.mixture import Mixture, Scores
from gaputils.pages.mixed_galleries.ways import Way, off_diagonal


def terms(mixture: Mixture) -> pd.DataFrame:
    """The four terms of the score, a row a kind.

    With deviations ``q' = q - mu_q`` and ``x' = x - mu_k`` the score of any pair is
    ``mu_q.mu_k + q'.mu_k + mu_q.x' + q'.x'``. The first is a number; of the other three, whose
    means vanish, the standard deviation over all pairs. `rebuilt` is the greatest difference of
    their sum to the score; `deviation` is the score's own, whose square is the sum of the three
    squares.
    """
    asked = mixture.queries.mean(dim=0)
    about = mixture.queries - asked
    rows = {}
    for kind, items in mixture.galleries.items():
        own = items.mean(dim=0)
        parts = (about @ own)[:, None], ((items - own) @ asked)[None, :], about @ (items - own).mT
        score = mixture.queries @ items.mT
        rows[kind] = {
            "both means": float(asked @ own),
            "the query's with the kind": float(parts[0].std(correction=0)),
            "the item's handicap": float(parts[1].std(correction=0)),
            "the match": float(parts[2].std(correction=0)),
            "deviation": float(score.std(correction=0)),
            "rebuilt": float((asked @ own + sum(parts) - score).abs().max()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")


def some_terms(names: Sequence[str], scaled: bool, fitted: Mixture, searched: Mixture) -> Scores:
    """Scores of which only the terms `names` are left: "kind" (two), "handicap" and "match".

    The scale is that of the fitted matches of all pairs but row i with row i, as in `MixedGallery`.
    """
    asked = fitted.queries.mean(dim=0)
    about = searched.queries - asked
    found = {}
    for kind, items in searched.galleries.items():
        own = fitted.galleries[kind].mean(dim=0)
        parts = {
            "kind": (searched.queries @ own)[:, None],
            "handicap": ((items - own) @ asked)[None, :],
            "match": about @ (items - own).mT,
        }
        spread = (fitted.queries - asked) @ (fitted.galleries[kind] - own).mT
        spread = off_diagonal(spread) if len(spread) == spread.shape[1] else spread
        kept = sum(parts[name] for name in names) / (spread.std() if scaled else 1)
        found[kind] = torch.as_tensor(kept).expand(len(about), len(items))
    return found


TERMS: dict[str, Way] = {
    "all four terms": partial(some_terms, ["kind", "handicap", "match"], False),
    "without the kind's two": partial(some_terms, ["handicap", "match"], False),
    "without the handicap": partial(some_terms, ["kind", "match"], False),
    "the match alone": partial(some_terms, ["match"], False),
    "the match, scaled": partial(some_terms, ["match"], True),
}
