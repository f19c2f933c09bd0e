"""Two sides for the tests of closings."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def sides(n: int = 40, m: int = 40, d: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64):
    """Two unit-norm clouds with different means, spreads and axes."""
    generator = torch.Generator().manual_seed(seed)

    def cloud(rows: int, spread: float) -> torch.Tensor:
        middle = torch.randn(d, generator=generator, dtype=torch.float64)
        axes = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
        points = torch.randn(rows, d, generator=generator, dtype=torch.float64) @ axes
        return F.normalize(middle + spread * points, dim=1).to(dtype)

    return cloud(n, 0.7), cloud(m, 0.4)


def named(value: object) -> str:
    """A test's name for `value`, the same however NumPy prints: an array in it ends the name."""
    return repr(value).partition("array(")[0]
