"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils.plots.curves import robustness_curves
from gaputils.plots.geometry import (
    clouds,
    clouds_grid,
    measure_heatmap,
    relative_gaps,
    variance_shares,
)
from gaputils.plots.theme import COLOR, DIVERGING, SEQUENTIAL, WIDTH, set_theme

__all__ = [
    "COLOR",
    "DIVERGING",
    "SEQUENTIAL",
    "WIDTH",
    "clouds",
    "clouds_grid",
    "measure_heatmap",
    "relative_gaps",
    "robustness_curves",
    "set_theme",
    "variance_shares",
]
