"""Data sets: one file a source."""

from gaputils.datasets._errors import DataUnavailable
from gaputils.datasets.published import published, published_names

__all__ = ["DataUnavailable", "published", "published_names"]
