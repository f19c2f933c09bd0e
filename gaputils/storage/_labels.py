"""Which item answers a query, as files say it: used, or refused by name, never passed over."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaputils._reading import read_text, reading

Array = np.ndarray[Any, Any]

LABEL_SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet", ".csv")
_NAMES = {
    "targets": ("targets", "target", "labels", "label"),
    "owners": ("owners", "owner", "caption_image"),
}
_MEANT = {
    "targets": "the gallery row that answers each query",
    "owners": "the query that each gallery row belongs to",
}


@dataclass(frozen=True)
class Unusable:
    """What stands for an array that a file holds and that cannot be used, and why."""

    reason: str
    shape: tuple[int, ...] = ()


Arrays = Mapping[str, "Array | Unusable"]

ONLY = "array"
"""The name of the array of a file that gives it none."""


def is_label(name: str) -> bool:
    """Whether an array called so may be labels rather than coordinates."""
    return any(word in name.lower() for word in ("target", "label", "owner"))


def is_named(name: str) -> bool:
    """Whether an array called so is labels, whatever it holds."""
    return any(name.lower() in names for names in _NAMES.values())


def named(role: str, where: str, arrays: Arrays, rows: int, sides: set[str]) -> str | None:
    """The name of what plays `role` in `arrays`, beside the `sides`; None if nothing is called so.

    First come "targets", "target", "labels" and "label" (or "owners", "owner" and
    "caption_image"), then other names with such a word in them and a value for each of `rows`.
    Raises `ValueError` if several could be meant.
    """
    others = [name for name in arrays if name not in sides]
    for name in _NAMES[role]:
        same = [other for other in others if other.lower() == name]
        if len(same) > 1:
            raise ValueError(f"{role}: {where} holds {_listed(same)}; name one of them")
        if same:
            return same[0]
    words = ("target", "label") if role == "targets" else ("owner",)
    alike = [
        name
        for name in others
        if any(word in name.lower() for word in words) and arrays[name].shape[:1] == (rows,)
    ]
    if len(alike) > 1:
        raise ValueError(f"{role}: {where} holds {_listed(alike)}; name one of them")
    return alike[0] if alike else None


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def whole_numbers(role: str, what: str, value: Array | Unusable) -> Array:
    """`value` as int64 (rows,), from (rows,) or (rows, 1) whole numbers of any type.

    Raises `ValueError`, with `what` it is and its fault, for anything else.
    """
    wanted = f"expected whole numbers, {_MEANT[role]}"
    if isinstance(value, Unusable):
        raise ValueError(f"{role}: {what}: {wanted}; {value.reason}")
    flat = value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value
    if flat.ndim != 1:
        raise ValueError(f"{role}: {what}: {wanted}, got shape {value.shape}")
    if flat.dtype.kind == "f":
        absent = int(np.isnan(flat).sum())
        if absent:
            raise ValueError(f"{role}: {what}: {wanted}; {absent} of {len(flat)} are missing")
        broken = flat[~np.isfinite(flat) | (flat != np.floor(flat))]
        if len(broken):
            raise ValueError(f"{role}: {what}: {wanted}, got {broken[0]}")
    elif flat.dtype.kind not in "iu":
        raise ValueError(f"{role}: {what}: {wanted}, got {flat.dtype}")
    if len(flat) and (flat.min() < 0 or flat.max() >= 2**53):
        raise ValueError(f"{role}: {what}: {wanted}, got {flat.min()} to {flat.max()}")
    return np.asarray(flat, dtype=np.int64)


def csv_columns(path: Path) -> dict[str, Array | Unusable]:
    """The columns of a CSV file by the names in its first line; "array" for one without a name."""
    text = read_text(path, "a CSV file")
    with reading(path, "a CSV file", remedy="Is a quotation mark left open?"):
        lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    if not lines:
        return {}
    head = lines[0]
    if len(head) == 1 and _number(head[0]) is not None:
        head, lines = [ONLY], [[], *lines]
    if len(set(head)) < len(head) or any(len(line) != len(head) for line in lines[1:]):
        raise ValueError(f"{path}: it is not a CSV file with a name for each column")
    columns = zip(*lines[1:], strict=True) if len(lines) > 1 else [()] * len(head)
    return {name: _numbers(list(cells)) for name, cells in zip(head, columns, strict=True)}


def _numbers(cells: list[str]) -> Array | Unusable:
    found = [_number(cell) for cell in cells]
    empty = sum(not cell.strip() for cell in cells)
    if empty:
        return Unusable(f"{empty} of {len(cells)} are missing", (len(cells),))
    strange = [cell for cell, number in zip(cells, found, strict=True) if number is None]
    if strange:
        return Unusable(f"one is {strange[0]!r}", (len(cells),))
    return np.array(found)


def _number(text: str) -> int | float | None:
    if "_" in text:  # which Python alone reads as a number
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
