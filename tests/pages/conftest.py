"""What the tests of the pages draw on."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest


@pytest.fixture
def ax() -> Iterator[plt.Axes]:
    """Axes of a figure of their own, which is closed after the test."""
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)
