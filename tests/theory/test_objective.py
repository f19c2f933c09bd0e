"""The loss, the softmax matrices and the closed-form gradient, over sizes and temperatures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import gaputils as gu

Configuration = tuple[torch.Tensor, torch.Tensor, float]


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Paired points of any small size, spread, offset and temperature, in float64."""
    n, d = draw(st.integers(2, 12)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    spread, offset = draw(st.sampled_from([0.01, 0.3, 2.0])), draw(st.sampled_from([0.0, 1.0, 5.0]))
    x, y = spread * torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x, y + offset, draw(st.sampled_from([0.05, 0.5, 3.0]))


def autograd(x: torch.Tensor, y: torch.Tensor, tau: float) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    return torch.autograd.grad(gu.theory.contrastive_loss(x, y, tau), (x, y))


@settings(max_examples=40, deadline=None)
@given(configurations())
def test_loss_is_the_definition_written_with_scipy(case: Configuration) -> None:
    x, y, tau = case
    logits = -((x[:, None] - y[None]) ** 2).sum(-1).numpy() / tau
    own = np.diag(logits)
    expected = np.mean(logsumexp(logits, 1) - own) + np.mean(logsumexp(logits, 0) - own)
    assert gu.theory.contrastive_loss(x, y, tau).item() == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(configurations())
def test_rows_of_both_matrices_sum_to_one_and_mass_to_n(case: Configuration) -> None:
    x, y, tau = case
    ones = torch.ones(len(x), dtype=x.dtype)
    for matrix in gu.theory.assignment(x, y, tau):
        torch.testing.assert_close(matrix.sum(-1), ones)
    qx, qy = gu.theory.assignment(x, y, tau)
    for mass, other in zip(gu.theory.received_mass(x, y, tau), (qy, qx), strict=True):
        torch.testing.assert_close(mass, other.T @ ones)
        assert mass.sum().item() == pytest.approx(len(x))


@settings(max_examples=60, deadline=None)
@given(configurations())
def test_gradient_matches_autograd_to_rounding(case: Configuration) -> None:
    x, y, tau = case
    expected_x, expected_y = autograd(x, y, tau)
    actual_x, actual_y = gu.theory.gradients(x, y, tau)
    scale = max(expected_y.norm().item(), 1e-3 / tau)
    assert (actual_y - expected_y).norm().item() < 1e-10 * scale
    assert (actual_x - expected_x).norm().item() < 1e-10 * scale
    assert torch.equal(gu.theory.gradient(x, y, tau), actual_y)


@settings(max_examples=40, deadline=None)
@given(configurations())
def test_gradient_is_the_formula_with_received_mass(case: Configuration) -> None:
    x, y, tau = case
    qx, qy = gu.theory.assignment(x, y, tau)
    mass = gu.theory.received_mass(x, y, tau)[1]
    bracket = (1 - mass)[:, None] * y - 2 * x + (qx.mT + qy) @ x
    expected = 2 / (tau * len(x)) * bracket
    torch.testing.assert_close(gu.theory.gradient(x, y, tau), expected, rtol=1e-7, atol=1e-9 / tau)


@settings(max_examples=40, deadline=None)
@given(configurations(), st.sampled_from([-3.0, 10.0]))
def test_loss_and_gradient_ignore_a_common_translation(case: Configuration, by: float) -> None:
    x, y, tau = case
    moved = gu.theory.gradient(x + by, y + by, tau)
    torch.testing.assert_close(gu.theory.gradient(x, y, tau), moved, rtol=1e-7, atol=1e-9 / tau)
    assert gu.theory.contrastive_loss(x + by, y + by, tau).item() == pytest.approx(
        gu.theory.contrastive_loss(x, y, tau).item(), abs=1e-8
    )


@settings(max_examples=40, deadline=None)
@given(configurations())
def test_mean_gap_keeps_its_part_across_the_modalities(case: Configuration) -> None:
    """The loss is blind to a relative shift orthogonal to both, whatever its size."""
    x, y, tau = case
    lifted_x = torch.nn.functional.pad(x, (0, 1))
    lifted_y = torch.nn.functional.pad(y, (0, 1), value=4.0)
    assert gu.theory.contrastive_loss(lifted_x, lifted_y, tau).item() == pytest.approx(
        gu.theory.contrastive_loss(x, y, tau).item(), abs=1e-8
    )
    pull = gu.theory.gradient(lifted_x, lifted_y, tau)[:, -1]
    assert pull.sum().item() == pytest.approx(0, abs=1e-9 / tau)


@pytest.mark.parametrize("tau", [0.3, 2.0])
def test_gradcheck(tau: float) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    x, y = x.requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: gu.theory.contrastive_loss(a, b, tau), (x, y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batch_dimensions_and_dtype(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(2, 3, 2, 6, 4, generator=generator).to(dtype)
    tau = torch.tensor([[0.2, 0.5], [1.0, 0.3], [0.7, 2.0]])
    batched = gu.theory.gradient(x, y, tau)
    assert batched.dtype == dtype
    assert gu.theory.contrastive_loss(x, y, tau).shape == (3, 2)
    for i in range(3):
        for j in range(2):
            single = gu.theory.gradient(x[i, j], y[i, j], tau[i, j].item())
            torch.testing.assert_close(batched[i, j], single)
            for measure in (gu.theory.assignment, gu.theory.received_mass):
                alone = measure(x[i, j], y[i, j], tau[i, j].item())
                together = [part[i, j] for part in measure(x, y, tau)]
                torch.testing.assert_close(together, list(alone))


def test_numpy_arrays_give_what_tensors_give() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    expected = gu.theory.gradient(torch.from_numpy(x), torch.from_numpy(y), 0.4)
    assert torch.equal(gu.theory.gradient(x, y, 0.4), expected)


def test_float32_keeps_its_accuracy_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(4)
    x, y = torch.randn(2, 8, 4, generator=generator)
    x, y = x.round(decimals=2) + 100, y.round(decimals=2) + 100
    exact = gu.theory.gradient(x.double(), y.double(), 0.5)
    torch.testing.assert_close(gu.theory.gradient(x, y, 0.5).double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tau", [1e-45, 1e-39])
def test_a_temperature_too_small_for_the_dtype_is_refused_by_name(tau: float) -> None:
    x = 100 * torch.eye(3)
    for loss in (gu.theory.contrastive_loss, gu.theory.gradient, gu.theory.received_mass):
        with pytest.raises(ValueError, match=r"^tau: expected positive .* torch.float32, got"):
            loss(x, x + 1, tau)
    assert torch.isfinite(gu.theory.contrastive_loss(x.double(), x.double() + 1, tau))


def test_under_autocast_loss_matrices_and_gradients_are_those_without() -> None:
    x, y = torch.randn(2, 30, 64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()

    def values() -> tuple[torch.Tensor, ...]:
        closed_form = *gu.theory.assignment(x, y, 0.5), *gu.theory.gradients(x, y, 0.5)
        along = gu.theory.constant_direction_gradient(x, y, 0.5, torch.ones(64))
        return gu.theory.contrastive_loss(x, y, 0.5), along, *closed_form

    plain = values()
    with torch.autocast("cpu", torch.bfloat16):
        found = values()
    assert all(map(torch.equal, found, plain))
    slopes = (torch.autograd.grad(each[0], x)[0] for each in (found, plain))
    assert torch.equal(*slopes)
