"""The gallery's affine hull: its mean and orthonormal directions, all or the leading ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gaputils._checks import integer, number, work


def principal_components(gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal rows (r, d) spanning the centred `gallery` (m, d), and their variances (r,).

    `r` is the numerical rank. A tall gallery is reduced by QR first, so that the decomposition
    costs no more than d x d and no precision is lost to a Gram matrix.
    """
    m, d = gallery.shape
    centred = work(gallery)
    centred = centred - centred.mean(dim=0)
    if m > 2 * d:
        centred = torch.linalg.qr(centred, mode="r").R
    _, values, components = torch.linalg.svd(centred, full_matrices=False)
    eps = torch.finfo(gallery.dtype).eps
    scale = work(gallery).abs().max().clamp_min(torch.finfo(values.dtype).tiny)
    rank = int((values > max(m, d) ** 0.5 * eps * torch.maximum(values[0], scale)).sum())
    return components[:rank].contiguous(), values[:rank].square() / m


def check_n_components(value: Any, names: tuple[str, ...] = ()) -> None:
    """Raise unless `value` is None, an int, a share of variance in (0, 1], or one of `names`."""
    if value is None or (isinstance(value, str) and value in names):
        return
    if isinstance(value, str):
        raise ValueError(
            f"n_components: expected None, an int, a share of variance in (0, 1]"
            f"{''.join(f', {name!r}' for name in names)}, got {value!r}"
        )
    if isinstance(value, float):
        number("n_components", value, low=0, high=1, strict=True)
    else:
        integer("n_components", value, low=0)


def count_components(n_components: int | float | None, variances: Tensor) -> int:
    """How many of the components with `variances` (r,) the parameter asks for."""
    rank = len(variances)
    if n_components is None or rank == 0:
        return rank
    if isinstance(n_components, float):
        share = variances.cumsum(0) / variances.sum()
        return min(rank, int((share < n_components - 1e-12).sum()) + 1)
    if n_components > rank:
        raise ValueError(
            f"n_components: expected at most the gallery's rank {rank}, got {n_components}"
        )
    return n_components


def project(values: Tensor, components: Tensor) -> Tensor:
    """The part of each row of `values` that lies in the span of `components` (r, d)."""
    return (values @ components.mT) @ components
