"""Starts of training: where the two clusters lie, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu


def test_starts_are_symmetric_about_the_origin_and_the_runs_differ() -> None:
    how = {"gap": 3.0, "spread": 0.5, "dtype": torch.float64, "seed": 1}
    x, y = gu.theory.two_clusters(2, 5000, 3, **how)
    for side, sign in ((x, -1), (y, 1)):
        assert side.dtype == torch.float64
        centred = side - torch.tensor([sign * 1.5, 0.0, 0.0], dtype=torch.float64)
        assert centred.mean((0, 1)).abs().max() < 0.03
        assert centred.std((0, 1)).tolist() == pytest.approx([0.5] * 3, rel=0.05)
        assert not torch.equal(side[0], side[1])
    assert (x - y)[..., 1:].std().item() == pytest.approx(0.5 * 2**0.5, rel=0.05)
    tight = gu.theory.two_clusters(1, 2, 2, gap=0.2, spread=0, dtype=torch.float64)
    assert [side[0, 0].tolist() for side in tight] == [[-0.1, 0.0], [0.1, 0.0]]
    plain = gu.theory.two_clusters(2, 6, 3, gap=1.0, spread=0.1)
    told = gu.theory.two_clusters(2, 6, 3, gap=1.0, spread=0.1, sphere=False, dtype=torch.float32)
    assert all(torch.equal(*sides) for sides in zip(plain, told, strict=True))
    subspaces = gu.theory.two_clusters(2, 6, 3, gap=0.0, spread=1.0, rank=1)[0]
    lines = torch.nn.functional.normalize(subspaces[:, 0], dim=-1)
    assert abs(float(lines[0] @ lines[1])) < 0.99
    sphere = gu.theory.two_clusters(1, 6, 3, gap=1.2, spread=0.0, sphere=True)
    expected = [[-0.6, 0.8, 0.0], [0.6, 0.8, 0.0]]
    assert [side[0, 0].tolist() for side in sphere] == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("sphere", [False, True])
def test_starts_have_the_gap_and_the_rank_asked_for(rank: int | None, sphere: bool) -> None:
    x, y = gu.theory.two_clusters(
        4, 400, 6, gap=1.2, spread=0.01, rank=rank, sphere=sphere, dtype=torch.float64
    )
    gap = y.mean(-2) - x.mean(-2)
    torch.testing.assert_close(
        gap.norm(dim=-1), torch.full((4,), 1.2, dtype=x.dtype), rtol=0.01, atol=0
    )
    if sphere:
        torch.testing.assert_close(x.norm(dim=-1), torch.ones(4, 400, dtype=x.dtype))
    elif rank:
        assert (torch.linalg.matrix_rank(x - x.mean(-2, keepdim=True), rtol=1e-8) == rank).all()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("runs", 0), ("n", 1), ("d", 1), ("gap", 2.5), ("gap", -1.0), ("spread", -0.1), ("rank", 9)],
)
def test_starts(argument: str, value: float) -> None:
    settings: dict[str, Any] = {"runs": 2, "n": 4, "d": 3, "gap": 1.0, "spread": 0.1}
    with pytest.raises(ValueError, match=rf"^{argument}: expected"):
        gu.theory.two_clusters(**{**settings, argument: value}, sphere=True)


@pytest.mark.parametrize("rank", [None, 3])
def test_a_seed_gives_the_same_points(rank: int | None) -> None:
    first, again, other = (
        gu.theory.two_clusters(2, 5, 8, gap=1.0, spread=0.3, rank=rank, seed=seed)
        for seed in (4, 4, 5)
    )
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, np.float32, "float32", None])
def test_starts_in_another_precision(dtype: Any) -> None:
    with pytest.raises(TypeError, match=r"^dtype: expected torch.float32 or torch.float64, got"):
        gu.theory.two_clusters(1, 4, 3, gap=1.0, spread=0.1, dtype=dtype)


@pytest.mark.parametrize("argument", ["gap", "spread"])
def test_starts_that_single_precision_does_not_hold(argument: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}: expected a number in \[0, 4"):
        gu.theory.two_clusters(1, 4, 3, **{"gap": 1.0, "spread": 0.1, argument: 1e300})
