"""Unusable arguments raise `ValueError` naming the argument, in every public function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contrastive_loss": gu.theory.contrastive_loss,
    "assignment": gu.theory.assignment,
    "received_mass": gu.theory.received_mass,
    "gradient": gu.theory.gradient,
    "gradients": gu.theory.gradients,
    "tight_cluster_gradient": gu.theory.tight_cluster_gradient,
    "training_measures": gu.theory.training_measures,
    "constant_direction_gradient": lambda x, y, tau: gu.theory.constant_direction_gradient(
        x, y, tau, [0.0, 0.0, 1.0]
    ),
    **{
        f"sigmoid.{one.__name__}": functools.partial(one, bias=0.0)
        for one in (
            gu.theory.sigmoid.loss,
            gu.theory.sigmoid.probabilities,
            gu.theory.sigmoid.gradient,
            gu.theory.sigmoid.gradients,
        )
    },
}
GOOD = torch.arange(12.0).reshape(4, 3)
functions = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())


@functions
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("side", ["x", "y"])
def test_values_that_are_not_finite(function: Callable[..., Any], bad: float, side: str) -> None:
    broken = GOOD.clone()
    broken[1, 2] = bad
    pair = {"x": GOOD, "y": GOOD, side: broken}
    with pytest.raises(ValueError, match=rf"^{side}: expected finite"):
        function(**pair, tau=0.5)


@functions
@pytest.mark.parametrize("tau", [0, 0.0, -1.0, float("nan"), float("inf")])
def test_temperature_that_is_not_positive(function: Callable[..., Any], tau: float) -> None:
    with pytest.raises(ValueError, match=r"^tau: expected"):
        function(GOOD, GOOD, tau)


@functions
def test_one_temperature_of_a_batch_that_is_not_positive(function: Callable[..., Any]) -> None:
    batch = torch.stack([GOOD, GOOD])
    with pytest.raises(ValueError, match=r"^tau: expected positive"):
        function(batch, batch, torch.tensor([0.5, 0.0]))


@functions
def test_shapes_that_differ(function: Callable[..., Any]) -> None:
    for other in (GOOD[:3], GOOD[:, :2], GOOD[None]):
        with pytest.raises(ValueError, match=r"^y: expected shape \(4, 3\) as x, got"):
            function(GOOD, other, 0.5)


@functions
def test_a_single_pair(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"^x: expected at least 2 points"):
        function(GOOD[:1], GOOD[:1], 0.5)


@functions
def test_too_few_dimensions(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"^x: expected shape"):
        function(np.ones(4), np.ones(4), 0.5)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("lr", 0.0), ("lr", -1.0), ("tau", 0.0), ("steps", 0), ("record", 1), ("record", [11])],
)
def test_simulate_settings(argument: str, value: Any) -> None:
    settings = {"tau": 0.5, "lr": 0.1, "steps": 10, argument: value}
    with pytest.raises(ValueError, match=rf"^{argument}: expected"):
        gu.theory.simulate(GOOD, GOOD, **settings)


def test_simulate_names_its_own_starts() -> None:
    with pytest.raises(ValueError, match=r"^y0: expected shape"):
        gu.theory.simulate(GOOD, GOOD[:2], tau=0.5, lr=0.1, steps=2)
    with pytest.raises(ValueError, match=r"^x0: expected at least 2"):
        gu.theory.simulate(GOOD[:1], GOOD[:1], tau=0.5, lr=0.1, steps=2)
    with pytest.raises(ValueError, match=r"^y0: expected finite"):
        gu.theory.simulate(GOOD, GOOD * float("nan"), tau=0.5, lr=0.1, steps=2)


def test_divergence_names_the_learning_rate() -> None:
    x, y = gu.theory.two_clusters(1, 8, 3, gap=1.0, spread=0.3)
    with pytest.raises(ValueError, match=r"^lr: the descent diverged"):
        gu.theory.simulate(x, y, tau=0.01, lr=1e30, steps=50)


@pytest.mark.parametrize("name", ["loss", "probabilities", "gradient", "gradients"])
def test_bias_that_is_not_finite(name: str) -> None:
    with pytest.raises(ValueError, match=r"^bias: expected"):
        getattr(gu.theory.sigmoid, name)(GOOD, GOOD, 0.5, float("nan"))


@pytest.mark.parametrize("direction", [[0.0, 0.0, 0.0], [1.0, 0.0]])
def test_direction(direction: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^direction: expected"):
        gu.theory.constant_direction_gradient(GOOD, GOOD + 1, 0.5, direction)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("distances", bad) for bad in ([1.0], [1.0, -1.0], [1.0, float("nan")])],
        *[("variance", 0.0), ("variance", 1e-30), ("dim", 0), ("item", 2)],
    ],
)
def test_survival(argument: str, value: Any) -> None:
    settings: dict[str, Any] = {"distances": [1.0, 2.0], "variance": 0.1, "dim": 3}
    for function in (gu.theory.survival, gu.theory.survival_slope):
        with pytest.raises(ValueError, match=rf"^{argument}: expected"):
            function(**{**settings, argument: value})


@pytest.mark.parametrize("record", [None, 2.5, "all"])
def test_snapshots_that_are_no_steps(record: Any) -> None:
    with pytest.raises(TypeError, match=r"^record: expected an integer, got"):
        gu.theory.simulate(GOOD, GOOD, tau=0.5, lr=0.1, steps=3, record=record)


def test_distances_that_are_no_numbers() -> None:
    with pytest.raises(TypeError, match=r"^distances: expected numbers, got list \['a', 1\]"):
        gu.theory.survival(["a", 1], 0.1, 3)
