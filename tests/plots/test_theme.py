"""One visual language: ink that can be read."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from gaputils import plots
from gaputils.plots.theme import CLOSING_COLOR, TASK_COLORS, ink


def test_no_two_closings_and_no_task_share_a_colour() -> None:
    every = [*CLOSING_COLOR.values(), *TASK_COLORS]
    assert len(set(every)) == len(every)


def test_ink_is_dark_enough_to_read_and_keeps_what_is() -> None:
    for color in plots.CLOSING_COLOR.values():
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in mpl.colors.to_rgb(ink(color))
        ]
        luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        assert 1.05 / (luminance + 0.05) >= 4.5
    assert ink("#000000") == "#000000"


@pytest.mark.parametrize("value", [pd.DataFrame({"a": [1]}), np.eye(3), None])
def test_figures_name_the_table_that_they_are_drawn_from(value: Any) -> None:
    for draw in (plots.clouds, plots.benefits, lambda frame: plots.robustness_curves(frame, None)):
        with pytest.raises(TypeError, match=r"^frame: expected the table that gaputils"):
            draw(value)
    frame = pd.DataFrame({"alpha": [0.0], "variance": [1.0], "robustness": [0.5]})
    with pytest.raises(TypeError, match=r"^points: .* standard_error; got \['alpha', "):
        plots.robustness_curves(frame, None, points=frame)
