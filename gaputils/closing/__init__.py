"""Ways of closing the gap after training: `fit(queries, gallery)`, then `transform`."""

from gaputils.closing.ablation import DimensionAblation
from gaputils.closing.base import Closing, load
from gaputils.closing.centering import GRCLIP, Centering
from gaputils.closing.hull_projection import HullProjection
from gaputils.closing.mean_shift import MeanShift
from gaputils.closing.mixed_gallery import MixedGallery
from gaputils.closing.naive_shift import NaiveShift
from gaputils.closing.nnn import NearestNeighborNormalization
from gaputils.closing.procrustes import Procrustes
from gaputils.closing.realign import ReAlign
from gaputils.closing.standardizing import Standardizing
from gaputils.closing.whitening import Coral, Whitening

__all__ = [
    "GRCLIP",
    "Centering",
    "Closing",
    "Coral",
    "DimensionAblation",
    "HullProjection",
    "MeanShift",
    "MixedGallery",
    "NaiveShift",
    "NearestNeighborNormalization",
    "Procrustes",
    "ReAlign",
    "Standardizing",
    "Whitening",
    "load",
]
