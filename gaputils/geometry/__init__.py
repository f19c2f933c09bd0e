"""The gap vector and every measure of the modality gap, each a small pure function."""

from gaputils.geometry.catalogue import MEASURES, Measure, describe_measures
from gaputils.geometry.clouds import (
    double_stochastic_deviation,
    gap_separability,
    intrinsic_dimension,
    linear_separability,
    uniformity,
    wasserstein,
)
from gaputils.geometry.measure import measure_gap
from gaputils.geometry.moments import (
    Moments,
    effective_rank,
    gap_vector,
    hull_angle,
    moment_measures,
    random_shares,
    variance_share,
)
from gaputils.geometry.pairs import (
    alignment,
    l2i,
    matched_cosine,
    neighborhood_kendall,
    rmg_few_dims,
    rmg_schrodi,
    unmatched_cosine,
)
from gaputils.geometry.projection import principal_coordinates

__all__ = [
    "MEASURES",
    "Measure",
    "Moments",
    "alignment",
    "describe_measures",
    "double_stochastic_deviation",
    "effective_rank",
    "gap_separability",
    "gap_vector",
    "hull_angle",
    "intrinsic_dimension",
    "l2i",
    "linear_separability",
    "matched_cosine",
    "measure_gap",
    "moment_measures",
    "neighborhood_kendall",
    "principal_coordinates",
    "random_shares",
    "rmg_few_dims",
    "rmg_schrodi",
    "uniformity",
    "unmatched_cosine",
    "variance_share",
    "wasserstein",
]
