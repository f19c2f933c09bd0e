"""Point sets and settings at the theory's door: every form that is taken, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu

GOOD = torch.arange(12.0).reshape(4, 3)


def test_settings_of_another_batch_shape() -> None:
    batch = torch.stack([GOOD, GOOD])
    with pytest.raises(ValueError, match=r"^tau: expected shape \(2,\)"):
        gu.theory.contrastive_loss(batch, batch, torch.ones(3))


def test_settings_of_too_many_dimensions_or_of_no_numbers() -> None:
    batch = torch.stack([GOOD, GOOD])
    with pytest.raises(ValueError, match=r"^tau: expected shape \(2,\), got \(1, 2\)"):
        gu.theory.contrastive_loss(batch, batch, torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"^tau: expected numbers, got list \['a', 'b'\]"):
        gu.theory.contrastive_loss(batch, batch, ["a", "b"])
    with pytest.raises(TypeError, match=r"^tau: expected a number, got str 'a'"):
        gu.theory.contrastive_loss(batch, batch, "a")


@pytest.mark.parametrize(
    "tau",
    [
        [1, 3],
        (1.0, 3.0),
        np.array([1, 3]),
        np.array([3, 1])[::-1],
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


def test_sides_of_two_precisions_are_worked_on_in_the_higher() -> None:
    x, y = gu.theory.two_clusters(1, 5, 3, gap=1.0, spread=0.3, dtype=torch.float64)
    mixed = gu.theory.received_mass(x[0].float(), y[0], 0.5)
    wide = gu.theory.received_mass(x[0].float().double(), y[0], 0.5)
    for found, expected in zip(mixed, wide, strict=True):
        assert found.dtype == torch.float64
        assert torch.equal(found, expected)


@pytest.mark.parametrize("tau", [1e-60, 1e300, [0.1, 1e-60]])
def test_settings_that_the_points_precision_does_not_hold(tau: Any) -> None:
    batch = torch.stack([GOOD, GOOD]) if isinstance(tau, list) else GOOD
    with pytest.raises(ValueError, match=r"^tau: expected positive finite numbers of torch"):
        gu.theory.contrastive_loss(batch, batch, tau)
    wide = batch.double()
    assert torch.isfinite(gu.theory.contrastive_loss(wide, wide, tau)).all()


def test_a_learned_temperature_has_its_gradient() -> None:
    one, several = (torch.tensor(value, requires_grad=True) for value in (0.5, [0.5]))
    x, y = GOOD / 9, GOOD.flip(0) / 9
    gu.theory.contrastive_loss(x, y, one).backward()
    gu.theory.contrastive_loss(x[None], y[None], several).sum().backward()
    assert one.grad is not None
    assert several.grad is not None
    assert float(one.grad) == float(several.grad[0]) != 0


@pytest.mark.parametrize("simulate", [gu.theory.simulate, gu.theory.sigmoid.simulate])
def test_a_sphere_takes_points_of_every_length_but_zero(simulate: Any) -> None:
    how: dict[str, Any] = {"tau": 0.5, "lr": 0.1, "steps": 2, "sphere": True}
    how |= {"bias": 0.0} if simulate is gu.theory.sigmoid.simulate else {}
    y = GOOD + 1
    short = y.clone()
    short[0] *= 1e-30
    torch.testing.assert_close(simulate(short, y, **how).x, simulate(y, y, **how).x)
    with pytest.raises(ValueError, match=r"^x0: expected rows of norm above zero"):
        simulate(y - y[0], y, **how)
    with pytest.raises(TypeError, match=r"^sphere: expected True or False, got str 'no'"):
        simulate(y, y, **{**how, "sphere": "no"})


@pytest.mark.parametrize("simulate", [gu.theory.simulate, gu.theory.sigmoid.simulate])
def test_a_run_is_apart_from_the_graph_of_its_arguments(simulate: Any) -> None:
    x, tau = (GOOD[None] / 9).requires_grad_(), torch.tensor([0.5], requires_grad=True)
    how = {"bias": tau} if simulate is gu.theory.sigmoid.simulate else {}
    run = simulate(x, x + 1, tau=tau, lr=0.1, steps=2, **how)
    assert np.isfinite(run.frame().to_numpy()).all()
