"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils._extras import require_extra

require_extra("plots", "drawing a figure")

from gaputils.plots.clouds import clouds  # noqa: E402
from gaputils.plots.curves import robustness_curves  # noqa: E402
from gaputils.plots.report import benefits  # noqa: E402
from gaputils.plots.theme import (  # noqa: E402
    COLOR,
    DIVERGING,
    SEQUENTIAL,
    WIDTH,
    legend_above,
    set_theme,
    stacked,
)

__all__ = [
    "COLOR",
    "DIVERGING",
    "SEQUENTIAL",
    "WIDTH",
    "benefits",
    "clouds",
    "legend_above",
    "robustness_curves",
    "set_theme",
    "stacked",
]
