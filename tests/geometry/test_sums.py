"""Moments of rows that are summed block by block."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gaputils.geometry import Moments, sums


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_streamed_rows_have_the_moments_of_all(dtype: type, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sums, "_AT_ONCE", 3000)
    rows = np.random.default_rng(0).normal(1.0, np.arange(1, 7), (7000, 6)).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    found = sums.streamed("gallery", np.load(tmp_path / "rows.npy", mmap_mode="r"))
    whole = Moments.of(rows)
    assert (found.count, found.epsilon, found.rank) == (7000, whole.epsilon, 6)
    torch.testing.assert_close(found.mean, whole.mean)
    torch.testing.assert_close(found.covariance, whole.covariance)


def test_sums_are_left_as_they_were() -> None:
    none = sums.Sums.none(3)
    some = none.and_of("queries", torch.eye(3))
    more = some.and_of("queries", torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"^gallery: no rows yet, call update\(gallery=…\)"):
        none.moments("gallery")
    assert some.moments("queries").count == 3
    assert more.moments("queries").count == 5
    assert some.norms.tolist() == [1.0, 1.0]
    assert more.norms.tolist() == pytest.approx([1.0, 3**0.5])


def test_a_report_does_not_wait_for_torchmetrics() -> None:
    code = "import sys, gaputils.evaluation.report; assert 'torchmetrics' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_streamed_rows_go_by_their_name(monkeypatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sums, "bar", lambda starts, **how: told.append(how["desc"]) or starts)
    with pytest.raises(ValueError, match=r"^gallery: "):
        sums.streamed("gallery", np.full((3, 2), np.nan))
    assert told == ["statistics of the gallery"]
    with pytest.raises(ValueError, match=r"^gallery: no rows yet"):
        sums.streamed("gallery", np.empty((0, 2)))
