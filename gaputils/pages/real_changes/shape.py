"""The shape of a change: its part in the hull, and projections that know its covariance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.closing import Closing, HullProjection
from gaputils.closing.catalogue import fit_all, moved
from gaputils.datasets.base import DataUnavailable
from gaputils.datasets.published import published_rows
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.geometry.hull import principal_components, project
from gaputils.noise import covariance_between
from gaputils.pages.real_changes.survive import Change, as_several
from gaputils.pages.survival import ORIGINAL
from gaputils.scoring import top_k

OBLIQUE = "oblique projection"
PUBLISHED = "CLIP, two prompts of ImageNet"
"""The label of the one change that is of other people's embeddings."""


def shapes(changes: Mapping[str, tuple[Tensor, Tensor]], size: int = 100) -> pd.DataFrame:
    """Of what a change does to a gallery's rows (m, d), the shares that closing cannot touch.

    `changes` has the rows before and after. A row a change, means over galleries of `size` items:
    `common`, of its square, what all items share; `inside`, of the rest, what lies in the hull of
    the gallery before; `chance`, what would lie there of an isotropic noise.
    """
    return pd.DataFrame(
        {name: _shape(before, after, size) for name, (before, after) in changes.items()}
    ).T


def _shape(before: Tensor, after: Tensor, size: int) -> pd.Series:
    parts = []
    for start in range(0, len(before) - size + 1, size):
        rows = before[start : start + size]
        moves = (after[start : start + size] - rows).double()
        components, _ = principal_components(rows)
        common = moves.mean(dim=0)
        single = moves - common
        inside = project(single, components).square().sum() / single.square().sum()
        shared = common.square().sum() * len(moves) / moves.square().sum()
        parts.append([float(shared), float(inside), len(components) / rows.shape[1]])
    return pd.Series(torch.tensor(parts).mean(dim=0), index=["common", "inside", "chance"])


def published_change() -> dict[str, tuple[Tensor, Tensor]]:
    """CLIP ViT-B/32's texts of the 1,000 ImageNet classes under two prompts, or nothing if they are
    not at hand.
    """
    try:
        first, second = (
            published_rows(name, normalize=True)[0]
            for name in ("clip-lt-imagenet", "clip-lt-imagenet-2")
        )
    except DataUnavailable:
        return {}
    return {PUBLISHED: (first, second)}


def projections(
    task: Embeddings, change: Change, size: int = 100, shrinkage: str | float = "ledoit-wolf"
) -> list[dict[str, Closing | None]]:
    """For each gallery of `size` items the projection, and the oblique one for the `change`.

    The covariance is that between the rows before and after of all items but the gallery's own.
    """
    after = as_several(change)
    closings: list[dict[str, Closing | None]] = []
    for start in range(0, len(task.gallery) - size + 1, size):
        others = torch.ones(len(task.gallery), dtype=torch.bool)
        others[start : start + size] = False
        covariance = covariance_between(
            torch.cat([task.gallery[others]] * len(after)),
            torch.cat([one.gallery[others] for one in after]),
            shrinkage,
        )
        closings.append(
            {
                ORIGINAL: None,
                "hull projection": HullProjection(),
                OBLIQUE: HullProjection(covariance=covariance),
            }
        )
    return closings


def lead_noise(
    task: Embeddings, change: Change, closings: list[dict[str, Closing | None]], size: int = 100
) -> pd.DataFrame:
    """Mean squared change of the leads of items over each other, under inner products.

    A row a closing, fitted on each gallery before the change: `any two`, over all pairs of items,
    and `nearest two`, between the two that are nearest before the change and the closing. A common
    step of all items counts in neither.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for place, base in enumerate(answerable_blocks(task, size)):
        fitted = fit_all(closings[place], base)
        first = top_k(base.queries, base.gallery, 2, "cosine")
        for one in as_several(change):
            after = answerable_blocks(one, size)[place].gallery
            for name, way in fitted.items():
                queries = moved(way, base.queries, base.gallery)[0].double()
                steps = queries @ (after - base.gallery).double().mT
                lead = steps.gather(1, first)
                found.setdefault(name, []).append(
                    (
                        2 * float(steps.var(dim=1).mean()),
                        float((lead[:, 0] - lead[:, 1]).square().mean()),
                    )
                )
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    return pd.DataFrame(means, index=["any two", "nearest two"]).T
