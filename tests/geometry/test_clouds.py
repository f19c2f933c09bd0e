"""How well the sides are told apart: against scikit-learn's own cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaputils import geometry as geo

MODELS: dict[Callable[..., float], Any] = {
    geo.linear_separability: make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
    geo.gap_separability: NearestCentroid(),
}


def sides(n: int = 40, m: int = 25, d: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that overlap, away from the origin, on coordinates of very different sizes."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)) + 5.3, rng.normal(size=(m, d)) + 5
    return x * np.geomspace(0.1, 10, d), y * np.geomspace(0.1, 10, d)


def cross_validated(measure: Callable[..., float], x: Any, y: Any, folds: int, seed: int) -> float:
    points, labels = np.concatenate([x, y]), np.repeat([1, 0], [len(x), len(y)])
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_score(
        MODELS[measure], points, labels, cv=splitter, scoring="balanced_accuracy"
    )
    return float(scores.mean())


@pytest.mark.parametrize("measure", MODELS)
@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_balanced_accuracy_is_that_of_scikit_learn(
    measure: Callable[..., float], folds: int, seed: int
) -> None:
    x, y = sides(seed=seed)
    expected = cross_validated(measure, x, y, folds, seed)
    assert measure(x, y, folds, seed) == pytest.approx(expected)
    assert measure(x, y, folds=folds, seed=seed) == measure(x, y, folds, seed)


@pytest.mark.parametrize("measure", MODELS)
@pytest.mark.parametrize(("n", "m"), [(3, 30), (30, 3)])
def test_there_are_no_more_folds_than_rows_of_the_smaller_side(
    measure: Callable[..., float], n: int, m: int
) -> None:
    x, y = sides(n, m)
    assert measure(x, y, folds=7) == pytest.approx(cross_validated(measure, x, y, 3, 0))


@pytest.mark.parametrize("measure", MODELS)
def test_folds_are_drawn_with_any_seed_of_a_generator(measure: Callable[..., float]) -> None:
    x, y = sides()
    assert measure(x, y, seed=2**32 + 3) == measure(x, y, seed=3)
    with pytest.raises(ValueError, match="seed: expected an integer of at least 0, got -1"):
        measure(x, y, seed=-1)


def test_a_gap_in_the_least_of_two_coordinates_is_seen() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 2)) * [1e3, 1e-4]
    assert geo.linear_separability(noise[:100], noise[100:] + np.array([0, 1e-3])) > 0.99


def test_unequal_numbers_are_moved_by_pot_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ot = pytest.importorskip("ot")
    simplex, asked = ot.emd2, []

    def watched(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments[2].shape)
        return simplex(*arguments, **options)

    monkeypatch.setattr(ot, "emd2", watched)
    x, y = sides(12, 6)
    distance = geo.wasserstein(x, y)
    geo.wasserstein(x[:6], y)
    assert asked == [(12, 6)]
    monkeypatch.setattr("gaputils.geometry.clouds.find_spec", lambda _: None)
    assert geo.wasserstein(x, y) == pytest.approx(distance)
    assert geo.wasserstein(y, x) == pytest.approx(distance)
    assert asked == [(12, 6)]
