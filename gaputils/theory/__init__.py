"""Theory of the gap: the loss, its gradient, its dynamics, and what distance does to robustness."""

from gaputils.theory import sigmoid
from gaputils.theory.dynamics import Trajectory, simulate
from gaputils.theory.experiments import (
    expansion_error,
    growth_along_gap,
    loss_over_gap,
    sweep,
)
from gaputils.theory.measures import gap_measures, training_measures
from gaputils.theory.objective import (
    assignment,
    contrastive_loss,
    gradient,
    gradients,
    received_mass,
)
from gaputils.theory.orthogonality import changed_by_shift, flat_gallery
from gaputils.theory.predictions import (
    StepFactors,
    constant_direction_gradient,
    predicted_variance_along_gap,
    step_factors,
    tight_cluster_gradient,
    tight_cluster_terms,
)
from gaputils.theory.shapes import paired_lines, shifted_pairs
from gaputils.theory.starts import two_clusters
from gaputils.theory.survival import survival, survival_slope

__all__ = [
    "StepFactors",
    "Trajectory",
    "assignment",
    "changed_by_shift",
    "constant_direction_gradient",
    "contrastive_loss",
    "expansion_error",
    "flat_gallery",
    "gap_measures",
    "gradient",
    "gradients",
    "growth_along_gap",
    "loss_over_gap",
    "paired_lines",
    "predicted_variance_along_gap",
    "received_mass",
    "shifted_pairs",
    "sigmoid",
    "simulate",
    "step_factors",
    "survival",
    "survival_slope",
    "sweep",
    "tight_cluster_gradient",
    "tight_cluster_terms",
    "training_measures",
    "two_clusters",
]
