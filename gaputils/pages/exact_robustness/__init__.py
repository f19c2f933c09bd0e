"""The exact engine beside quadrature and Monte Carlo, and its bounds: what the page computes."""

from gaputils.pages.exact_robustness.bounds import sandwiches
from gaputils.pages.exact_robustness.cost import (
    cost_of_exactness,
    monte_carlo_errors,
    node_counts,
    sampled_distances,
)
from gaputils.pages.exact_robustness.grid import errors_on_a_grid

__all__ = [
    "cost_of_exactness",
    "errors_on_a_grid",
    "monte_carlo_errors",
    "node_counts",
    "sampled_distances",
    "sandwiches",
]
