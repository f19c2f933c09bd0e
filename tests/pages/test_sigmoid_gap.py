"""The experiments of the page on the sigmoid's gap."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import sigmoid_gap
from gaputils.pages.figures import sigmoid_gap as figures

CLOUD = {"runs": 2, "n": 12, "d": 6, "tau": 0.4, "spread": 0.1}
MANY = {"runs": 2, "n": 32, "d": 8, "spread": 0.1}


def test_clusters_are_flat_and_as_far_apart_as_asked() -> None:
    x, y = sigmoid_gap.flat_clusters([0.5, 2.0], runs=3, n=8, d=4, spread=0.2)
    assert x.shape == y.shape == (2, 3, 8, 4)
    gaps = sigmoid_gap.along(x, y)
    torch.testing.assert_close(gaps, torch.tensor([[0.5] * 3, [2.0] * 3], dtype=x.dtype))
    for side in (x, y):
        assert side[..., 0].std(-1).max() == 0
        assert side[..., 1:].mean(-2).abs().max() < 1e-15
        assert torch.equal(side[0, ..., 1:], side[1, ..., 1:])


def test_ends_are_of_every_loss_start_and_run() -> None:
    table = sigmoid_gap.where_it_ends([0.5, 2.0], bias=8.0, lr=0.5, steps=1200, tau=0.5, **MANY)
    assert len(table) == 3 * 2 * 2
    gap = table.groupby(["loss", "start"])["gap"].median()
    softmax, fixed, trained = (
        gap[loss] for loss in (sigmoid_gap.SOFTMAX, sigmoid_gap.FIXED, sigmoid_gap.TRAINED)
    )
    np.testing.assert_allclose(softmax, [0.5, 2.0], rtol=0.05)
    assert np.ptp(fixed) < 0.1 * fixed.max()
    assert 0 < trained[0.5] < trained[2.0] < 2.0


def test_with_a_fixed_bias_the_start_is_forgotten_and_the_gap_melts_on() -> None:
    how = {"bias": 8.0, "lr": 0.5, "steps": 1200, "tau": 0.5}
    table = sigmoid_gap.melting([0.5, 2.0], 6, **how, **MANY)
    ends = sigmoid_gap.where_it_ends([0.5, 2.0], **how, **MANY)
    fixed = ends[ends["loss"] == sigmoid_gap.FIXED].pivot(
        index="run", columns="start", values="gap"
    )
    np.testing.assert_allclose(table.loc[1200], fixed.min(), rtol=1e-9)
    assert list(table.index) == [0, 1200, 7200]
    assert np.ptp(table.loc[1200]) < 0.1 * table.loc[1200].max()
    assert (table.loc[7200] < 0.7 * table.loc[1200]).all()


def test_paths_keep_to_what_is_conserved() -> None:
    table = sigmoid_gap.paths(1.5, 0.0, [2.0, 8.0], lr=0.05, steps=800, tau=0.2, **MANY)
    assert (table["predicted"] / table["gap"] - 1).abs().max() < 0.02
    last = sigmoid_gap.ends(table)
    assert last["rate"].tolist() == [2.0, 8.0]
    assert last["gap"].is_monotonic_increasing
    first = table[table["step"] == 0]
    assert (first["bias"] == 0).all()
    np.testing.assert_allclose(first["gap"], 1.5)


def test_growth_crosses_zero_where_told() -> None:
    cloud = {**CLOUD, "spread": 1e-4}
    table = sigmoid_gap.growth([0.25, 0.5, 0.6, 1.0, 1.5], **cloud)
    assert (table["growth"] - table["predicted"]).abs().max() < 1e-2
    assert sigmoid_gap.crossing(table, "sigmoid") == pytest.approx(12 / 22, abs=1e-2)
    assert sigmoid_gap.crossing(table, "softmax") == pytest.approx(1, abs=1e-2)


def test_identity_holds() -> None:
    error = sigmoid_gap.identity_error(gap=0.7, bias=1.0, runs=3, n=8, d=4, tau=0.5)
    assert error < 1e-10


def test_few_rows_have_their_gap_and_its_spread() -> None:
    random = np.random.default_rng(0)
    queries, gallery = random.normal(size=(2, 12, 40)) + np.eye(40)[[0, 1]][:, None] * 20
    e = gu.Embeddings(queries, gallery)
    found = sigmoid_gap.few(e, 12)
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, gallery)]
    assert found["gap"] == pytest.approx(np.linalg.norm(unit[0].mean(0) - unit[1].mean(0)))
    assert found["low"] < found["high"]
    pairs = np.triu_indices(12, 1)
    assert found["images"] == pytest.approx((unit[0] @ unit[0].T)[pairs].mean())
    assert found["texts"] == pytest.approx((unit[1] @ unit[1].T)[pairs].mean())
    assert found["between"] == pytest.approx((unit[0] @ unit[1].T).mean())


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(name: str) -> gu.Embeddings:
        raise gu.datasets.DataUnavailable(f"put {name} there")

    monkeypatch.setattr(sigmoid_gap, "published", unavailable)
    table, missing = sigmoid_gap.shown({"SigLIP2": "siglip2-naflex"}, 12)
    assert len(table) == 0
    assert (
        missing == "The published embeddings siglip2-naflex are not here (put siglip2-naflex there)"
    )


def test_twelve_rows_of_siglip2(published: Callable[[str], gu.Embeddings]) -> None:
    found = sigmoid_gap.few(published("siglip2-naflex"), 12)
    assert found["gap"] == pytest.approx(1.2217, abs=1e-3)
    assert found["low"] < found["gap"] < found["high"] + 0.05
    assert found["images"] == pytest.approx(0.885, abs=1e-3)


def test_figures_draw_every_curve() -> None:
    ends = sigmoid_gap.where_it_ends([0.5, 1.0], bias=2.0, lr=0.1, steps=3, **CLOUD)
    walk = sigmoid_gap.paths(1.0, 0.0, [0.5, 1.0, 2.0], lr=0.02, steps=3, **CLOUD)
    growth = sigmoid_gap.growth([0.5, 1.0], **CLOUD)
    _, axes = plt.subplots(1, 3)
    labels = [
        figures.where_it_ends(ends, axes[0]).get_legend_handles_labels()[1],
        figures.paths(walk, axes[1]).get_legend_handles_labels()[1],
        figures.growth(growth, axes[2]).get_legend_handles_labels()[1],
    ]
    plt.close("all")
    assert labels == [
        [sigmoid_gap.SOFTMAX, sigmoid_gap.FIXED, sigmoid_gap.TRAINED],
        ["r = 0.5", "r = 1", "r = 2"],
        ["softmax", "sigmoid"],
    ]
