"""What the page on mixed galleries computes: mixtures, ways of ranking them, and their terms."""

from gaputils.pages.mixed_galleries.comparison import (
    across,
    each_scene,
    nearer_than_own,
    over,
    readable,
    score_samples,
    side_by_side,
    standing,
    summaries,
    summary,
    unchanged,
)
from gaputils.pages.mixed_galleries.mixture import (
    Mixture,
    emoji,
    held_out,
    paired,
    triplets,
    triplets_where_available,
    tuples,
)
from gaputils.pages.mixed_galleries.terms import TERMS, terms
from gaputils.pages.mixed_galleries.ways import OURS, WAYS, in_another_order

__all__ = [
    "OURS",
    "TERMS",
    "WAYS",
    "Mixture",
    "across",
    "each_scene",
    "emoji",
    "held_out",
    "in_another_order",
    "nearer_than_own",
    "over",
    "paired",
    "readable",
    "score_samples",
    "side_by_side",
    "standing",
    "summaries",
    "summary",
    "terms",
    "triplets",
    "triplets_where_available",
    "tuples",
    "unchanged",
]
