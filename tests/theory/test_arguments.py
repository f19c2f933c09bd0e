"""Unusable arguments raise `ValueError` naming the argument, in every public function."""

from __future__ import annotations

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


def test_settings_of_another_batch_shape() -> None:
    batch = torch.stack([GOOD, GOOD])
    with pytest.raises(ValueError, match=r"^tau: expected shape \(2,\)"):
        gu.theory.contrastive_loss(batch, batch, torch.ones(3))


def test_settings_of_too_many_dimensions_or_of_no_numbers() -> None:
    batch = torch.stack([GOOD, GOOD])
    with pytest.raises(ValueError, match=r"^tau: expected shape \(2,\), got \(1, 2\)"):
        gu.theory.contrastive_loss(batch, batch, torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"^tau: expected numbers, got \['a', 'b'\]"):
        gu.theory.contrastive_loss(batch, batch, ["a", "b"])
    with pytest.raises(TypeError, match=r"^tau: expected a number, got str 'a'"):
        gu.theory.contrastive_loss(batch, batch, "a")


@pytest.mark.parametrize(
    "tau",
    [
        [1, 3],
        (1.0, 3.0),
        np.array([1, 3]),
        torch.tensor([1.0, 3.0]),
        torch.tensor([1, 3], dtype=torch.int64),
    ],
)
def test_settings_in_every_form(tau: Any) -> None:
    batch = torch.stack([GOOD, GOOD + 0.1]).double()
    found = gu.theory.contrastive_loss(batch, batch, tau)
    for run, value in enumerate((1.0, np.float32(3.0))):
        for scalar in (value, torch.tensor(value), np.asarray(value)):
            alone = gu.theory.contrastive_loss(batch[run], batch[run], scalar)
            torch.testing.assert_close(found[run], alone)
    precise = gu.theory.contrastive_loss(batch, batch, [0.1, 0.1])
    torch.testing.assert_close(
        precise[0], gu.theory.contrastive_loss(batch[0], batch[0], 0.1), rtol=1e-12, atol=0
    )


def test_points_that_are_no_array() -> None:
    with pytest.raises(TypeError, match=r"^x: expected a NumPy array or a torch tensor, got list"):
        gu.theory.contrastive_loss([[0.0, 1.0], [1.0, 0.0]], GOOD, 0.5)
    with pytest.raises(ValueError, match=r"^x: expected a non-empty array, got shape \(2, 0, 3\)"):
        gu.theory.contrastive_loss(torch.ones(2, 0, 3), torch.ones(2, 0, 3), 0.5)


def test_divergence_names_the_learning_rate() -> None:
    x, y = gu.theory.two_clusters(1, 8, 3, gap=1.0, spread=0.3)
    with pytest.raises(ValueError, match=r"^lr: the descent diverged"):
        gu.theory.simulate(x, y, tau=0.01, lr=1e30, steps=50)


@pytest.mark.parametrize("direction", [[0.0, 0.0, 0.0], [1.0, 0.0]])
def test_direction(direction: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^direction: expected"):
        gu.theory.constant_direction_gradient(GOOD, GOOD + 1, 0.5, direction)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("runs", 0), ("n", 1), ("d", 1), ("gap", 2.5), ("gap", -1.0), ("spread", -0.1), ("rank", 9)],
)
def test_starts(argument: str, value: float) -> None:
    settings: dict[str, Any] = {"runs": 2, "n": 4, "d": 3, "gap": 1.0, "spread": 0.1}
    with pytest.raises(ValueError, match=rf"^{argument}: expected"):
        gu.theory.two_clusters(**{**settings, argument: value}, sphere=True)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("distances", bad) for bad in ([1.0], [1.0, -1.0], [1.0, float("nan")])],
        *[("variance", 0.0), ("dim", 0), ("item", 2)],
    ],
)
def test_survival(argument: str, value: Any) -> None:
    settings: dict[str, Any] = {"distances": [1.0, 2.0], "variance": 0.1, "dim": 3}
    for function in (gu.theory.survival, gu.theory.survival_slope):
        with pytest.raises(ValueError, match=rf"^{argument}: expected"):
            function(**{**settings, argument: value})


def test_sides_of_two_precisions_are_worked_on_in_the_higher() -> None:
    x, y = gu.theory.two_clusters(1, 5, 3, gap=1.0, spread=0.3, dtype=torch.float64)
    mixed = gu.theory.received_mass(x[0].float(), y[0], 0.5)
    wide = gu.theory.received_mass(x[0].float().double(), y[0], 0.5)
    for found, expected in zip(mixed, wide, strict=True):
        assert found.dtype == torch.float64
        assert torch.equal(found, expected)
