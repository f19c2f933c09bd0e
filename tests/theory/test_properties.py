"""The sigmoid loss in any size, dimension, batch and dtype, beside autograd in double precision."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from strategies import SEEDS, forms, given_in, rounding, whole

sigmoid = gu.theory.sigmoid
CASES = {
    "seed": SEEDS,
    "form": forms(),
    "n": whole(2, 40),
    "d": whole(1, 200),
    "tau": st.floats(0.1, 3),
    "bias": st.floats(-6, 9),
}


def points(seed: int, n: int, d: int, runs: int) -> np.ndarray:
    """Both modalities of several runs, (2, runs, n, d), a gap apart."""
    sides = np.random.default_rng(seed).normal(size=(2, runs, n, d)) / math.sqrt(d)
    sides[1, ..., 0] += 0.7
    return sides


@settings(max_examples=40, deadline=None)
@given(runs=st.integers(1, 3), **CASES)
def test_loss_and_gradients_are_those_of_autograd(seed, form, n, d, tau, bias, runs) -> None:
    (x, y), values = given_in(form, *points(seed, n, d, runs))
    wide = [torch.tensor(side, requires_grad=True) for side in values]
    b = torch.full((runs, 1, 1), bias, dtype=torch.float64, requires_grad=True)
    squares = (wide[0][:, :, None] - wide[1][:, None]).square().sum(-1)
    logits = (2 * torch.eye(n, dtype=torch.float64) - 1) * (b - squares / tau)
    losses = -torch.nn.functional.logsigmoid(logits).sum((1, 2)) / n
    expected = torch.autograd.grad(losses.sum(), (*wide, b))
    found = sigmoid.gradients(x, y, tau, bias)
    # Products of half precision are taken in single precision.
    room = 40 * min(rounding(form), 2e-7) * (10 + float(logits.detach().abs().max()))
    for slope, known in zip(found, expected, strict=True):
        size = max(1.0, float(known.abs().max()))
        difference = slope.double().reshape(known.shape) - known
        assert float(difference.abs().max()) <= max(room, 1e-10) * size
    told = sigmoid.loss(x, y, tau, bias).double()
    assert bool(((told - losses).abs() <= room * (1 + losses.detach())).all())


@settings(max_examples=40, deadline=None)
@given(gap=st.floats(0.2, 2), **CASES)
def test_along_a_constant_direction_the_gap_rests_with_the_bias(
    seed, form, n, d, tau, bias, gap
) -> None:
    sides = points(seed, n, d, 1)[:, 0]
    sides[0, :, 0], sides[1, :, 0] = 0.0, gap
    (x, y), values = given_in(form, *sides)
    held = float(values[1][0, 0])
    _, slope, slope_bias = sigmoid.gradients(x, y, tau, bias)
    mass = sigmoid.probabilities(x, y, tau, bias).double().sum(0)
    squares = np.square(values[0][:, None] - values[1]).sum(-1)
    room = max(1e-10, 100 * n * min(rounding(form), 2e-7) * (10 + squares.max() / tau) / tau)
    wanted = 2 / tau * (1 - mass) * held
    assert float((n * slope[:, 0].double() - wanted).abs().max()) <= room
    total = -2 / tau * held * n * float(slope_bias)
    assert abs(n * float(slope[:, 0].double().sum()) - total) <= room * n
