"""Figures that only one page draws."""

from gaputils._extras import require_extra

require_extra("plots", "drawing a figure")
