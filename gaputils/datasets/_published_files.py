"""Files of published embeddings: fetched with a checksum, kept in the cache, read as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaputils.datasets import _fetching as fetching
from gaputils.datasets._published_sources import File
from gaputils.datasets._sources import cache_folder

Array = NDArray[np.floating[Any]]

# A Gram matrix that was written in single precision has eigenvalues down to -2e-7.
_ROUNDING = 1e-6


def place(file: File) -> Path:
    """Where the cache keeps `file`, whether it is there or not."""
    return cache_folder() / file.place


def fetch(file: File, name: str) -> Path:
    """The path of `file` of the set `name`, from the cache or, once, from its repository.

    Raises `DataUnavailable` if it is in neither, or is not the published file.
    """
    remedy = f", or set GAPUTILS_CACHE to a folder that has {file.place}"
    return fetching.fetch(name, file.url, f"sha256:{file.sha256}", place(file), remedy)


def read_rows(path: Path) -> Array:
    """The rows (n, d) of a .npy array or a .pt file of one tensor; a vector is one row."""
    if path.suffix == ".pt":
        value = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{path}: expected one tensor, got {type(value).__name__}")
        array = value.numpy()
    else:
        array = np.load(path, allow_pickle=False)
    return array.reshape(-1, array.shape[-1])


def read_gram(path: Path, dim: int) -> Array:
    """Unit rows (n, dim) whose cosines are the .csv matrix at `path`: exact up to a rotation."""
    gram = np.loadtxt(path, delimiter=",", ndmin=2)
    try:
        return rows_of_gram(gram, dim)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def rows_of_gram(gram: Array, dim: int) -> Array:
    """Rows (n, `dim`) of norm 1 whose inner products are `gram` (n, n).

    With the eigendecomposition ``G = V diag(w) V^T`` the rows are those of ``V diag(sqrt w)``,
    padded with zeros to `dim` columns. Any other rows with these products are a rotation of them,
    so that whatever depends on products alone is that of the model itself. Raises `ValueError` if
    `gram` is not a matrix of cosines, or those of vectors of more than `dim` dimensions.

    >>> rows = rows_of_gram(np.array([[1.0, 0.5], [0.5, 1.0]]), dim=4)
    >>> rows.shape, round(float(rows[0] @ rows[1]), 12)
    ((2, 4), 0.5)
    """
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not np.isfinite(gram).all():
        raise ValueError(f"gram: expected a finite square matrix, got shape {gram.shape}")
    if np.abs(gram - gram.T).max() > _ROUNDING or np.abs(np.diag(gram) - 1).max() > _ROUNDING:
        raise ValueError("gram: expected cosines: a symmetric matrix with ones on its diagonal")
    values, vectors = np.linalg.eigh(gram)
    if values[0] < -_ROUNDING * len(gram):
        raise ValueError(f"gram: expected no negative eigenvalue, got {values[0]:.3g}")
    if len(values) > dim and values[-dim - 1] > _ROUNDING * len(gram):
        raise ValueError(f"gram: expected cosines of vectors in {dim} dimensions, got more")
    kept = min(dim, len(values))
    rows = np.zeros((len(gram), dim))
    rows[:, :kept] = vectors[:, -kept:] * np.sqrt(values[-kept:].clip(0))
    unit: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
