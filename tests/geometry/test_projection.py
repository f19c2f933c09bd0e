"""Principal coordinates of both sides: against NumPy's decomposition, and which rows are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from gaputils.geometry import principal_coordinates

SIDES = ["queries"] * 40 + ["gallery"] * 30


def example(n: int = 40, m: int = 30, d: int = 6) -> gu.Embeddings:
    rng = np.random.default_rng(0)
    return gu.Embeddings(rng.normal(size=(n, d)) + 3, rng.normal(size=(m, d)) * np.arange(1, d + 1))


@pytest.mark.parametrize("components", [1, 3, 6])
def test_coordinates_are_those_of_a_singular_value_decomposition(components: int) -> None:
    e = example()
    points = np.concatenate([e.queries, e.gallery])
    centred = points - points.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1)
    expected = pd.DataFrame(
        centred @ (axes * np.sign(largest))[:components].T,
        columns=["pc1", "pc2", "pc3", "pc4", "pc5", "pc6"][:components],
    ).assign(side=SIDES)
    frame = principal_coordinates(e, components)
    pd.testing.assert_frame_equal(frame, expected)
    shares = values**2 / (values**2).sum()
    np.testing.assert_allclose(frame.attrs["shares"], shares[:components])


def test_at_most_so_many_rows_a_side_are_drawn_and_stay_in_order() -> None:
    full, few = (principal_coordinates(example(), rows=rows, seed=3) for rows in (40, 10))
    assert few["side"].tolist() == ["queries"] * 10 + ["gallery"] * 10
    assert few.index.tolist() == list(range(20))
    places = [full.index[full["pc1"] == first].item() for first in few["pc1"]]
    assert places == sorted(set(places))
    pd.testing.assert_frame_equal(few, full.loc[places].reset_index(drop=True))
    assert few.attrs == full.attrs
    assert len(principal_coordinates(example(), rows=1)) == 2


def test_three_components_of_a_thousand_rows_drawn_with_seed_nought_unless_told_otherwise() -> None:
    e = example(1010, 5, 4)
    usual, same, other = (
        principal_coordinates(e, **given)
        for given in ({}, {"components": 3, "rows": 1000, "seed": 0}, {"seed": 1})
    )
    pd.testing.assert_frame_equal(usual, same)
    assert not usual.equals(other)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"components": 0}, ValueError, "^components: expected an integer of at least 1, got 0"),
        ({"components": 2.0}, TypeError, "^components: expected an integer"),
        ({"components": 7}, ValueError, "^components: expected at most 6, got 7"),
        ({"rows": 0}, ValueError, "^rows: expected an integer of at least 1, got 0"),
        ({"rows": "all"}, TypeError, "^rows: expected an integer"),
        ({"seed": -1}, ValueError, "^seed: expected"),
    ],
)
def test_bad_arguments_are_named(given: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        principal_coordinates(example(), **given)
