"""What scores mean: cut-offs, probabilities, averages, and whose mean is taken away."""

from gaputils.pages.scores.cosines import (
    CENTRED,
    CLOSED,
    SCORES,
    STANDARD,
    UNTOUCHED,
    cosines,
    flat_cutoffs,
    over_models,
    pair_cosines,
    samples,
    score_all,
    separation,
)
from gaputils.pages.scores.labels import draw_labels, none_fits, probabilities, siglip
from gaputils.pages.scores.means import (
    how_many_rows,
    right_both_ways,
    rows_that_pay,
    text_domains,
    topics,
    whose_mean,
)
from gaputils.pages.scores.mixing import (
    concatenated,
    emoji_by_alias,
    fused,
    norms,
    swapped,
    third_kind,
)

__all__ = [
    "CENTRED",
    "CLOSED",
    "SCORES",
    "STANDARD",
    "UNTOUCHED",
    "concatenated",
    "cosines",
    "draw_labels",
    "emoji_by_alias",
    "flat_cutoffs",
    "fused",
    "how_many_rows",
    "none_fits",
    "norms",
    "over_models",
    "pair_cosines",
    "probabilities",
    "right_both_ways",
    "rows_that_pay",
    "samples",
    "score_all",
    "separation",
    "siglip",
    "swapped",
    "text_domains",
    "third_kind",
    "topics",
    "whose_mean",
]
