"""Checks of paired point sets that may carry leading batch dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaputils._checks import as_matrix, as_tensor, number, unit_rows

Array = npt.NDArray[np.float64]


def as_points(name: str, value: Any) -> Tensor:
    """`value` as finite floating points (..., N, d) with N of at least 2; keeps the graph."""
    shape = tuple(getattr(value, "shape", (1, 1)))
    if len(shape) < 2:
        raise ValueError(f"{name}: expected shape (..., N, d), got {shape}")
    if 0 in shape:
        raise ValueError(f"{name}: expected a non-empty array, got shape {shape}")
    checked = as_matrix(name, value.reshape(-1, shape[-1]) if len(shape) > 2 else value)
    if shape[-2] < 2:
        raise ValueError(
            f"{name}: expected at least 2 points (N = 1 has no negatives), got shape {shape}"
        )
    return value.to(checked.dtype) if isinstance(value, Tensor) else checked.reshape(shape)


def as_paired_points(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[Tensor, Tensor]:
    """Two point sets of the same shape, dtype and device."""
    first, second = as_points(names[0], x), as_points(names[1], y)
    if first.shape != second.shape:
        raise ValueError(
            f"{names[1]}: expected shape {tuple(first.shape)} as {names[0]}, "
            f"got {tuple(second.shape)}"
        )
    if first.device != second.device:
        raise ValueError(
            f"{names[1]}: expected device {first.device} as {names[0]}, got {second.device}"
        )
    dtype = torch.promote_types(first.dtype, second.dtype)
    return first.to(dtype), second.to(dtype)


def on_sphere(name: str, points: Tensor) -> Tensor:
    """`points` (..., N, d) at norm 1; raises `ValueError` if one is zero."""
    return unit_rows(name, points.flatten(0, -2)).view_as(points)


def as_setting(
    name: str, value: Any, points: Tensor, *, low: float = 0.0, strict: bool = True
) -> Tensor:
    """A number of at least `low` (with `strict` above it), or one per run, that broadcasts against
    `points` (..., N, d); keeps the graph."""
    batch = points.shape[:-2]
    if getattr(value, "ndim", 0) == 0 and not isinstance(value, (list, tuple)):
        scalar = number(
            name, value.item() if hasattr(value, "item") else value, low=low, strict=strict
        )
        value = value if isinstance(value, Tensor) else scalar
    given = as_tensor(name, value, dtype=torch.float64)
    if given.ndim > len(batch):
        raise ValueError(f"{name}: expected shape {tuple(batch)}, got {tuple(given.shape)}")
    setting = given.to(points)
    allowed = setting >= max(low, torch.finfo(setting.dtype).tiny) if strict else setting >= low
    if not bool(torch.isfinite(setting).all()) or not bool(allowed.all()):
        kind = "positive " if strict else "non-negative " if low == 0 else ""
        raise ValueError(
            f"{name}: expected {kind}finite numbers of {setting.dtype}, got {given.tolist()}"
        )
    try:
        setting = setting.broadcast_to(batch)
    except RuntimeError as error:
        raise ValueError(
            f"{name}: expected shape {tuple(batch)}, got {tuple(setting.shape)}"
        ) from error
    return setting[..., None, None]


def as_values(name: str, value: Any, *, low: float = 0.0, strict: bool = True) -> Array:
    """A number or numbers of at least `low` (with `strict` above it) in double precision."""
    values: Array = as_tensor(name, value, dtype=torch.float64).detach().cpu().numpy()
    if not (np.isfinite(values) & (values > low if strict else values >= low)).all():
        raise ValueError(
            f"{name}: expected finite numbers {'above' if strict else 'from'} {low:g}, got {value}"
        )
    return values
