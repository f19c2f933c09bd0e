"""What answers survive: perturbations of a gallery, and the probability that a ranking keeps."""

from gaputils.noise.between import covariance_between, variance_between
from gaputils.noise.bounds import sandwich
from gaputils.noise.perturbations import (
    AlternativeGallery,
    BinaryQuantization,
    GaussianNoise,
    Noise,
    ScalarQuantization,
    UniformQuantization,
    equivalent_gaussian,
)
from gaputils.noise.robustness import (
    accuracy_under_noise,
    certified_radius,
    estimate,
    has_exact_answer,
    robustness,
)

__all__ = [
    "AlternativeGallery",
    "BinaryQuantization",
    "GaussianNoise",
    "Noise",
    "ScalarQuantization",
    "UniformQuantization",
    "accuracy_under_noise",
    "certified_radius",
    "covariance_between",
    "equivalent_gaussian",
    "estimate",
    "has_exact_answer",
    "robustness",
    "sandwich",
    "variance_between",
]
