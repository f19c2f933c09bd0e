"""Attempts with arrays: every entry that takes rows, each of its sides spoilt in every way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bad_input.kinds import ANSWERED, Attempt

N, M, D = 6, 6, 5
Array = np.ndarray[Any, Any]
Change = Callable[[Array], Any]
Expected = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """A public entry that takes one or two matrices, called `sides` in its messages.

    `no_zero` are the sides whose rows need a direction; `one_row` what a single row of a side
    gives where it is not an answer; `batches` says that leading axes are allowed; `expected`
    overrides what a variant (or "variant, side") gives.
    """

    name: str
    call: Callable[..., Any]
    sides: tuple[str, ...] = ("queries", "gallery")
    no_zero: tuple[str, ...] = ()
    one_row: Mapping[str, Expected] = field(default_factory=dict)
    batches: bool = False
    expected: Mapping[str, Expected] = field(default_factory=dict)


def good() -> list[Array]:
    """Queries and a gallery of unit rows, (6, 5) each, the same every time."""
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(M, D))
    return [rng.normal(size=(N, D)), gallery / np.linalg.norm(gallery, axis=1, keepdims=True)]


def _put(value: float) -> Change:
    def change(side: Array) -> Array:
        side = side.copy()
        side[1, 2] = value
        return side

    return change


def _zero(side: Array) -> Array:
    side = side.copy()
    side[1] = 0
    return side


def _in_eight_bits(side: np.ndarray) -> torch.Tensor:
    return torch.tensor(side).to(torch.float8_e4m3fn)


_FINITE = "expected finite values, got NaN or infinity in 1 row"
_ANY = r"expected .*shape \(rows, columns\), got \("
_REAL = "expected real numbers, got dtype"

VARIANTS: dict[str, tuple[str, Change, str, str]] = {
    "NaN": ("NaN", _put(math.nan), "ValueError", _FINITE),
    "infinity": ("infinity", _put(math.inf), "ValueError", _FINITE),
    "minus infinity": ("infinity", _put(-math.inf), "ValueError", _FINITE),
    "one axis": ("dimension", lambda side: side[0], "ValueError", _ANY),
    "three axes": ("dimension", lambda side: side[None], "ValueError", _ANY),
    "fewer columns": ("dimension", lambda side: side[:, :4], "ValueError", "expected dimension"),
    "a list": ("dtype", lambda side: side.tolist(), "TypeError", "a NumPy array .* got list"),
    "None": ("dtype", lambda _: None, "TypeError", "got NoneType"),
    "text": ("dtype", lambda side: side.astype(str), "TypeError", f"{_REAL} <U"),
    "objects": ("dtype", lambda side: side.astype(object), "TypeError", f"{_REAL} object"),
    "booleans": ("dtype", lambda side: side > 0, "TypeError", f"{_REAL} bool"),
    "complex": ("dtype", lambda side: side + 1j, "TypeError", f"{_REAL} complex128"),
    "complex tensor": ("dtype", lambda s: torch.tensor(s + 1j), "TypeError", f"{_REAL} torch.com"),
    "boolean tensor": ("dtype", lambda s: torch.tensor(s > 0), "TypeError", f"{_REAL} torch.bool"),
    "eight bits": (
        "dtype",
        _in_eight_bits,
        "TypeError",
        "at least half precision, .* torch.float8",
    ),
    "masked": ("dtype", lambda s: np.ma.masked_array(s, s > 0), "TypeError", "got a masked one"),
    "no rows": ("empty", lambda side: side[:0], "ValueError", r"\(0, 5\)"),
    "no columns": ("empty", lambda side: side[:, :0], "ValueError", r"got .*, 0\)"),
    "one row": ("one row", lambda side: side[:1], ANSWERED, ""),
    "zero row": ("zero row", _zero, "ValueError", "expected rows of norm above zero"),
}
"""Each way of spoiling a side: the kind, the change, the error's class and its text."""


def attempts(entry: Entry) -> Iterator[Attempt]:
    """Every attempt that applies to `entry`."""
    for variant, (kind, change, result, message) in VARIANTS.items():
        for place, side in enumerate(entry.sides):
            if kind == "zero row" and side not in entry.no_zero:
                continue
            if variant == "fewer columns" and place == 0:
                continue
            expected = _expected(entry, variant, side, (result, message))
            if expected is None:
                continue
            named = expected[1] if expected[1].startswith("^") else f"^{side}: .*{expected[1]}"
            call = _with(entry, place, change)
            yield Attempt(entry.name, kind, f"{variant}, {side}", call, expected[0], named)


def _expected(entry: Entry, variant: str, side: str, usual: Expected) -> Expected | None:
    for key in (f"{variant}, {side}", variant):
        if key in entry.expected:
            return entry.expected[key]
    if variant == "one row":
        return entry.one_row.get(side, usual)
    if entry.batches and variant == "three axes":
        return "ValueError", r"^\w+: expected shape \("
    if entry.batches and variant in ("one axis", "fewer columns"):
        return "ValueError", "expected shape"
    return usual


def _with(entry: Entry, place: int, change: Change) -> Callable[[Path], Any]:
    def act(_: Path) -> Any:
        sides = good()[: len(entry.sides)]
        return entry.call(*(change(s) if i == place else s for i, s in enumerate(sides)))

    return act
