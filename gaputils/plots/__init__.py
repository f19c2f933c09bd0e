"""Seaborn figures: each takes tidy data and an `ax`, returns the `ax`, computes no science."""

from gaputils.plots.theme import COLOR, DIVERGING, SEQUENTIAL, WIDTH, set_theme

__all__ = ["COLOR", "DIVERGING", "SEQUENTIAL", "WIDTH", "set_theme"]
