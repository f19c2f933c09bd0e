"""Theory of the gap: the loss, its gradient, its dynamics, and what distance does to robustness."""

from gaputils.theory import sigmoid
from gaputils.theory.dynamics import Trajectory, simulate
from gaputils.theory.measures import gap_measures, training_measures
from gaputils.theory.objective import (
    assignment,
    contrastive_loss,
    gradient,
    gradients,
    received_mass,
)
from gaputils.theory.predictions import (
    StepFactors,
    constant_direction_gradient,
    predicted_variance_along_gap,
    step_factors,
    tight_cluster_gradient,
    tight_cluster_terms,
)
from gaputils.theory.starts import two_clusters
from gaputils.theory.survival import survival, survival_slope

__all__ = [
    "StepFactors",
    "Trajectory",
    "assignment",
    "constant_direction_gradient",
    "contrastive_loss",
    "gap_measures",
    "gradient",
    "gradients",
    "predicted_variance_along_gap",
    "received_mass",
    "sigmoid",
    "simulate",
    "step_factors",
    "survival",
    "survival_slope",
    "tight_cluster_gradient",
    "tight_cluster_terms",
    "training_measures",
    "two_clusters",
]
