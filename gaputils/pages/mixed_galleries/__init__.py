"""What the page on mixed galleries computes: mixtures, ways of ranking them, and their terms."""

from gaputils.pages.mixed_galleries.comparison import (
    each_scene,
    nearer_than_own,
    over,
    readable,
    summary,
    unchanged,
)
from gaputils.pages.mixed_galleries.mixture import Mixture, emoji, paired, tuples
from gaputils.pages.mixed_galleries.terms import TERMS, terms
from gaputils.pages.mixed_galleries.ways import OURS, WAYS

__all__ = [
    "OURS",
    "TERMS",
    "WAYS",
    "Mixture",
    "each_scene",
    "emoji",
    "nearer_than_own",
    "over",
    "paired",
    "readable",
    "summary",
    "terms",
    "tuples",
    "unchanged",
]
