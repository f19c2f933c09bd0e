"""Finding the gallery's hull beside a plain decomposition and a Gram matrix."""

from __future__ import annotations

import pytest
import torch

from gaputils import timing
from gaputils.closing.subspace import principal_components


@pytest.mark.parametrize("shape", [(500, 512), (20_000, 512), (100_000, 512)])
def test_hull(shape: tuple[int, int], benchmark, record) -> None:
    gallery = torch.randn(*shape, generator=torch.Generator().manual_seed(0))

    def centred() -> torch.Tensor:
        wide = gallery.double()
        return wide - wide.mean(0)

    def gram() -> object:
        rows = centred()
        return torch.linalg.eigh(rows.T @ rows)

    calls = {
        "package": lambda: principal_components(gallery),
        "plain": lambda: torch.linalg.svd(centred(), full_matrices=False),
        "gram": gram,
    }
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 3}, rounds=1)
    beside = timing.ratios(seconds, to="package")["ratio"]
    record(f"hull of {shape[0]:,} × {shape[1]}", seconds["package"].median(), "s")
    record(f"hull of {shape[0]:,} × {shape[1]}: plain decomposition", beside["plain"], "×")
    record(f"hull of {shape[0]:,} × {shape[1]}: Gram matrix", beside["gram"], "×")
