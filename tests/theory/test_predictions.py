"""Theorems 3.1 and 3.2 as measured on configurations that meet their assumptions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu


def tight(radius: float, seed: int, n: int = 9, d: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y, gap = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(3))
    return radius * x, radius * y + gap[0] / gap[0].norm()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 0.5, 2.0]))
def test_remainder_of_the_tight_cluster_expansion_is_quadratic(seed: int, tau: float) -> None:
    radii = np.array([1e-4, 1e-3])
    errors = []
    for radius in radii:
        x, y = tight(radius, seed)
        error = gu.theory.gradient(x, y, tau) - gu.theory.tight_cluster_gradient(x, y, tau)
        errors.append(error.norm().item())
    slope = np.diff(np.log(errors)) / np.diff(np.log(radii))
    assert slope[0] == pytest.approx(2, abs=0.05)


def test_tight_cluster_terms_are_the_formula_wherever_the_clusters_lie() -> None:
    x, y = (torch.stack(sides) for sides in zip(tight(0.3, 0), tight(0.5, 1), strict=True))
    tau = torch.tensor([0.4, 0.9], dtype=x.dtype)
    terms = gu.theory.tight_cluster_terms(x + 7.0, y + 7.0, tau)
    for run in range(2):
        a, b, t = x[run].numpy(), y[run].numpy(), float(tau[run])
        gap, scale = b.mean(0) - a.mean(0), 2 / (t * len(a))
        shrinking = [scale * 2 / t * ((row - b.mean(0)) @ gap) * gap for row in b]
        aligning = [-2 * scale * (row - a.mean(0)) for row in a]
        for term, expected in zip(terms, (shrinking, aligning), strict=True):
            np.testing.assert_allclose(term[run].numpy(), expected, atol=1e-12)
    both = gu.theory.tight_cluster_gradient(x, y, tau)
    torch.testing.assert_close(both, terms[0] + terms[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 0.5, 2.0]), st.integers(1, 4))
def test_identity_in_a_constant_direction(seed: int, tau: float, free: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    d = free + 1
    direction = torch.randn(d, generator=generator, dtype=torch.float64)
    unit = direction / direction.norm()
    x, y = torch.randn(2, 8, d, generator=generator, dtype=torch.float64)
    x = x - torch.outer(x @ unit, unit) + 0.3 * unit
    y = y - torch.outer(y @ unit, unit) - 1.1 * unit
    expected = gu.theory.gradient(x, y, tau) @ unit
    actual = gu.theory.constant_direction_gradient(x, y, tau, direction)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-10)
    assert actual.sum().item() == pytest.approx(0, abs=1e-9)


def test_constant_direction_of_a_batch_is_that_of_each_run() -> None:
    x, y = (torch.stack(sides) for sides in zip(tight(0.3, 0), tight(0.5, 1), strict=True))
    direction, tau = [0.0, 3.0, 0.0, -4.0, 0.0], torch.tensor([0.4, 0.9])
    found = gu.theory.constant_direction_gradient(x, y, tau, direction)
    for run in range(2):
        alone = gu.theory.constant_direction_gradient(x[run], y[run], float(tau[run]), direction)
        torch.testing.assert_close(found[run], alone)


def test_gap_is_frozen_where_the_matrices_are_doubly_stochastic() -> None:
    """A circulant configuration: every point receives mass 1, yet the loss is far from zero."""
    angle = 2 * torch.pi * torch.arange(6, dtype=torch.float64) / 6
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    x = torch.nn.functional.pad(ring, (0, 1))
    y = torch.nn.functional.pad(1.5 * ring, (0, 1), value=0.8)
    mass_x, mass_y = gu.theory.received_mass(x, y, 1.0)
    torch.testing.assert_close(torch.cat([mass_x, mass_y]), torch.ones(12, dtype=x.dtype))
    slope = gu.theory.gradient(x, y, 1.0)
    assert slope[:, 2].abs().max() < 1e-14
    assert slope[:, :2].norm() > 0.1


def test_mean_gap_across_the_modalities_stays_to_rounding_over_training() -> None:
    x, y = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, -1], y[:, -1] = 0.0, 1.0
    run = gu.theory.simulate(x, y, tau=0.5, lr=0.05, steps=1, record=2)
    moved = run.y[-1, :, -1].mean() - run.x[-1, :, -1].mean()
    assert moved.item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("gap", "shrinks"), [(2.0, True), (1.2, True), (0.8, False), (0.2, False)])
def test_sums_along_the_gap_shrink_exactly_above_the_temperature(gap: float, shrinks: bool) -> None:
    """Of pairs whose difference is the gap alone."""
    factors = gu.theory.step_factors(gap, 1.0, 0.5, 16)
    assert (factors.along_sum < 1) == shrinks
    x, _ = gu.theory.two_clusters(1, 16, 4, gap=0, spread=1e-5, dtype=torch.float64, seed=2)
    y = x.clone()
    y[..., 0] += gap
    run = gu.theory.simulate(x, y, tau=1.0, lr=0.5, steps=3)
    variance = run.frame()["variance_along_gap"].to_numpy()
    assert (variance[-1] < variance[0]) == shrinks
    assert variance[1] / variance[0] == pytest.approx(factors.along_sum**2, rel=1e-3)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 3.0])
def test_variance_of_random_pairs_begins_to_fall_at_every_gap(ratio: float) -> None:
    tau, lr, n = 0.4, 0.02, 64
    gap, kappa = (ratio * tau) ** 0.5, 4 * lr / (tau * n)
    x, y = gu.theory.two_clusters(400, n, 3, gap=gap, spread=1e-5, dtype=torch.float64, seed=1)
    frame = gu.theory.simulate(x, y, tau=tau, lr=lr, steps=1).frame()
    along, across = (
        frame.groupby("step")[name].mean() for name in ("variance_along_gap", "variance_across")
    )
    told = -2 * kappa * ratio + kappa**2 * (1 + ratio**2)
    chance = 2 * kappa / (400 * n) ** 0.5
    assert along[1] / along[0] - 1 == pytest.approx(told, abs=4 * chance)
    assert across[1] / across[0] - 1 == pytest.approx(kappa**2, abs=4 * chance)


@pytest.mark.parametrize(("gap", "tau"), [(1.0, 0.2), (1.7, 0.9), (0.4, 0.3)])
def test_linear_dynamics_predict_the_first_steps(gap: float, tau: float) -> None:
    x, y = gu.theory.two_clusters(6, 32, 8, gap=gap, spread=1e-4, dtype=torch.float64)
    run = gu.theory.simulate(x, y, tau=tau, lr=0.02, steps=10)
    for steps in (0, 10):
        place = run.steps.index(steps)
        measured = gu.theory.gap_measures(run.x[place], run.y[place])["variance_along_gap"]
        predicted = gu.theory.predicted_variance_along_gap(x, y, tau, 0.02, steps)
        torch.testing.assert_close(measured, predicted, rtol=0.01, atol=0)


@pytest.mark.parametrize(("gap", "tau"), [(1.0, 0.5), (1.5, 0.4), (0.3, 0.7)])
@pytest.mark.parametrize("sign", [1, -1])
def test_factors_along_and_across_the_gap(gap: float, tau: float, sign: int) -> None:
    """What one step makes of the sums and the differences of pairs."""
    x, y = gu.theory.two_clusters(1, 16, 4, gap=gap, spread=1e-6, dtype=torch.float64)
    run = gu.theory.simulate(x, y, tau=tau, lr=0.1, steps=1, record=2)
    factors = gu.theory.step_factors(gap, tau, 0.1, 16)
    expected = {
        1: (factors.along_sum, factors.across_sum),
        -1: (factors.along_difference, factors.across_difference),
    }
    before, after = (run.x[t, 0] + sign * run.y[t, 0] for t in (0, -1))
    before, after = (m - m.mean(0) for m in (before, after))
    for part, factor in zip((slice(1), slice(1, None)), expected[sign], strict=True):
        torch.testing.assert_close(after[:, part], factor * before[:, part], rtol=2e-3, atol=1e-10)


def test_factors_beyond_all_numbers_are_infinite() -> None:
    assert gu.theory.step_factors(1e200, tau=1, lr=0.1, n=4)[:2] == (-math.inf, -math.inf)


@pytest.mark.parametrize("length", [1e-60, 1e-30, 1e30, 1e200])
def test_a_direction_may_have_any_length(length: float) -> None:
    x, y = gu.theory.two_clusters(1, 6, 3, gap=1.0, spread=0.3)
    ones = np.ones(3)
    found = gu.theory.constant_direction_gradient(x, y, 0.5, length * ones)
    torch.testing.assert_close(found, gu.theory.constant_direction_gradient(x, y, 0.5, ones))


def test_without_a_gap_nothing_varies_along_it() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert float(gu.theory.predicted_variance_along_gap(x, x.flip(0), 0.5, 0.1, 3)) == 0
