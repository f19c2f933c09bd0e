"""Figures that only one page of the book draws."""
