"""What the measures of the gap refuse, the least that they take, and what is left out of a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gaputils as gu
from gaputils import geometry as geo


def rows(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + n).normal(size=(n, d)) + seed


NUMBERS: list[tuple[Callable[..., float], str, Any, type[Exception], Any]] = [
    (lambda **a: geo.uniformity(rows(9), **a), "t", 0, ValueError, 0.5),
    (lambda **a: geo.uniformity(rows(9), **a), "t", -1.0, ValueError, 0.5),
    (lambda **a: geo.uniformity(rows(9), **a), "t", "2", TypeError, 2),
    (lambda **a: geo.double_stochastic_deviation(rows(9), rows(8), **a), "tau", 0, ValueError, 0.1),
    (lambda **a: geo.double_stochastic_deviation(rows(9), rows(8), **a), "tau", -1, ValueError, 9),
    (lambda **a: geo.wasserstein(rows(9), rows(8), **a), "p", 0, ValueError, 1),
    (lambda **a: geo.wasserstein(rows(9), rows(8), **a), "p", 2.0, TypeError, 3),
    (lambda **a: geo.linear_separability(rows(9), rows(8), **a), "folds", 1, ValueError, 2),
    (lambda **a: geo.gap_separability(rows(9), rows(8), **a), "folds", 1, ValueError, 2),
    (lambda **a: geo.gap_separability(rows(9), rows(8), **a), "folds", 2.5, TypeError, 99),
]


@pytest.mark.parametrize(("measure", "name", "bad", "error", "last"), NUMBERS)
def test_a_number_is_refused_by_name_outside_its_range_and_taken_at_its_end(
    measure: Callable[..., float], name: str, bad: Any, error: type[Exception], last: Any
) -> None:
    with pytest.raises(error, match=rf"^{name}: expected"):
        measure(**{name: bad})
    assert math.isfinite(measure(**{name: last}))


@pytest.mark.parametrize(
    ("name", "bad", "error", "last"),
    [
        ("max_rows", 2, ValueError, 3),
        ("max_rows", 9.0, TypeError, 9),
        ("tau", 0, ValueError, 1e-3),
        ("bootstrap", 1, ValueError, 2),
        ("bootstrap", True, TypeError, 2),
        ("level", 0, ValueError, 1e-6),
        ("level", 1.01, ValueError, 1),
        ("level", "0.9", TypeError, 0.9),
    ],
)
def test_settings_of_the_table_are_refused_by_name_and_taken_at_their_end(
    name: str, bad: Any, error: type[Exception], last: Any
) -> None:
    e, given = gu.Embeddings(rows(12), rows(12, seed=1)), {"bootstrap": 4}
    with pytest.raises(error, match=rf"^{name}: expected"):
        gu.measure_gap(e, ["l2i"], **given | {name: bad})
    frame = gu.measure_gap(e, ["l2i"], **given | {name: last})
    assert frame.columns.tolist() == ["value", "low", "high"]
    assert np.isfinite(frame).to_numpy().all()


PAIRED = {
    geo.matched_cosine: 1,
    geo.unmatched_cosine: 2,
    geo.l2i: 1,
    geo.alignment: 1,
    geo.rmg_schrodi: 2,
    geo.rmg_few_dims: 2,
    geo.neighborhood_kendall: 3,
}
LEAST: dict[Callable[..., float], int] = PAIRED | {
    geo.double_stochastic_deviation: 1,
    geo.wasserstein: 1,
    geo.linear_separability: 2,
    geo.gap_separability: 2,
}


@pytest.mark.parametrize(("measure", "least"), LEAST.items())
def test_the_fewest_rows_that_a_measure_of_two_sides_takes(
    measure: Callable[..., float], least: int
) -> None:
    assert math.isfinite(measure(rows(least), rows(least, seed=1)))
    if least > 1:
        with pytest.raises(ValueError, match=r"^(queries|gallery|targets): expected at least"):
            measure(rows(least - 1), rows(least - 1, seed=1))


@pytest.mark.parametrize(("measure", "least"), [(geo.uniformity, 2), (geo.intrinsic_dimension, 3)])
def test_the_fewest_rows_that_a_measure_of_one_side_takes(
    measure: Callable[..., float], least: int
) -> None:
    assert math.isfinite(measure(rows(least)))
    with pytest.raises(ValueError, match=rf"^embeddings: expected at least {least} row"):
        measure(rows(least - 1))


def test_too_few_different_rows_are_counted() -> None:
    with pytest.raises(ValueError, match=r"^embeddings: expected at least 3 different rows, got 2"):
        geo.intrinsic_dimension(rows(2)[[0, 1, 1, 0]])
    with pytest.raises(ValueError, match=r"^targets: expected at least 3 different items, got 2"):
        geo.neighborhood_kendall(rows(5), rows(5), [0, 1, 1, 0, 1])


@pytest.mark.parametrize("measure", PAIRED)
def test_pairs_need_one_gallery_row_for_each_query(measure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match=r"^targets: expected for 4 queries and 5 gallery items"):
        measure(rows(4), rows(5))
    with pytest.raises(ValueError, match=r"^targets: expected indices in \[0, 5\)"):
        measure(rows(4), rows(5), [0, 1, 2, 5])
    with pytest.raises(TypeError, match=r"^targets: expected integers"):
        measure(rows(4), rows(5), "0123")


@pytest.mark.parametrize(
    "measure", [measure for measure in PAIRED if measure not in (geo.l2i, geo.alignment)]
)
@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_a_row_without_direction_has_no_cosine(measure: Callable[..., float], side: str) -> None:
    sides = {"queries": rows(4), "gallery": rows(4, seed=1)}
    sides[side][2] = 0
    with pytest.raises(ValueError, match=rf"^{side}: expected rows of norm above zero"):
        measure(**sides)


@pytest.mark.parametrize(
    ("measure", "written_out"),
    [
        (lambda x, _, **a: geo.uniformity(x, **a), {"t": 2.0}),
        (geo.double_stochastic_deviation, {"tau": 0.02}),
        (geo.wasserstein, {"p": 2}),
        (geo.linear_separability, {"folds": 5, "seed": 0}),
        (geo.gap_separability, {"folds": 5, "seed": 0}),
    ],
)
def test_what_is_left_out_is_the_documented_default(
    measure: Callable[..., float], written_out: dict[str, Any]
) -> None:
    for seed in range(3):
        x, y = rows(40, seed=seed), rows(31, seed=seed)
        assert measure(x, y) == measure(x, y, **written_out)
