"""The exact engine beside quadrature and Monte Carlo, and its bounds: what the page computes."""

from gaputils.noise._wins import FEW_ITEMS
from gaputils.pages.exact_robustness.bounds import falling, radii, sandwiches
from gaputils.pages.exact_robustness.cost import (
    cost_of_distances,
    cost_of_exactness,
    monte_carlo_errors,
    node_counts,
    sampled_distances,
    seconds_of_exact,
)
from gaputils.pages.exact_robustness.grid import POINTS, errors_and_times, errors_on_a_grid

__all__ = [
    "FEW_ITEMS",
    "POINTS",
    "cost_of_distances",
    "cost_of_exactness",
    "errors_and_times",
    "errors_on_a_grid",
    "falling",
    "monte_carlo_errors",
    "node_counts",
    "radii",
    "sampled_distances",
    "sandwiches",
    "seconds_of_exact",
]
