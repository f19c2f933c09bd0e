"""Figures of robustness: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from gaputils.pages.figures import methods as draw
from gaputils.plots.theme import closing_color


def test_closing_lines(ax: plt.Axes) -> None:
    frame = pd.DataFrame({"closing": ["original", "new"] * 2, "x": [1, 1, 2, 2], "y": [1, 2, 3, 4]})
    draw.closing_lines(frame, "x", "y", ax, scale="log", label="size")
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 3], [2, 4]]
    assert ax.lines[0].get_color() == closing_color("original")
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "size", "y")
