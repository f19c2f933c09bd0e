"""The table of closings agrees with its parts, one by one."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from gaputils.scoring import SCORINGS, nearest


@pytest.fixture
def sides() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(2, 30, 24, generator=generator, dtype=torch.float64)
    rows += torch.tensor([0.8, -0.8])[:, None, None]
    queries, gallery = torch.nn.functional.normalize(rows, dim=2)
    return queries, gallery[:7]


def test_every_row_is_what_its_parts_give(sides: tuple[torch.Tensor, torch.Tensor]) -> None:
    queries, gallery = sides
    noise = gu.GaussianNoise(0.3)
    targets = torch.arange(30) % 7
    frame = gu.compare_closings(
        queries, gallery, {"original": None, "shift": gu.MeanShift()}, {"n": noise}, targets=targets
    ).set_index(["method", "scoring"])
    moved = gu.MeanShift().fit(queries, gallery).transform(queries, gallery)
    for method, pair in (("original", sides), ("shift", moved)):
        for scoring in SCORINGS:
            expected = float(gu.robustness(*pair, noise, scoring=scoring).mean())
            assert frame.loc[(method, scoring), "robustness"] == pytest.approx(expected, abs=1e-12)
        for scoring in SCORINGS:
            right = float((nearest(*pair, scoring) == targets).double().mean())
            assert frame.loc[(method, scoring), "accuracy"] == pytest.approx(right)
    assert frame.loc[("shift", "euclidean"), "unchanged"] == 1
    assert (frame["standard_error"] == 0).all()


def test_targets_out_of_range_are_named(sides: tuple[torch.Tensor, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="targets"):
        gu.compare_closings(
            *sides, {"original": None}, {"n": gu.GaussianNoise(0.1)}, targets=torch.full((30,), 9)
        )
