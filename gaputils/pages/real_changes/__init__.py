"""Galleries that really change: other builds of the encoder, other pixels, other words."""

from gaputils.pages.real_changes.embedded import (
    INT8,
    asked,
    emoji,
    flipped,
    named,
    of_builds,
    of_pixels,
    reworded,
    stored,
    templates,
)
from gaputils.pages.real_changes.sentences import Found, by_steadiness, claims, numbers
from gaputils.pages.real_changes.shape import published_change, shapes
from gaputils.pages.real_changes.survive import single_sizes, sizes, steadiness, survive
from gaputils.pages.real_changes.tables import (
    change_table,
    isotropic,
    oblique_table,
    obliquely,
    of_closing,
    rephrase_table,
    shape_table,
)

__all__ = [
    "INT8",
    "Found",
    "asked",
    "by_steadiness",
    "change_table",
    "claims",
    "emoji",
    "flipped",
    "isotropic",
    "named",
    "numbers",
    "oblique_table",
    "obliquely",
    "of_builds",
    "of_closing",
    "of_pixels",
    "published_change",
    "rephrase_table",
    "reworded",
    "shape_table",
    "shapes",
    "single_sizes",
    "sizes",
    "steadiness",
    "stored",
    "survive",
    "templates",
]
