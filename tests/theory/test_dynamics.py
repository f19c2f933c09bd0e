"""Gradient flow: the same as a plain loop, batched over seeds and settings, on both spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.theory import dynamics


def start(
    runs: int, dtype: torch.dtype = torch.float64, sphere: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    return gu.theory.two_clusters(
        runs, 10, 5, gap=1.0, spread=0.2, dtype=dtype, sphere=sphere, seed=5
    )


def plain_descent(
    x: torch.Tensor, y: torch.Tensor, tau: float, lr: float, steps: int, sphere: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    for _ in range(steps):
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        slopes = torch.autograd.grad(gu.theory.contrastive_loss(x, y, tau).sum(), (x, y))
        points = []
        for point, slope in zip((x.detach(), y.detach()), slopes, strict=True):
            if sphere:
                slope = slope - (slope * point).sum(-1, keepdim=True) * point
            moved = point - lr * slope
            points.append(moved / moved.norm(dim=-1, keepdim=True) if sphere else moved)
        x, y = points
    return x, y


@pytest.mark.parametrize("sphere", [False, True])
@pytest.mark.parametrize("tau", [0.15, 0.8])
def test_steps_are_those_of_autograd(sphere: bool, tau: float) -> None:
    x, y = start(3, sphere=sphere)
    run = gu.theory.simulate(x, y, tau=tau, lr=0.05, steps=25, sphere=sphere)
    expected_x, expected_y = plain_descent(x, y, tau, 0.05, 25, sphere)
    torch.testing.assert_close(run.x[-1], expected_x, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(run.y[-1], expected_y, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sphere", [False, True])
def test_a_batch_of_settings_is_each_setting_alone(sphere: bool) -> None:
    x, y = (side.expand(4, 3, 10, 5) for side in start(3, sphere=sphere))
    tau, lr = torch.tensor([0.1, 0.2, 0.5, 1.0]), torch.tensor([0.02, 0.05, 0.1])
    settings = {"tau": tau[:, None].expand(4, 3), "lr": lr.expand(4, 3), "sphere": sphere}
    batched = gu.theory.simulate(x, y, **settings, steps=20)
    for i in range(4):
        for j in range(3):
            alone = gu.theory.simulate(
                x[i, j], y[i, j], tau=float(tau[i]), lr=float(lr[j]), steps=20, sphere=sphere
            )
            torch.testing.assert_close(batched.x[:, i, j], alone.x)
            torch.testing.assert_close(batched.y[:, i, j], alone.y)


@pytest.mark.parametrize(
    ("threads", "runs", "n", "device", "parts"),
    [
        (2, 7, 128, "cpu", [(0, 3, 1), (3, 7, 1)]),
        (8, 7, 128, "cpu", [(0, 2, 1), (2, 4, 1), (4, 7, 1)]),
        (2, 4, 128, "cpu", [(0, 2, 1), (2, 4, 1)]),
        (3, 2, 512, "cpu", [(0, 1, 1), (1, 2, 1)]),
        (3, 1, 512, "cpu", [(None, None, 3)]),
        (2, 2, 128, "cpu", [(None, None, 2)]),
        (3, 3, 8, "cpu", [(None, None, 1)]),
        (2, 7, 128, "meta", [(None, None, 2)]),
    ],
)
def test_runs_are_shared_evenly_and_each_thread_computes_alone(
    threads: int,
    runs: int,
    n: int,
    device: str,
    parts: list[tuple[int | None, int | None, int]],
    with_threads: Callable[[int], Any],
) -> None:
    seen = []

    def work(part: slice) -> None:
        seen.append((part.start, part.stop, torch.get_num_threads()))

    with with_threads(threads):
        dynamics._share_among_threads(work, runs, n, torch.device(device))
        assert torch.get_num_threads() == threads
    assert sorted(seen, key=str) == parts


@pytest.mark.parametrize("n", [8, 128])
def test_an_error_of_one_thread_is_that_of_all_and_leaves_their_number(
    n: int, with_threads: Callable[[int], Any]
) -> None:
    def work(part: slice) -> None:
        raise ArithmeticError(str(part))

    with with_threads(2):
        with pytest.raises(ArithmeticError, match="slice"):
            dynamics._share_among_threads(work, 7, n, torch.device("cpu"))
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_runs_shared_among_threads_are_those_of_one(
    threads: int, with_threads: Callable[[int], Any]
) -> None:
    x, y = gu.theory.two_clusters(7, 128, 4, gap=1.0, spread=0.2, dtype=torch.float64, seed=5)
    with with_threads(threads):
        found = gu.theory.simulate(x, y, tau=0.5, lr=0.1, steps=20)
        gu.theory.simulate(x[:, :4], y[:, :4], tau=0.5, lr=0.1, steps=20)
        assert torch.get_num_threads() == threads
    for run in range(7):
        alone = gu.theory.simulate(x[run], y[run], tau=0.5, lr=0.1, steps=20)
        torch.testing.assert_close(found.x[:, run], alone.x, rtol=1e-12, atol=1e-12)


def test_settings_in_a_list_are_as_exact_as_a_number() -> None:
    x, y = start(2)
    listed = gu.theory.simulate(x, y, tau=[0.3, 0.3], lr=[0.1, 0.1], steps=5)
    plain = gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=5)
    assert torch.equal(listed.x, plain.x)


def test_sphere_keeps_unit_norm_whatever_the_start() -> None:
    x, y = start(2)
    run = gu.theory.simulate(3 * x, 3 * y, tau=0.3, lr=0.1, steps=30, sphere=True)
    norms = torch.cat([run.x.norm(dim=-1), run.y.norm(dim=-1)])
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_snapshots_start_with_the_start_and_end_with_the_end() -> None:
    x, y = start(2)
    run = gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=40, record=[3, 17])
    assert run.steps == (0, 3, 17, 40)
    torch.testing.assert_close(run.x[0], x)
    assert run.x.shape == (4, 2, 10, 5)
    middle = gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=17, record=2)
    torch.testing.assert_close(run.y[2], middle.y[-1])


@pytest.mark.parametrize(
    ("steps", "record", "kept"),
    [
        (1000, 5, (0, 1, 10, 100, 1000)),
        (1000, np.int64(2), (0, 1, 1000)),
        (3, 60, (0, 1, 2, 3)),
        (40, [17, 3, 17], (0, 3, 17, 40)),
        (40, [0, 40], (0, 40)),
        (40, [], (0, 40)),
    ],
)
def test_recorded_steps(steps: int, record: int | list[int], kept: tuple[int, ...]) -> None:
    x, y = start(1)
    assert gu.theory.simulate(x, y, tau=0.3, lr=0.01, steps=steps, record=record).steps == kept


def test_sixty_snapshots_unless_asked_otherwise() -> None:
    x, y = start(1)
    plain = gu.theory.simulate(x, y, tau=0.3, lr=0.01, steps=500)
    assert plain.steps == gu.theory.simulate(x, y, tau=0.3, lr=0.01, steps=500, record=60).steps
    assert len(plain.steps) > 40
    assert plain.sphere is False
    assert gu.theory.simulate(x, y, tau=0.3, lr=0.01, steps=1, sphere=True).sphere is True


def test_divergence_is_told_though_it_came_at_the_last_step() -> None:
    x, y = (side.float() for side in start(1))
    with pytest.raises(ValueError, match=r"^lr: the descent diverged within 1 steps"):
        gu.theory.simulate(x, y, tau=1e-30, lr=1e30, steps=1)


def test_frame_is_tidy_and_agrees_with_the_loss() -> None:
    x, y = start(3)
    run = gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=40, record=8)
    frame = run.frame()
    assert len(frame) == 3 * len(run.steps)
    assert not frame.isna().any().any()
    assert list(frame.columns[:4]) == ["run", "step", "tau", "lr"]
    measures = gu.theory.training_measures(x, y, 0.3)
    assert list(frame.columns[4:]) == list(measures)
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    assert frame["step"].tolist() == [*run.steps] * 3
    assert frame["run"].tolist() == np.repeat(range(3), len(run.steps)).tolist()
    row = frame[(frame["run"] == 2) & (frame["step"] == 40)].iloc[0]
    loss = gu.theory.contrastive_loss(run.x[-1, 2], run.y[-1, 2], 0.3)
    assert row["loss"] == pytest.approx(loss.item())
    assert row["gap"] == pytest.approx((run.y[-1, 2].mean(0) - run.x[-1, 2].mean(0)).norm().item())
    last = frame[frame["step"] == 40].reset_index(drop=True)
    assert run.final().equals(last)


def test_dtype_is_that_of_the_start() -> None:
    for dtype in (torch.float32, torch.float64):
        x, y = start(2, dtype)
        assert gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=5).x.dtype == dtype


def test_the_start_is_left_as_it_was() -> None:
    x, y = start(2)
    before = x.clone()
    gu.theory.simulate(x, y, tau=0.3, lr=0.1, steps=5)
    assert torch.equal(x, before)


def test_an_offset_of_all_points_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (0.25 * torch.randn(2, 20, 5, generator=generator)).mul(4096).round().div(4096)
    near, far = (
        gu.theory.simulate(x + shift, y + shift + 0.25, tau=0.1, lr=0.01, steps=300)
        for shift in (0.0, 1024.0)
    )
    torch.testing.assert_close(far.x[-1] - 1024, near.x[-1], atol=2e-3, rtol=0)
    torch.testing.assert_close(far.y[-1] - 1024, near.y[-1], atol=2e-3, rtol=0)


def test_two_clusters_lose_their_loss_and_keep_their_gap() -> None:
    """Fig. 4 of the paper at the book's defaults, ten seeds."""
    x, y = gu.theory.two_clusters(10, 64, 16, gap=1.0, spread=0.1)
    run = gu.theory.simulate(x, y, tau=0.1, lr=0.1, steps=3000)
    first, last = run.frame().query("step == 0").reset_index(), run.final()
    assert last["loss"].max() < 0.01
    assert (last["gap"] / first["gap"]).min() > 1 / 3
    assert last["cosine_with_gap"].max() < 0.05
