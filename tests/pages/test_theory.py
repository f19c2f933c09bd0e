"""The theory figures draw what they are given."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from gaputils.pages.figures import theory as figures


def test_band_is_the_median_and_the_middle_nine_tenths(ax: Axes) -> None:
    values = np.random.default_rng(0).normal(size=(2, 400))
    frame = pd.DataFrame({"x": np.repeat([1.0, 2.0], 400), "y": values.ravel()})
    assert figures.bands(frame, "x", "y", ax) is ax
    assert ax.lines[0].get_ydata() == pytest.approx(np.median(values, axis=1))
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = np.percentile(values, [5, 95], axis=1)
    for expected in (*low, *high):
        assert np.abs(edges - expected).min() < 1e-9


def test_step_zero_has_a_place_on_the_log_axis(ax: Axes) -> None:
    frame = pd.DataFrame({"step": [0, 1, 10], "loss": [3.0, 2.0, 1.0]})
    figures.over_steps(frame, "loss", "loss", ax, log=True)
    assert list(ax.lines[0].get_xdata()) == [0.5, 1, 10]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_pairs_are_joined(ax: Axes) -> None:
    frame = pd.DataFrame(
        {
            "modality": ["x", "x", "y", "y"],
            "pair": [0, 1, 1, 0],
            "horizontal": [0.0, 1.0, 2.0, 3.0],
            "vertical": [5.0, 6.0, 7.0, 8.0],
        }
    )
    figures.configuration(frame, ax)
    segments = [segment.tolist() for segment in ax.collections[0].get_segments()]
    assert segments == [[[0, 5], [3, 8]], [[1, 6], [2, 7]]]


def test_the_loss_has_a_panel_a_direction_and_a_line_a_misalignment() -> None:
    rows = [
        {"gap": gap, "misalignment": off, "direction": name, "loss": 1.0, "run": 0}
        for gap in (0, 1)
        for off in (0.0, 0.5)
        for name in ("across", "inside")
    ]
    axes = figures.loss_by_gap(pd.DataFrame(rows), plt.subplots(2)[1])
    assert [ax.get_title() for ax in axes] == [
        "gap across the modalities",
        "gap inside the modalities",
    ]
    assert all(len(ax.lines) >= 2 for ax in axes)
    plt.close("all")


def test_mass_colours_the_points(ax: Axes) -> None:
    frame = pd.DataFrame(
        {"along": [0.0, 1], "across": [0.0, 1], "mass": [0.5, 1.5], "modality": ["x", "y"]}
    )
    figures.mass(frame, ax)
    assert [c.get_array().tolist() for c in ax.collections] == [[0.5], [1.5]]
