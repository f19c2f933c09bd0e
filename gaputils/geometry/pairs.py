"""Measures of a gap that need to know which gallery item answers which query."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy.stats import kendalltau
from torch import Tensor

from gaputils._checks import as_pair, as_targets, unit_rows


def _matched(
    queries: Any, gallery: Any, targets: Any, min_rows: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides in float64 and (n,) the gallery row of each query."""
    x, y = as_pair(queries, gallery, min_rows=min_rows)
    if targets is None:
        if len(x) != len(y):
            raise ValueError(f"targets: expected for {len(x)} queries and {len(y)} gallery items")
        targets = torch.arange(len(x), device=x.device)
    return x.double(), y.double(), as_targets("targets", targets, len(x), len(y), x.device)


def matched_cosine(queries: Any, gallery: Any, targets: Any = None) -> float:
    """Mean cosine similarity of each query (n, d) and the gallery item that answers it.

    `targets` (n,) are gallery rows; left out, row i answers query i.
    """
    x, y, t = _matched(queries, gallery, targets)
    return float((unit_rows("queries", x) * unit_rows("gallery", y)[t]).sum(1).mean())


def unmatched_cosine(queries: Any, gallery: Any, targets: Any = None) -> float:
    """Mean cosine similarity of each query and every gallery item that does not answer it."""
    x, y, t = _matched(queries, gallery, targets)
    if len(y) < 2:
        raise ValueError(f"gallery: expected at least 2 rows, got {len(y)}")
    x, y = unit_rows("queries", x), unit_rows("gallery", y)
    every = float(x.sum(0) @ y.sum(0))
    return (every - float((x * y[t]).sum())) / (len(x) * (len(y) - 1))


def l2i(queries: Any, gallery: Any, targets: Any = None) -> float:
    """L2I: mean Euclidean distance of each query from its own gallery item.

    Schrodi et al. (2025), the instance-wise companion of the distance of the means, L2M.
    """
    x, y, t = _matched(queries, gallery, targets)
    return float((x - y[t]).norm(dim=1).mean())


def alignment(queries: Any, gallery: Any, targets: Any = None) -> float:
    """Mean squared Euclidean distance of matched pairs (Wang and Isola 2020, with alpha = 2)."""
    x, y, t = _matched(queries, gallery, targets)
    return float((x - y[t]).square().sum(1).mean())


def rmg_schrodi(queries: Any, gallery: Any, targets: Any = None) -> float:
    """Relative modality gap of Schrodi et al. (2025), in [0, 1].

    P / (P + (I_x + I_y)/2), where P is the mean cosine dissimilarity (1 - cos)/2 of matched pairs
    and I_x, I_y are the mean dissimilarities of two different rows of one side.
    """
    return _relative(queries, gallery, targets, weight=1 / 2)


def rmg_few_dims(queries: Any, gallery: Any, targets: Any = None) -> float:
    """The relative modality gap as the public code of few-dims (2025) computes it, in [0, 1].

    It means to compute `rmg_schrodi`, but halves the dissimilarities within a side and not those
    between, and divides a sum over each pair once by the number of ordered pairs. What is left is
    P / (P + (I_x + I_y)/8): the same numbers with a quarter of the weight on the spread.
    """
    return _relative(queries, gallery, targets, weight=1 / 8)


def _relative(queries: Any, gallery: Any, targets: Any, weight: float) -> float:
    x, y, t = _matched(queries, gallery, targets, min_rows=2)
    x, y = unit_rows("queries", x), unit_rows("gallery", y)
    between = 1 - float((x * y[t]).sum(1).mean())
    within = _mean_dissimilarity(x) + _mean_dissimilarity(y)
    total = between + weight * within
    return between / total if total > 0 else math.nan


def _mean_dissimilarity(unit: Tensor) -> float:
    """Mean of 1 - cos over ordered pairs of different rows of `unit` (n, d), which have norm 1."""
    n = len(unit)
    return 1 - (float(unit.sum(0).square().sum()) - float(unit.square().sum())) / (n * (n - 1))


def neighborhood_kendall(queries: Any, gallery: Any, targets: Any = None) -> float:
    """How differently the two sides order an item's neighbours: normalised Kendall tau distance.

    For each gallery item that some query asks for, the other such items are ordered by their
    cosine similarity to it, once among the gallery and once among the queries (the mean over the
    queries of each item); the distance (1 - tau_b)/2 is averaged over items. 0: the same order,
    1/2: unrelated orders, 1: reversed. Schrodi et al. (2025), section 4, who also rank the item
    itself. Needs at least 3 items asked for; O(items² log items).
    """
    x, y, t = _matched(queries, gallery, targets)
    items, index = torch.unique(t, return_inverse=True)
    if len(items) < 3:
        raise ValueError(f"targets: expected at least 3 different items, got {len(items)}")
    sums = torch.zeros(len(items), x.shape[1], dtype=x.dtype, device=x.device)
    sums.index_add_(0, index, unit_rows("queries", x))
    means = sums / torch.bincount(index)[:, None]
    unit = unit_rows("gallery", y[items])
    first, second = (means @ means.T).cpu().numpy(), (unit @ unit.T).cpu().numpy()
    distances = []
    for i in range(len(items)):
        others = [j for j in range(len(items)) if j != i]
        tau = kendalltau(first[i, others], second[i, others]).statistic
        distances.append((1 - tau) / 2)
    return float(sum(distances) / len(distances))
