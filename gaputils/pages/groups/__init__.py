"""Groups over both modalities, and what is learned on one and used on the other."""

from gaputils.pages.groups.answers import claims, distance_table, numbers, table
from gaputils.pages.groups.measures import (
    BASELINE,
    UNTOUCHED,
    WAYS,
    clusters,
    distances,
    group_means,
    measured,
    move,
    over_gap,
    probe,
    purity,
    summary,
    text_only,
    unmoved,
)
from gaputils.pages.groups.tasks import (
    KINDS,
    Labelled,
    emoji_classes,
    emoji_kinds,
    kind_of,
    pairs_by,
)

__all__ = [
    "BASELINE",
    "KINDS",
    "UNTOUCHED",
    "WAYS",
    "Labelled",
    "claims",
    "clusters",
    "distance_table",
    "distances",
    "emoji_classes",
    "emoji_kinds",
    "group_means",
    "kind_of",
    "measured",
    "move",
    "numbers",
    "over_gap",
    "pairs_by",
    "probe",
    "purity",
    "summary",
    "table",
    "text_only",
    "unmoved",
]
