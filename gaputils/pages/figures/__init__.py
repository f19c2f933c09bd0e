"""Figures that only one page draws."""
