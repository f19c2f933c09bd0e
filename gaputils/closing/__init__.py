"""Ways of closing the gap after training: `fit(queries, gallery)`, then `transform`."""

from gaputils.closing.ablation import DimensionAblation as DimensionAblation
from gaputils.closing.base import Closing as Closing
from gaputils.closing.base import load as load
from gaputils.closing.base import registered as registered
from gaputils.closing.centering import GRCLIP as GRCLIP
from gaputils.closing.centering import Centering as Centering
from gaputils.closing.hull_projection import HullProjection as HullProjection
from gaputils.closing.hull_projection import fit_hull_projection as fit_hull_projection
from gaputils.closing.mean_shift import MeanShift as MeanShift
from gaputils.closing.mean_shift import fit_mean_shift as fit_mean_shift
from gaputils.closing.mean_shift import predicted_excess as predicted_excess
from gaputils.closing.mixed_gallery import MixedGallery as MixedGallery
from gaputils.closing.naive_shift import NaiveShift as NaiveShift
from gaputils.closing.nnn import NearestNeighborNormalization as NearestNeighborNormalization
from gaputils.closing.on_hull import ClosingDoesNothing as ClosingDoesNothing
from gaputils.closing.on_hull import RowsOffHull as RowsOffHull
from gaputils.closing.pipelines import QueriesTransformer as QueriesTransformer
from gaputils.closing.procrustes import Procrustes as Procrustes
from gaputils.closing.realign import ReAlign as ReAlign
from gaputils.closing.standardizing import Standardizing as Standardizing
from gaputils.closing.whitening import Coral as Coral
from gaputils.closing.whitening import Whitening as Whitening

__all__ = [
    "Closing",
    "ClosingDoesNothing",
    "QueriesTransformer",
    "RowsOffHull",
    "fit_hull_projection",
    "fit_mean_shift",
    "load",
    "predicted_excess",
    "registered",
]
__all__ += sorted(registered())
