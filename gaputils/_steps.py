"""One side's move as named steps: a file can hold them, and arrays and tensors take them alike.

A step is a name and its arguments, ``("shift", "mean_", -1.0)``; an argument that is a string
names a learned tensor. All but a row's length is written in operators that NumPy and PyTorch
share, so that what is served without PyTorch is what was fitted with it. Rows come as (n, d) in
double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Steps = Sequence[Sequence[Any]]

_ROUNDING = 64 * 2.0**-52  # relative, of a sum of one coordinate


def run(steps: Steps, rows: Any, learned: Callable[[str], Any]) -> Any:
    """`rows` (n, d) after all `steps`, whose tensors `learned` gives by name.

    Where steps cancel a row to rounding it is lengthened no more than a row of zeros is: the
    direction that is left of it is an accident of the processor.
    """
    last = max((place for place, step in enumerate(steps) if step[0] == "lengthen"), default=-1)
    before: Any = 0.0
    for place, (name, *arguments) in enumerate(steps):
        given = [learned(a) if isinstance(a, str) else a for a in arguments]
        if name == "lengthen":
            given.append(before * (_ROUNDING * rows.shape[-1] ** 0.5))
            before = 0.0
        elif place < last:
            before = before + _lengths(rows)
        rows = STEPS[name](rows, *given)
    return rows


def names(steps: Steps) -> set[str]:
    """The learned tensors that `steps` need."""
    return {a for _, *arguments in steps for a in arguments if isinstance(a, str)}


def require_finite(side: str, rows: Any) -> None:
    """Raise `ValueError` naming the `side` if its moved `rows` (n, d) hold NaN or infinity.

    A closing is given finite rows alone: what it moves them to may be beyond their dtype.
    """
    finite = abs(rows) < math.inf
    if not bool(finite.all()):
        raise ValueError(
            f"{side}: expected rows that are finite once they are moved, got NaN or infinity in "
            f"{int((~finite).any(-1).sum())} row(s) of {rows.dtype}; a wider dtype may hold them"
        )


def _lengths(rows: Any) -> Any:
    if isinstance(rows, np.ndarray):
        return np.sqrt(np.einsum("...i,...i->...", rows, rows))[..., None]
    return rows.norm(dim=-1, keepdim=True)


def _shift(rows: Any, vector: Any, factor: float = 1.0) -> Any:
    return rows + factor * vector


def _scale(rows: Any, factor: float) -> Any:
    return factor * rows


def _divide(rows: Any, scale: Any) -> Any:
    """By a scale for each coordinate; those of scale zero become zero."""
    return rows / (scale + (scale == 0)) * (scale > 0)


def _map(rows: Any, matrix: Any) -> Any:
    return rows @ matrix


def _project(rows: Any, components: Any, duals: Any) -> Any:
    """Onto the span of `duals` (r, d), keeping what `components` (r, d) see of the rows."""
    return (rows @ components.T) @ duals


def _lengthen(rows: Any, length: float, rounding: Any = 0.0) -> Any:
    """To one length; a row of zeros stays, and one no longer than `rounding` becomes one."""
    lengths = _lengths(rows)
    tells = lengths > rounding
    return rows * (length / (lengths + ~tells) * tells)


def _unit(rows: Any) -> Any:
    """To norm 1; a row of zeros is refused."""
    lengths = _lengths(rows)
    if bool((lengths == 0).any()):
        raise ValueError("expected rows of norm above zero for unit norm, got a zero row")
    return rows / lengths


def _zero(rows: Any, columns: Any) -> Any:
    rows = rows + 0
    rows[..., columns] = 0
    return rows


def _append(rows: Any, values: Iterable[float]) -> Any:
    """More columns at the end, the same values in each row."""
    values, width = list(values), rows.shape[-1]
    rows = rows[..., [*range(width), *(0 for _ in values)]]
    for column, value in enumerate(values, start=width):
        rows[..., column] = value
    return rows


STEPS: dict[str, Callable[..., Any]] = {
    "shift": _shift,
    "scale": _scale,
    "divide": _divide,
    "map": _map,
    "project": _project,
    "lengthen": _lengthen,
    "unit": _unit,
    "zero": _zero,
    "append": _append,
}
