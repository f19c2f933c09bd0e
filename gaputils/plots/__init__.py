"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils.plots.curves import robustness_curves
from gaputils.plots.geometry import (
    clouds,
    clouds_grid,
    measure_heatmap,
    relative_gaps,
    variance_shares,
)
from gaputils.plots.report import (
    benefits,
    benefits_by_size,
    by_temperature,
    gap_and_robustness,
)
from gaputils.plots.story import survival_bars, two_clouds
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
    "benefits_by_size",
    "by_temperature",
    "clouds",
    "clouds_grid",
    "gap_and_robustness",
    "legend_above",
    "measure_heatmap",
    "relative_gaps",
    "robustness_curves",
    "set_theme",
    "stacked",
    "survival_bars",
    "two_clouds",
    "variance_shares",
]
