"""A task of unit rows with a gap, for the tests of the pages."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import torch
import torch.nn.functional as F

import gaputils as gu

mpl.use("agg")


QUICK = {"original": None, "mean shift": gu.MeanShift(), "hull": gu.HullProjection(radius="auto")}


def task(n: int = 60, m: int = 8, d: int = 24, seed: int = 0) -> gu.Embeddings:
    """Unit-norm clouds with a gap; queries near their targets."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(m, d, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, m, (n,), generator=generator)
    noise = torch.randn(n, d, generator=generator, dtype=torch.float64)
    offset = 2 * torch.eye(d, dtype=torch.float64)
    queries = F.normalize(items[targets] + noise + offset[0], dim=1)
    return gu.Embeddings(queries, F.normalize(items - offset[1], dim=1), targets)


def row(frame: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]
