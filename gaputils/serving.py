"""A saved closing at work with NumPy and safetensors alone: no PyTorch, no fitting.

>>> import numpy as np, tempfile, pathlib, gaputils as gu
>>> queries, gallery = np.eye(4)[:3], np.eye(4)[2:] + 0.1
>>> path = pathlib.Path(tempfile.mkdtemp()) / "closing.safetensors"
>>> closing = gu.HullProjection(radius=2).fit(queries, gallery)
>>> served = load(closing.save(path))
>>> bool(np.allclose(served.transform_queries(queries), closing.transform_queries(queries)))
True
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from gaputils._steps import Steps, names, run

Array = np.ndarray[Any, Any]

FORMAT = "gaputils-closing/2"  # as in gaputils.closing.base, which needs PyTorch


@dataclass(frozen=True)
class Served:
    """The two sides' moves of a fitted closing, of class `name`, on arrays of dimension `dim`."""

    name: str
    dim: int
    queries: Steps | None
    gallery: Steps | None
    learned: dict[str, Array]

    def transform_queries(self, queries: Array) -> Array:
        """`queries` (n, d) moved, of the dtype they came in; a single one as ``query[None]``.

        Raises `TypeError` or `ValueError` for anything but a finite matrix of the fitted
        dimension, and for a closing that needs the gallery, as ``HullProjection(radius="auto")``.
        """
        return self._move("queries", self.queries, queries)

    def transform_gallery(self, gallery: Array) -> Array:
        """`gallery` (m, d) moved. Raises as `transform_queries`; nothing is said of off-hull rows.

        Not for `NearestNeighborNormalization`, whose items need the reference queries.
        """
        return self._move("gallery", self.gallery, gallery)

    def _move(self, side: str, steps: Steps | None, rows: Array) -> Array:
        if steps is None:
            raise ValueError(f"{side}: {self.name} cannot move them without the other side")
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
            kind = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
            raise TypeError(f"{side}: expected an array of real numbers, got {kind}")
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ValueError(f"{side}: expected shape (rows, {self.dim}), got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{side}: expected finite values, got NaN or infinity")
        try:
            moved = run(steps, rows.astype(np.float64), self.learned.__getitem__)
        except ValueError as error:
            raise ValueError(f"{side}: {error}") from error
        dtype = rows.dtype.newbyteorder("=") if rows.dtype.kind == "f" else np.dtype(np.float32)
        result: Array = moved.astype(dtype)
        return result


def load(path: str | os.PathLike[str]) -> Served:
    """The closing that `Closing.save` wrote, read as far as moving the two sides needs it.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is no whole saved
    closing.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get("gaputils", "{}"))
            if metadata.get("format") != FORMAT:
                raise ValueError(
                    f"path: expected a saved closing ({FORMAT}) in {path}, "
                    f"got {metadata.get('format')!r}"
                )
            queries, gallery = (json.loads(metadata[side]) for side in ("queries", "gallery"))
            wanted = names(queries or ()) | names(gallery or ())
            learned = {name: file.get_tensor(name) for name in wanted}
            dim = int(json.loads(metadata["learned"])["dim_"])
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"path: {path} is no whole saved closing: {error!r}") from error
    return Served(metadata["closing"], dim, queries, gallery, learned)
