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
