"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils._extras import require_extra

require_extra("plots", "drawing a figure")

from gaputils.plots.clouds import clouds  # noqa: E402
from gaputils.plots.curves import robustness_curves  # noqa: E402
from gaputils.plots.report import benefits  # noqa: E402
from gaputils.plots.theme import (  # noqa: E402
    CLOSING_COLOR,
    COLOR,
    DIVERGING,
    SEQUENTIAL,
    WIDTH,
    closing_color,
    legend_above,
    set_theme,
    stacked,
)

__all__ = [
    "CLOSING_COLOR",
    "COLOR",
    "DIVERGING",
    "SEQUENTIAL",
    "WIDTH",
    "benefits",
    "closing_color",
    "clouds",
    "legend_above",
    "robustness_curves",
    "set_theme",
    "stacked",
]
