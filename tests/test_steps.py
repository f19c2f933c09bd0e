"""The steps of a closing on arrays and on tensors: the same numbers, rows of zeros included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaputils import _steps

LEARNED: dict[str, Any] = {
    "vector_": np.array([1.0, -2.0, 0.0]),
    "matrix_": np.arange(6.0).reshape(3, 2),
    "components_": np.array([[1.0, 0.0, 0.0]]),
    "duals_": np.array([[1.0, 3.0, 0.0]]),
    "columns_": np.array([2, 0]),
}
ROWS = np.array([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
EXPECTED = [
    (("shift", "vector_"), np.add(ROWS, [1, -2, 0])),
    (("shift", "vector_", -0.5), ROWS - [0.5, -1, 0]),
    (("scale", 3.0), 3 * ROWS),
    (("divide", "vector_"), ROWS * [1, 0, 0]),
    (("map", "matrix_"), ROWS @ LEARNED["matrix_"]),
    (("project", "components_", "duals_"), ROWS[:, :1] * [1, 3, 0]),
    (("lengthen", 10.0), [[6, 0, 8], [0, 0, 0], [10 / 3**0.5] * 3]),
    (("zero", "columns_"), ROWS * [0, 1, 0]),
    (("append", [1.0, 0.0]), np.hstack([ROWS, [[1, 0]] * 3])),
]


@pytest.mark.parametrize(("step", "expected"), EXPECTED, ids=lambda value: str(value)[:20])
def test_a_step_does_what_it_says_to_arrays_and_tensors(step, expected) -> None:
    kept = ROWS.copy()
    np.testing.assert_allclose(_steps.run([step], ROWS, LEARNED.__getitem__), expected)
    tensor = _steps.run([step], torch.tensor(ROWS), lambda name: torch.tensor(LEARNED[name]))
    np.testing.assert_allclose(tensor, expected)
    assert np.array_equal(ROWS, kept)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 700), exponent=st.integers(-9, 9))
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_what_cancels_to_rounding_is_not_lengthened(kind: Any, seed, d, exponent) -> None:
    rng = np.random.default_rng(seed)
    row = rng.normal(size=d) * 10.0**exponent
    far = row * (1 + 1e-9)
    learned = {"mean_": kind(np.array([row, row, row]).mean(axis=0))}
    steps = [("shift", "mean_", -1.0), ("lengthen", 3.0)]
    moved = np.asarray(_steps.run(steps, kind(np.array([row, far])), learned.__getitem__))
    assert not moved[0].any()
    np.testing.assert_allclose(moved[1], 3 * row / np.linalg.norm(row), atol=1e-5)


def test_what_was_long_before_it_was_lengthened_counts_no_more() -> None:
    rows = np.full((1, 4), 1e20)
    steps = [("lengthen", 1.0), ("shift", "almost_", -1.0), ("lengthen", 1.0)]
    almost = {"almost_": np.array([0.5, 0.5, 0.5, 0.5 - 1e-9])}
    moved = _steps.run(steps, rows, almost.__getitem__)
    np.testing.assert_allclose(moved, [[0, 0, 0, 1]], atol=1e-6)


def test_unit_refuses_a_row_of_zeros_of_either_kind() -> None:
    for rows in (ROWS, torch.tensor(ROWS)):
        with pytest.raises(ValueError, match=r"^expected rows of norm above zero"):
            _steps.run([("unit",)], rows, LEARNED.__getitem__)
        unit = _steps.run([("unit",)], rows[::2], LEARNED.__getitem__)
        np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)


def test_every_step_is_tested_and_tells_the_tensors_it_needs() -> None:
    assert {step[0] for step, _ in EXPECTED} | {"unit"} == set(_steps.STEPS)
    needed = _steps.names([step for step, _ in EXPECTED])
    assert needed == set(LEARNED)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_rows_beyond_their_dtype_are_counted(kind: Any) -> None:
    _steps.require_finite("queries", kind(ROWS))
    rows = np.array([[np.inf, np.nan], [1.0, 2.0], [-np.inf, 0.0]], np.float16)
    with pytest.raises(ValueError, match=r"^queries: .* in 2 row\(s\) of (torch\.)?float16"):
        _steps.require_finite("queries", kind(rows))
