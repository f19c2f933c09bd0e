"""The figures of what closing is worth show the table's numbers."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from gaputils import plots


@pytest.fixture(autouse=True)
def _close():
    plots.set_theme()
    yield
    plt.close("all")


CLOSINGS = ["original", "mean shift", "hull projection, centred"]


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"closing": CLOSINGS, "scoring": "cosine"} | columns)


def test_benefit_bars_have_the_length_of_the_robustness_and_its_error() -> None:
    frame = table(robustness=[0.7, 0.8, 0.9], gain_error=[0.0, 0.01, 0.02])
    ax = plots.benefits(frame)
    assert [bar.get_width() for bar in ax.patches] == [0.7, 0.8, 0.9]
    assert [text.get_text() for text in ax.texts] == ["0.700", "0.800", "0.900"]
    colors = [mpl.colors.to_hex(bar.get_facecolor()).upper() for bar in ax.patches]
    assert colors == [plots.closing_color(name).upper() for name in CLOSINGS]
    (segments,) = (c.get_segments() for c in ax.collections)
    widths = [float(s[1, 0] - s[0, 0]) for s in segments]
    assert widths == pytest.approx([0, 0.02, 0.04])
    ax.figure.canvas.draw()


def test_bars_of_several_scorings_name_each() -> None:
    frame = pd.DataFrame(
        {"closing": ["original"] * 2, "scoring": ["cosine", "euclidean"], "robustness": [0.5, 0.6]}
    )
    ax = plots.benefits(frame)
    assert ax.get_xlabel().endswith("cosine, euclidean")
    plt.close(ax.figure)
