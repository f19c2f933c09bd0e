"""Frames of the page on what closing cannot do, against direct computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.evaluation.protocol import paired_gain
from gaputils.pages import survival, trade_off
from tests.pages.test_survival import NOISE, pairs


def test_leading_directions_keep_the_most_and_unit_norms() -> None:
    e = pairs()
    short = trade_off.leading(e, 3)
    assert short.dim == 3
    torch.testing.assert_close(short.gallery.norm(dim=1), torch.ones(20, dtype=torch.float64))
    whole = trade_off.leading(e, e.dim)
    torch.testing.assert_close(whole.queries @ whole.gallery.T, e.queries @ e.gallery.T)


def test_noise_on_the_queries_is_not_helped_by_closing() -> None:
    blocks = survival.tasks(pairs(), 10)
    frame = trade_off.where_noise_falls(blocks, trade_off.FAITHFUL, 0.3, draws=20)
    assert frame["noise on the queries"].nunique() == 1
    assert frame["noise on the gallery"].is_monotonic_increasing
    noise = gu.GaussianNoise(0.3, on="queries")
    kept = [gu.estimate(block.queries, block.gallery, noise, draws=400)[0].mean for block in blocks]
    assert frame.iloc[0]["noise on the queries"] == pytest.approx(np.mean(kept), abs=0.06)


def test_the_shift_fitted_on_other_queries() -> None:
    block = survival.tasks(pairs(), 20)[0]
    frame = trade_off.fitted_on_others([block], [10, 1], NOISE, draws=4).set_index("fitted on")
    assert list(frame.index) == ["10", "1", "themselves"]
    these = block.queries[10:]
    shift = gu.MeanShift().fit(block.queries[:10], block.gallery).transform(these, block.gallery)
    gain = gu.robustness(*shift, NOISE, scoring="cosine") - gu.robustness(
        these, block.gallery, NOISE, scoring="cosine"
    )
    assert frame.loc["10", "gain"] == pytest.approx(float(gain.mean()))
    error = paired_gain(gain, torch.zeros(len(gain)))[1]
    assert frame.loc["10", "gain_error"] == pytest.approx(error, rel=0.1)
    assert frame.loc["themselves", "gain"] >= frame.loc["10", "gain"]
    assert frame.loc["1", "gain_error"] > 0
    assert (frame["unchanged"] == 1).all()


def test_a_gallery_that_grew_is_mended_by_add() -> None:
    e = pairs()
    row = trade_off.grown(e, [8], NOISE).iloc[0]
    assert row["off the hull"] == 12
    assert row["unchanged"] < 1
    assert row["unchanged after add"] == 1
    whole = gu.HullProjection(center=True).fit_transform(e.queries, e.gallery)
    expected = gu.robustness(*whole, NOISE, scoring="cosine").mean()
    assert row["robustness after add"] == pytest.approx(float(expected), abs=1e-6)
    assert 0 < row["robustness error"] < 0.2
