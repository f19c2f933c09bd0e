"""The examples in the closings' docstrings run and give what they show."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ["closing.mean_shift", "closing.hull_projection", "noise.between", "serving"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"gaputils.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
