"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils.plots.clouds import clouds
from gaputils.plots.curves import robustness_curves
from gaputils.plots.report import benefits
from gaputils.plots.theme import (
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
