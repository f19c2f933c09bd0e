"""Ways of closing the gap after training: `fit(queries, gallery)`, then `transform`."""

from gaputils.closing.base import Closing, load
from gaputils.closing.hull import HullProjection
from gaputils.closing.mean_shift import MeanShift

__all__ = ["Closing", "HullProjection", "MeanShift", "load"]
