"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils.plots.clouds import clouds
from gaputils.plots.curves import robustness_curves
from gaputils.plots.report import benefits
from gaputils.plots.theme import (
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
