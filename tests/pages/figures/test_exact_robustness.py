"""The figures of the exact engine show the numbers that they are given."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gaputils.pages.figures import exact_robustness as draw
from gaputils.pages.figures.methods import SCORING_COLOR


@pytest.fixture
def ax() -> Iterator[plt.Axes]:
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_the_exact_star_stands_at_its_time_and_error(ax: plt.Axes) -> None:
    frame = pd.DataFrame(
        {
            "draws": [10, 1000],
            "seconds": [0.1, 10.0],
            "error": [0.02, 0.0],
            "standard_error": [0.03, 0.003],
        }
    )
    draw.error_over_time(frame, 0.004, 2e-5, ax)
    errors, dots, star = ax.lines
    np.testing.assert_allclose(errors.get_ydata(), frame["standard_error"])
    np.testing.assert_allclose(dots.get_ydata(), [0.02, 1e-7])
    assert (star.get_xdata(), star.get_ydata()) == ([0.004], [2e-5])
    assert [text.get_text() for text in ax.texts] == ["10", "1,000"]


def test_errors_have_their_scorings_colours_and_the_bound(ax: plt.Axes) -> None:
    frame = pd.DataFrame(
        {"dim": [1, 64, 64], "scoring": list(SCORING_COLOR), "error": [1e-6, 0.0, 3e-5]}
    )
    draw.errors_by_dimension(frame, 1e-4, ax)
    assert ax.lines[-1].get_ydata()[0] == 1e-4
    drawn = np.concatenate([c.get_offsets()[:, 1] for c in ax.collections if len(c.get_offsets())])
    np.testing.assert_allclose(sorted(drawn), [1e-9, 1e-6, 3e-5])


def test_the_exact_line_runs_in_the_band(ax: plt.Axes) -> None:
    frame = pd.DataFrame(
        {"variance": [0.01, 0.1], "lower": [0.8, 0.2], "exact": [0.85, 0.4], "upper": [0.9, 0.6]}
    )
    draw.between_bounds(frame, ax)
    upper, exact, lower = (line.get_ydata() for line in ax.lines)
    assert (lower < exact).all()
    assert (exact < upper).all()
    assert ax.get_xscale() == "log"
