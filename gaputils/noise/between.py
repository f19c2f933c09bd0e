"""The noise between two versions of the same rows: rephrased, quantised, another runtime's."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.covariance import OAS, LedoitWolf, ShrunkCovariance
from torch import Tensor

from gaputils._checks import as_pair, choice, number, work

_SHRINKAGES = {"ledoit-wolf": LedoitWolf, "oas": OAS}


def variance_between(before: Any, after: Any) -> float:
    """Total variance a row of the change from `before` (m, d) to `after` (m, d).

    The mean squared distance between a row and its other version, which is the `variance` of the
    `GaussianNoise` that changes rows as much. Raises `TypeError` or `ValueError` if a side is no
    finite matrix or the shapes differ.

    >>> import numpy as np
    >>> variance_between(np.zeros((2, 3)), np.array([[1.0, 0, 0], [0, 2.0, 0]]))
    2.5
    """
    first, second = _versions(before, after)
    return float((work(second) - work(first)).square().sum(dim=1).mean())


def covariance_between(before: Any, after: Any, shrinkage: str | float = "ledoit-wolf") -> Any:
    """Covariance (d, d) of the change from `before` (m, d) to `after` (m, d), shrunk.

    For `HullProjection(covariance=…)`: the shape of a noise that was seen on pairs, of other items
    than those it is used on if it is to be tested. Pairs are usually fewer than dimensions, so the
    sample covariance is drawn towards a multiple of the identity, which also makes it positive
    definite: by the amount of Ledoit and Wolf (2004), of Chen et al. (2010) with "oas", or by a
    given share in (0, 1]. A change that all rows share moves all scores alike and is taken away.

    In double precision, an array for arrays and a tensor for tensors. Raises as
    `variance_between`, and `ValueError` for fewer than two rows or rows that all change alike, as
    far as the rounding of their numbers can tell.

    >>> import numpy as np
    >>> before = np.zeros((4, 2))
    >>> after = np.array([[1.0, 0], [-1.0, 0], [1.0, 0], [-1.0, 0]])
    >>> covariance_between(before, after, shrinkage=0.5)
    array([[0.75, 0.  ],
           [0.  , 0.25]])
    """
    first, second = _versions(before, after)
    changes = work(second) - work(first)
    if len(changes) < 2:
        raise ValueError(f"before: expected at least 2 rows for a covariance, got {len(changes)}")
    # What two roundings of a version and those of the differences may feign.
    largest = torch.maximum(first.abs(), second.abs()).amax(dim=0)
    rounding = 3 * torch.finfo(first.dtype).eps * largest
    if bool(((changes - changes[0]).abs() <= rounding).all()):
        raise ValueError("after: expected rows that change by different amounts, all change alike")
    if isinstance(shrinkage, str):
        estimator = _SHRINKAGES[choice("shrinkage", shrinkage, tuple(_SHRINKAGES))]()
    else:
        share = number("shrinkage", shrinkage, low=0, high=1, strict=True)
        estimator = ShrunkCovariance(shrinkage=share)
    covariance = estimator.fit(changes.cpu().numpy()).covariance_
    return torch.from_numpy(covariance).to(changes) if isinstance(before, Tensor) else covariance


def _versions(before: Any, after: Any) -> tuple[Tensor, Tensor]:
    """Both versions as matrices of one shape and dtype."""
    first, second = as_pair(before, after, names=("before", "after"))
    if first.shape != second.shape:
        raise ValueError(
            f"after: expected shape {tuple(first.shape)} as before, got {tuple(second.shape)}"
        )
    return first, second
