"""The sigmoid loss: its gradient, what its gap and its bias have to do with each other."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid, normalize

import gaputils as gu

sigmoid = gu.theory.sigmoid
Seeds = st.integers(0, 2**31)


def points(seed: int, n: int = 7, d: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x, y


def flat(seed: int, gap: float, n: int, d: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two clusters that are constant in their first coordinate, `gap` apart there alone."""
    x, y = (spread * side for side in points(seed, n, d))
    x, y = x - x.mean(0), y - y.mean(0)
    x[:, 0], y[:, 0] = -gap / 2, gap / 2
    return x, y


def by_hand(x: torch.Tensor, y: torch.Tensor, tau: float, bias: float) -> float:
    total = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            logit = bias - float(((x[i] - y[j]) ** 2).sum()) / tau
            total += math.log1p(math.exp(-logit if i == j else logit))
    return total / len(x)


@settings(max_examples=20, deadline=None)
@given(Seeds, st.sampled_from([0.3, 1.0, 4.0]), st.floats(-5, 9))
def test_loss_is_the_sum_of_its_pairs(seed: int, tau: float, bias: float) -> None:
    x, y = points(seed)
    assert float(sigmoid.loss(x, y, tau, bias)) == pytest.approx(by_hand(x, y, tau, bias), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(Seeds, st.sampled_from([0.1, 1.0, 5.0]), st.floats(-5, 9))
def test_gradients_match_autograd(seed: int, tau: float, bias: float) -> None:
    x, y = (side.requires_grad_() for side in points(seed))
    b = torch.tensor(bias, dtype=torch.float64, requires_grad=True)
    logits = b - torch.cdist(x, y) ** 2 / tau
    loss = -logsigmoid((2 * torch.eye(len(x), dtype=x.dtype) - 1) * logits).sum() / len(x)
    expected = torch.autograd.grad(loss, (x, y, b))
    for found, known in zip(sigmoid.gradients(x, y, tau, bias), expected, strict=True):
        assert (found - known).abs().max() < 1e-10 * known.abs().max().clamp_min(1)
    assert torch.equal(sigmoid.gradient(x, y, tau, bias), sigmoid.gradients(x, y, tau, bias)[1])


def test_loss_differentiates_to_the_closed_form() -> None:
    x, y = points(3)
    (slope,) = torch.autograd.grad(sigmoid.loss(x, y.requires_grad_(), 0.7, 2.0), y)
    torch.testing.assert_close(slope, sigmoid.gradient(x, y, 0.7, 2.0), rtol=0, atol=1e-10)


def test_under_autocast_loss_and_gradients_are_those_without() -> None:
    x, y = torch.randn(2, 30, 64, generator=torch.Generator().manual_seed(0))
    plain = sigmoid.loss(x, y, 0.5, 2.0), *sigmoid.gradients(x, y, 0.5, 2.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = sigmoid.loss(x, y, 0.5, 2.0), *sigmoid.gradients(x, y, 0.5, 2.0)
    assert all(map(torch.equal, found, plain))


def test_gradient_far_from_the_origin() -> None:
    x, y = points(1)
    near = sigmoid.gradient(x, y, 0.5, 2.0)
    torch.testing.assert_close(
        sigmoid.gradient(x + 1e6, y + 1e6, 0.5, 2.0), near, atol=1e-7, rtol=0
    )


def test_a_batch_is_its_runs_with_settings_of_their_own() -> None:
    runs = [points(seed) for seed in (0, 1)]
    x, y = (torch.stack(sides) for sides in zip(*runs, strict=True))
    tau, bias = torch.tensor([0.4, 0.9]).double(), torch.tensor([-1.0, 3.0]).double()
    losses, slopes = sigmoid.loss(x, y, tau, bias), sigmoid.gradients(x, y, tau, bias)
    for run, pair in enumerate(runs):
        how = (float(tau[run]), float(bias[run]))
        torch.testing.assert_close(losses[run], sigmoid.loss(*pair, *how))
        for part, alone in zip(slopes, sigmoid.gradients(*pair, *how), strict=True):
            torch.testing.assert_close(part[run], alone)


def test_on_the_sphere_it_is_siglips_own_loss() -> None:
    """`t x.y + b` with t = 2/tau and b = bias - 2/tau, the form of the paper and of open_clip."""
    x, y = (normalize(side, dim=-1) for side in points(5))
    tau, bias = 0.2, 1.5
    logits = 2 / tau * x @ y.mT + (bias - 2 / tau)
    labels = 2 * torch.eye(len(x), dtype=x.dtype) - 1
    known = -logsigmoid(labels * logits).sum() / len(x)
    torch.testing.assert_close(sigmoid.loss(x, y, tau, bias), known)


@settings(max_examples=30, deadline=None)
@given(Seeds, st.floats(0.1, 3), st.sampled_from([0.2, 0.7, 2.0]), st.floats(-3, 8))
def test_along_a_constant_direction_the_gap_rests_with_the_bias(
    seed: int, gap: float, tau: float, bias: float
) -> None:
    x, y = flat(seed, gap, 6, 4, 0.5)
    basis = torch.linalg.qr(points(seed, 4)[0])[0]
    v = basis[0]
    x, y = x @ basis, y @ basis
    slope_x, slope_y, slope_bias = sigmoid.gradients(x, y, tau, bias)
    mass = sigmoid.probabilities(x, y, tau, bias).sum(0)
    assert torch.allclose(6 * slope_y @ v, 2 / tau * (1 - mass) * gap, atol=1e-10)
    total = -2 / tau * gap * 6 * float(slope_bias)
    assert float(6 * slope_y.sum(0) @ v) == pytest.approx(total, abs=1e-9)
    assert float(6 * slope_x.sum(0) @ v) == pytest.approx(-total, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(Seeds, st.floats(0.1, 3), st.floats(-2, 2), st.floats(-3, 8))
def test_under_inner_products_the_gap_rests_with_the_bias_too(
    seed: int, gap: float, middle: float, bias: float
) -> None:
    """`d gap / dt = -(s gap / (N r)) d bias / dt` of gradient flow with the logits s x.y + b."""
    x, y = (side + middle for side in flat(seed, gap, 6, 4, 0.5))
    scale, n, rate = 1.7, 6, 3.0
    b = torch.tensor(bias, dtype=torch.float64)
    for part in (x, y, b):
        part.requires_grad_()
    logits = scale * x @ y.mT + b
    loss = -logsigmoid((2 * torch.eye(n, dtype=x.dtype) - 1) * logits).sum() / n
    slope_x, slope_y, slope_bias = torch.autograd.grad(loss, (x, y, b))
    moved = -(slope_y - slope_x)[:, 0].mean()
    torch.testing.assert_close(moved, scale * gap / (n * rate) * rate * slope_bias)


@settings(max_examples=20, deadline=None)
@given(Seeds, st.floats(0.1, 3), st.floats(0.1, 3))
def test_the_loss_knows_gap_and_bias_through_one_number(
    seed: int, first: float, second: float
) -> None:
    tau, bias = 0.8, 1.0
    one = sigmoid.loss(*flat(seed, first, 6, 4, 0.5), tau, bias)
    moved = bias + (second**2 - first**2) / tau
    torch.testing.assert_close(one, sigmoid.loss(*flat(seed, second, 6, 4, 0.5), tau, moved))


def growth(gap: float, tau: float, n: int, softmax: bool, seed: int = 0) -> float:
    """By how much, in its own unit, one small step changes the pairs' sums along the gap."""
    x, y = points(seed, n)
    x, y = (1e-5 * (side - side.mean(0)) for side in (x, y))
    y[:, 0] += gap
    bias = float(sigmoid.stationary_bias(gap, tau, n))
    if softmax:
        slope_x, slope_y = gu.theory.gradients(x, y, tau)
    else:
        slope_x, slope_y, _ = sigmoid.gradients(x, y, tau, bias)
    sums = (x + y)[:, 0] - (x + y)[:, 0].mean()
    change = -(slope_x + slope_y)[:, 0]
    return float((change - change.mean()) @ sums / (sums @ sums)) * tau * n / 2


@settings(max_examples=30, deadline=None)
@given(Seeds, st.integers(2, 12), st.floats(0.2, 3), st.sampled_from([0.9, 1.1]))
def test_tight_clusters_flatten_above_half_the_temperature(
    seed: int, n: int, tau: float, factor: float
) -> None:
    """Below and above (tau/2) N/(N-1); the softmax's own threshold is tau."""
    threshold = tau / 2 * n / (n - 1)
    found = growth(math.sqrt(factor * threshold), tau, n, softmax=False, seed=seed)
    assert found == pytest.approx(1 - factor, abs=1e-3)
    softmax = growth(math.sqrt(factor * tau), tau, n, softmax=True, seed=seed)
    assert softmax / 2 == pytest.approx(1 - factor, abs=1e-3)


def start(gaps: list[float], n: int = 32, d: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    runs = [flat(0, gap, n, d, 0.1) for gap in gaps]
    x, y = (torch.stack(sides) for sides in zip(*runs, strict=True))
    return x, y


@pytest.mark.parametrize(("bias_rate", "end"), [(0.5, 0.943), (2.0, 1.021), (8.0, 1.178)])
def test_where_the_bias_went_tells_the_final_gap(bias_rate: float, end: float) -> None:
    """Gradient flow keeps log G + 4 bias / (tau N bias_rate); small steps nearly do."""
    tau, n, gap = 0.2, 32, 1.5
    first = float(sigmoid.stationary_bias(gap, tau, n)) + 1.5
    x, y = start([gap])
    run = sigmoid.simulate(
        x, y, tau=tau, bias=first, lr=0.05, steps=2000, bias_rate=bias_rate, record=2
    )
    trained = float((run.y[-1, 0, :, 0] - run.x[-1, 0, :, 0]).mean())
    kept = float(sigmoid.conserved_quantity(gap, first, tau, n, bias_rate))
    moved = float(sigmoid.conserved_quantity(1.0, run.bias[-1, 0], tau, n, bias_rate))
    assert trained == pytest.approx(math.exp(kept - moved), rel=0.005)
    assert trained == pytest.approx(end, abs=0.03)


def test_with_a_fixed_bias_every_start_ends_at_one_gap_and_softmax_keeps_its_own() -> None:
    starts = [0.5, 1.0, 2.0]
    how = {"tau": 0.5, "lr": 0.5, "steps": 3000, "record": 2}
    run = sigmoid.simulate(*start(starts), bias=8.0, bias_rate=0, **how)
    ends = run.final()["gap"].to_numpy()
    assert ends.max() / ends.min() < 1.06
    assert 0.2 < ends.min() < 1.5
    assert (run.bias == 8).all()
    softmax = gu.theory.simulate(*start(starts), **how).final()["gap"].to_numpy()
    np.testing.assert_allclose(softmax, starts, rtol=0.05)


def test_frame_tells_what_was_trained() -> None:
    x, y = start([0.5, 1.0])
    rates = torch.tensor([0.0, 1.0], dtype=x.dtype)
    run = sigmoid.simulate(x, y, tau=0.5, bias=1.0, lr=0.1, steps=20, bias_rate=rates, record=[10])
    frame = run.frame()
    assert list(run.steps) == [0, 10, 20]
    assert frame[["run", "step"]].to_numpy().tolist() == [
        [r, s] for r in (0, 1) for s in (0, 10, 20)
    ]
    last = frame[(frame["run"] == 1) & (frame["step"] == 20)].iloc[0]
    assert last["bias_rate"] == 1
    assert last["bias"] == pytest.approx(float(run.bias[-1, 1]))
    assert last["loss"] == pytest.approx(by_hand(run.x[-1, 1], run.y[-1, 1], 0.5, last["bias"]))
    total = sigmoid.probabilities(run.x[-1, 1], run.y[-1, 1], 0.5, last["bias"]).sum()
    assert last["mass"] == pytest.approx(float(total) / 32)
    assert frame[frame["run"] == 0]["bias"].tolist() == [1.0] * 3
    settings = ["tau", "lr", "bias_rate", "bias", "loss", "mass"]
    assert run.final()["step"].tolist() == [20, 20]
    assert list(frame.columns)[:8] == ["run", "step", *settings]
    assert frame.index.tolist() == list(range(6))
    assert (frame["tau"] == 0.5).all()
    assert frame["lr"].to_numpy() == pytest.approx(0.1)
    pd.testing.assert_frame_equal(run.final(), frame[frame["step"] == 20].reset_index(drop=True))


def test_two_points_conserve_a_quantity_as_many_do() -> None:
    found = float(sigmoid.conserved_quantity(2.0, 0.5, 0.25, 2, 4.0))
    assert found == pytest.approx(math.log(2) + 4 * 0.5 / (0.25 * 2 * 4))


def test_one_step_is_the_gradient_s_and_the_bias_goes_at_its_own_rate() -> None:
    x, y = points(2)
    run = sigmoid.simulate(x, y, tau=0.7, bias=0.5, lr=0.3, steps=1, bias_rate=0.2)
    slope_x, slope_y, slope_bias = sigmoid.gradients(x, y, 0.7, 0.5)
    torch.testing.assert_close(run.x[-1], x - 0.3 * slope_x)
    torch.testing.assert_close(run.y[-1], y - 0.3 * slope_y)
    assert float(run.bias[-1]) == pytest.approx(0.5 - 0.06 * float(slope_bias))


def test_one_step_on_the_sphere_is_along_it_and_back_to_it() -> None:
    x, y = (normalize(side, dim=-1) for side in points(3))
    run = sigmoid.simulate(x, y, tau=0.2, bias=-1.0, lr=0.4, steps=1, sphere=True)
    slopes = sigmoid.gradients(x, y, 0.2, -1.0)
    for side, slope, moved in zip((x, y), slopes, (run.x[-1], run.y[-1]), strict=False):
        along = slope - (slope * side).sum(dim=1, keepdim=True) * side
        torch.testing.assert_close(moved, normalize(side - 0.4 * along, dim=-1))
    assert run.sphere


def test_a_descent_asks_for_its_defaults() -> None:
    x, y = points(4)
    how = {"tau": 0.5, "bias": 0.3, "lr": 0.1, "steps": 300}
    usual = sigmoid.simulate(x, y, **how)
    told = sigmoid.simulate(x, y, **how, bias_rate=1.0, sphere=False, record=60)
    assert usual.steps == told.steps
    assert torch.equal(usual.bias, told.bias)
    assert not usual.sphere


def test_a_descent_that_diverges_in_its_last_step_is_refused() -> None:
    x, y = points(5)
    with pytest.raises(ValueError, match=r"^lr: the descent diverged within 2 steps"):
        sigmoid.simulate(x, y, tau=0.5, bias=0.0, lr=1e200, steps=2, record=[1])


def test_sphere_steps_stay_on_it_and_go_down() -> None:
    x, y = gu.theory.two_clusters(3, 16, 6, gap=1.0, spread=0.2, sphere=True, dtype=torch.float64)
    run = sigmoid.simulate(2 * x, y, tau=0.2, bias=0.0, lr=0.02, steps=200, sphere=True)
    for side in (run.x, run.y):
        torch.testing.assert_close(side.norm(dim=-1), torch.ones_like(side[..., 0]))
    losses = run.frame().pivot_table(index="run", columns="step", values="loss")
    assert (losses.diff(axis=1).iloc[:, 1:] < 1e-12).all(axis=None)


def test_stationary_bias_lets_two_points_of_mass_rest() -> None:
    x = torch.zeros(5, 3, dtype=torch.float64)
    y = x.clone()
    y[:, 1] = 1.3
    bias = float(sigmoid.stationary_bias(1.3, 0.4, 5))
    for slope in sigmoid.gradients(x, y, 0.4, bias):
        assert slope.abs().max() < 1e-12


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("tau", 0.0, r"^tau: expected a number in \(0.0, inf\)"),
        ("tau", [0.5, -1.0], "^tau: expected positive finite numbers"),
        ("bias", float("nan"), r"^bias: expected a number in \(-inf, inf\)"),
        ("bias", [0.0, float("inf")], "^bias: expected finite numbers"),
        ("lr", -0.1, "^lr: expected"),
        ("bias_rate", -0.1, r"^bias_rate: expected a number in \[0.0, inf\)"),
        ("bias_rate", [0.0, -1.0], "^bias_rate: expected non-negative finite numbers"),
        ("steps", 0, "^steps: expected"),
        ("record", [5], "^record: expected steps up to 3"),
        ("y0", torch.zeros(2, 4, 2), r"^y0: expected shape \(2, 4, 3\)"),
        ("x0", torch.full((2, 4, 3), float("inf")), "^x0: expected finite"),
        ("lr", 1e30, "^lr: the descent diverged"),
    ],
)
def test_bad_input_is_named(argument: str, value: object, message: str) -> None:
    good = {"x0": torch.zeros(2, 4, 3), "y0": torch.ones(2, 4, 3) * torch.arange(3)}
    good |= {"tau": 0.5, "bias": 0.0, "lr": 0.1, "steps": 3}
    with pytest.raises(ValueError, match=message):
        sigmoid.simulate(**{**good, argument: value})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sigmoid.stationary_bias(1.0, 0.5, 1), "^n: expected"),
        (lambda: sigmoid.stationary_bias(-1.0, 0.5, 4), "^gap: expected finite numbers from 0"),
        (lambda: sigmoid.stationary_bias(1.0, [0.5, 0.0], 4), "^tau: expected finite numbers ab"),
        (lambda: sigmoid.conserved_quantity(0.0, 0.0, 0.5, 4, 1.0), "^gap: expected"),
        (lambda: sigmoid.conserved_quantity(1.0, np.nan, 0.5, 4, 1.0), "^bias: expected"),
        (lambda: sigmoid.conserved_quantity(1.0, 0.0, 0.0, 4, 1.0), "^tau: expected"),
        (lambda: sigmoid.conserved_quantity(1.0, 0.0, 0.5, 1, 1.0), "^n: expected"),
        (lambda: sigmoid.conserved_quantity(1.0, 0.0, 0.5, 4, 0.0), "^bias_rate: expected"),
    ],
)
def test_bad_numbers_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
