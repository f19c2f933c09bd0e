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
from typing import Any

import numpy as np
from safetensors import safe_open

from gaputils._reading import UnreadableFile, named_place, reading
from gaputils._steps import Steps, names, require_finite, run

Array = np.ndarray[Any, Any]

FORMAT = "gaputils-closing/2"  # as in gaputils.closing.base, which needs PyTorch
_MOST_COORDINATES = 2**20


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
        dimension, if a moved row is beyond its dtype, and for a closing that needs the gallery, as
        ``HullProjection(radius="auto")``.
        """
        return self._move("queries", self.queries, queries)

    def transform_gallery(self, gallery: Array) -> Array:
        """`gallery` (m, d) moved. Raises as `transform_queries`; nothing is said of off-hull rows.

        Not for `NearestNeighborNormalization`, whose items need the reference queries.
        """
        return self._move("gallery", self.gallery, gallery)

    def _try_on(self) -> None:
        """Raise for steps that no row can take, or that lead to NaN or another shape."""
        for side, steps in (("queries", self.queries), ("gallery", self.gallery)):
            if steps is not None:
                with np.errstate(all="ignore"):
                    moved = self._move(side, steps, np.ones((1, self.dim)))
                if moved.ndim != 2 or len(moved) != 1:
                    raise ValueError(f"its steps move {side} to {moved.shape}")

    def _move(self, side: str, steps: Steps | None, rows: Array) -> Array:
        if steps is None:
            raise ValueError(f"{side}: {self.name} cannot move them without the other side")
        if isinstance(rows, np.ma.MaskedArray):
            raise TypeError(f"{side}: expected a plain array, got a masked one; fill it first")
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
            kind = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
            raise TypeError(f"{side}: expected an array of real numbers, got {kind}")
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise ValueError(f"{side}: expected shape (rows, {self.dim}), got {rows.shape}")
        if len(rows) == 0:
            raise ValueError(f"{side}: expected at least 1 row(s) and 1 column, got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{side}: expected finite values, got NaN or infinity")
        try:
            moved = run(steps, rows.astype(np.float64), self.learned.__getitem__)
        except ValueError as error:
            raise ValueError(f"{side}: {error}") from error
        dtype = rows.dtype.newbyteorder("=") if rows.dtype.kind == "f" else np.dtype(np.float32)
        with np.errstate(over="ignore"):
            result: Array = moved.astype(dtype)
        require_finite(side, result)
        return result


def load(path: str | os.PathLike[str]) -> Served:
    """The closing that `Closing.save` wrote, read as far as moving the two sides needs it.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is no whole saved
    closing.
    """
    file = named_place("path", path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {file}")
    with reading(file, "a whole saved closing", argument="path"):
        with safe_open(file, framework="np") as content:
            metadata = json.loads((content.metadata() or {}).get("gaputils", "{}"))
            if metadata.get("format") != FORMAT:
                raise UnreadableFile(
                    f"path: expected a saved closing ({FORMAT}) in {path}, "
                    f"got {metadata.get('format')!r}"
                )
            queries, gallery = (json.loads(metadata[side]) for side in ("queries", "gallery"))
            wanted = names(queries or ()) | names(gallery or ())
            learned = {name: content.get_tensor(name) for name in sorted(wanted)}
        dim = json.loads(metadata["learned"])["dim_"]
        if not isinstance(dim, int) or not 1 <= dim <= _MOST_COORDINATES:
            raise ValueError(f"its dimension is {dim!r}")
        served = Served(str(metadata["closing"]), dim, queries, gallery, learned)
        served._try_on()
    return served
