"""Argument checks shared by every public function: the error names the argument and its value."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Seed = int | torch.Generator | None


def dense(name: str, tensor: Tensor) -> Tensor:
    """`tensor` if it holds one plain number for each of its places; raises `TypeError` if not."""
    if tensor.is_nested:
        kind = "a nested one"
    elif tensor.is_quantized:
        kind = "a quantized one"
    elif tensor.is_meta:
        kind = "one on the meta device"
    elif tensor.layout is not torch.strided:
        kind = f"layout {tensor.layout}"
    else:
        return tensor
    raise TypeError(f"{name}: expected a dense tensor of plain numbers, got {kind}")


def as_tensor(
    name: str, value: Any, expected: str = "numbers", dtype: torch.dtype | None = None
) -> Tensor:
    """`value` as a dense tensor that shares its memory where it can.

    An array may have any strides and byte order; `dtype` is its own if none is named. Raises
    `TypeError` that says what was `expected`.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected a plain array, got a masked one; fill it first")
    if hasattr(value, "__array__") and not isinstance(value, Tensor):
        value = _plain(value)
    try:
        tensor = torch.as_tensor(value, dtype=dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        got = f"dtype {value.dtype}" if hasattr(value, "dtype") else _typed(value)
        raise TypeError(f"{name}: expected {expected}, got {got}") from error
    return dense(name, tensor)


def _plain(value: Any) -> np.ndarray[Any, Any]:
    """`value` as an array that a tensor can share; itself, if it is one."""
    array = np.asarray(value)
    if not (array.flags.c_contiguous and array.dtype.isnative):
        array = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
    shared = array.flags.writeable and min(array.strides, default=0) >= 0
    return array if shared else array.copy()


def as_matrix(name: str, value: Any, *, min_rows: int = 1, any_norm: bool = False) -> Tensor:
    """`value` as a finite floating (rows, columns) tensor; half precision becomes float32.

    Shares memory with `value` where it can. Raises `TypeError` if it is not a dense array of
    integers or of real numbers in half to double precision, and `ValueError` if its shape or its
    values are not usable: not finite or, unless `any_norm`, so large that squared distances leave
    the dtype's range.
    """
    if not isinstance(value, (np.ndarray, Tensor)):
        raise TypeError(
            f"{name}: expected a NumPy array or a torch tensor, got {type(value).__name__}"
            f"{_instead(value)}"
        )
    if isinstance(value, np.ndarray) and value.dtype.kind not in "fiu":
        hint = "; np.stack makes one matrix of its rows" if value.dtype.kind == "O" else ""
        raise TypeError(f"{name}: expected real numbers, got dtype {value.dtype}{hint}")
    tensor = as_tensor(name, value, "real numbers of at most double precision").detach()
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name}: expected real numbers, got dtype {tensor.dtype}")
    if tensor.is_floating_point() and tensor.element_size() == 1:
        raise TypeError(
            f"{name}: expected at least half precision, got dtype {tensor.dtype}, in which moved "
            "rows would be rounded beyond use; pass its .to(torch.float16)"
        )
    if tensor.ndim != 2:
        raise ValueError(f"{name}: expected shape (rows, columns), got {tuple(tensor.shape)}")
    if tensor.shape[0] < min_rows or tensor.shape[1] < 1:
        raise ValueError(
            f"{name}: expected at least {min_rows} row(s) and 1 column, got {tuple(tensor.shape)}"
        )
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.to(torch.float32)
    # The norm of all tells in one pass that each value is finite and no square of a row too large.
    longest = math.sqrt(torch.finfo(tensor.dtype).max) / 4
    if not float(torch.linalg.vector_norm(tensor)) <= longest:
        _check_values(name, tensor, math.inf if any_norm else longest)
    return tensor


def _check_values(name: str, tensor: Tensor, longest: float) -> None:
    """Raise `ValueError` if a value is not finite or a row longer than `longest`."""
    if not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).any(1).sum())
        raise ValueError(f"{name}: expected finite values, got NaN or infinity in {bad} row(s)")
    norm = float(torch.linalg.vector_norm(tensor.double() / longest, dim=1).max())
    if norm > 1:
        raise ValueError(
            f"{name}: expected rows no longer than {longest:.0e}, whose squared distances "
            f"{str(tensor.dtype).removeprefix('torch.')} holds, got one of {norm * longest:.0e}"
        )


_INSTEAD = {
    "pooler_output": "pass its pooler_output",
    "to_numpy": "pass its to_numpy()",
    "queries": "pass its queries or its gallery",
}


def _instead(value: Any) -> str:
    """What to pass instead of a `value` that holds an array."""
    if isinstance(value, (list, tuple)):
        return "; stack its rows first"
    return next((f"; {hint}" for has, hint in _INSTEAD.items() if hasattr(value, has)), "")


def as_pair(
    queries: Any,
    gallery: Any,
    names: tuple[str, str] = ("queries", "gallery"),
    min_rows: int = 1,
    any_norm: bool = False,
) -> tuple[Tensor, Tensor]:
    """Both sides as matrices of one dimension, one dtype and one device."""
    first = as_matrix(names[0], queries, min_rows=min_rows, any_norm=any_norm)
    second = as_matrix(names[1], gallery, min_rows=min_rows, any_norm=any_norm)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[1]}: expected dimension {first.shape[1]} as in {names[0]}, "
            f"got {second.shape[1]}"
        )
    if first.device != second.device:
        raise ValueError(
            f"{names[1]}: expected device {first.device} as {names[0]}, got {second.device}"
        )
    dtype = torch.promote_types(first.dtype, second.dtype)
    return first.to(dtype), second.to(dtype)


def as_direction(name: str, value: Any, dim: int, device: torch.device) -> Tensor:
    """`value` as a finite (dim,) vector on `device` other than zero, of any length."""
    vector = as_tensor(name, value).detach()
    if vector.is_complex() or vector.dtype == torch.bool:
        raise TypeError(f"{name}: expected real numbers, got dtype {vector.dtype}")
    if tuple(vector.shape) != (dim,):
        raise ValueError(f"{name}: expected shape ({dim},), got {tuple(vector.shape)}")
    if not bool(torch.isfinite(vector).all()) or not bool(vector.any()):
        raise ValueError(f"{name}: expected a finite vector that is not zero")
    return vector.to(device)


def _as_integers(name: str, value: Any, device: torch.device) -> Tensor:
    """`value` as an int64 tensor of its shape."""
    integers = as_tensor(name, value, "integers").detach()
    if integers.is_floating_point() or integers.is_complex() or integers.dtype == torch.bool:
        raise TypeError(f"{name}: expected integers, got dtype {integers.dtype}")
    return integers.to(device, torch.int64)


def as_targets(name: str, value: Any, rows: int, items: int, device: torch.device) -> Tensor:
    """`value` as (rows,) gallery indices, each in [0, items)."""
    targets = _as_integers(name, value, device)
    if tuple(targets.shape) != (rows,):
        raise ValueError(f"{name}: expected shape ({rows},), got {tuple(targets.shape)}")
    if rows and not (int(targets.min()) >= 0 and int(targets.max()) < items):
        raise ValueError(
            f"{name}: expected indices in [0, {items}), "
            f"got {int(targets.min())} to {int(targets.max())}"
        )
    return targets


def as_answers(name: str, value: Any, rows: int, items: int, device: torch.device) -> Tensor:
    """`value` as (rows, k) gallery indices that are right for each row, filled up with -1.

    (rows,) is one for each; of k in a row all but those of -1 differ.
    """
    if getattr(value, "ndim", 1) != 2:
        return as_targets(name, value, rows, items, device)[:, None]
    answers = _as_integers(name, value, device)
    if len(answers) != rows or answers.shape[1] == 0:
        raise ValueError(f"{name}: expected shape ({rows}, k), got {tuple(answers.shape)}")
    least = int(answers.min()) if len(answers) else 0
    if least < -1:
        raise ValueError(f"{name}: expected indices in [0, {items}) and -1 to fill up, got {least}")
    flat = answers.flatten()
    given = as_targets(name, torch.where(flat == -1, 0, flat), len(flat), items, device)
    answers = torch.where(flat == -1, -1, given).view(answers.shape)
    ordered = answers.sort(dim=1).values
    if bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()):
        raise ValueError(f"{name}: expected each index once in a row")
    return answers


def require_nonzero_rows(name: str, value: Tensor, purpose: str) -> None:
    """Raise `ValueError` if a row of `value` is zero: `purpose` needs a direction."""
    # Squares may underflow where a row is not zero: only then is every entry looked at.
    norms = torch.linalg.vector_norm(value, dim=1)
    if not bool(norms.all()) and not bool(value.any(dim=1).all()):
        raise ValueError(f"{name}: expected rows of norm above zero for {purpose}, got a zero row")


def unit_rows(name: str, value: Tensor) -> Tensor:
    """`value` (rows, d) with every row at norm 1; raises `ValueError` if one is zero."""
    require_nonzero_rows(name, value, "unit norm")
    return torch.nn.functional.normalize(moderate(value), dim=1)


def moderate(rows: Tensor) -> Tensor:
    """`rows` (..., d), those divided by their largest entry whose squares may leave the range."""
    largest = torch.linalg.vector_norm(rows, math.inf, dim=-1, keepdim=True)
    extreme = ((largest < 1e-9) | (largest > 1e9)) & (largest > 0)
    return torch.where(extreme, rows / largest, rows) if bool(extreme.any()) else rows


def _typed(value: Any) -> str:
    """The type of `value`, and what it is: an array's shape, or a short text."""
    shape = getattr(value, "shape", None)
    what = f"of shape {tuple(shape)}" if shape else reprlib.repr(value)
    return f"{type(value).__name__} {what}"


def number(
    name: str, value: Any, *, low: float = -np.inf, high: float = np.inf, strict: bool = False
) -> float:
    """`value` as a finite float in [low, high]; with `strict` above `low`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {_typed(value)}")
    try:
        result = float(value)
    except OverflowError:  # a whole number of Python's, which are as great as one likes
        result = np.inf
    if not np.isfinite(result) or result > high or result < low or (strict and result == low):
        left, right = "(" if strict or low == -np.inf else "[", ")" if high == np.inf else "]"
        raise ValueError(f"{name}: expected a number in {left}{low}, {high}{right}, got {value!r}")
    return result


def integer(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """`value` as an int of at least `low` and at most `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {_typed(value)}")
    if value < low:
        raise ValueError(f"{name}: expected an integer of at least {low}, got {value!r}")
    if high is not None and value > high:
        raise ValueError(f"{name}: expected at most {high}, got {value!r}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """`value` as a bool, if it is one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, got {_typed(value)}")
    return bool(value)


def choice(
    name: str, value: Any, allowed: tuple[str, ...], elsewhere: Mapping[str, str] | None = None
) -> str:
    """`value` if it is one of `allowed`; the error names the one that is so called `elsewhere`."""
    if not isinstance(value, str) or value not in allowed:
        got = repr(value) if isinstance(value, str) else _typed(value)
        meant = (elsewhere or {}).get(value.lower()) if isinstance(value, str) else None
        hint = f"; that is {meant!r} here" if meant else ""
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {got}{hint}")
    return str(value)


def listed(name: str, value: Any, of: str) -> list[Any]:
    """`value`, one or more of what `of` calls one, as a list; no text and no mapping is a list."""
    try:
        items = None if isinstance(value, (str, bytes, Mapping)) else list(value)
    except TypeError:
        items = None
    if items is None:
        raise TypeError(f"{name}: expected a list of {of}s, got {_typed(value)}")
    if not items:
        raise ValueError(f"{name}: expected at least one {of}, got none")
    return items


def labelled(name: str, value: Any, by: str) -> dict[str, Any]:
    """`value` as a dict with at least one entry, whose keys are what `by` says."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a mapping by {by}, got {_typed(value)}")
    if not value:
        raise ValueError(f"{name}: expected at least one {by}, got none")
    return dict(value)


def as_seed(seed: Any) -> int:
    """`seed` as an int that a torch generator takes."""
    return integer("seed", seed, low=0, high=2**64 - 1)


def as_generator(seed: Seed, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on `device`: `seed` itself if it is one, else one seeded with it."""
    if isinstance(seed, torch.Generator):
        return seed
    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(as_seed(seed))
    return generator


def work(value: Tensor) -> Tensor:
    """`value` in double precision where the device has it."""
    return value if value.device.type == "mps" else value.double()


def centred(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d,) of `rows` (n, d) and their offsets from it, in double precision.

    Offsets of rows that are all alike to rounding are zeros: what is left of them is an accident of
    the order in which they were added up.
    """
    wide = work(rows)
    mean = wide.mean(dim=0)
    offset = wide - mean
    rounding = 64 * torch.finfo(wide.dtype).eps
    alike = bool(torch.linalg.norm(offset) <= rounding * torch.linalg.norm(wide))
    return mean, torch.zeros_like(offset) if alike else offset


def device_here(name: str, value: torch.device | str) -> torch.device:
    """`value` as a device that this machine has; raises `ValueError` that says which it has."""
    if not isinstance(value, (str, torch.device)):
        raise TypeError(f"{name}: expected a torch device, got {type(value).__name__}")
    try:
        device = torch.device(value)
    except RuntimeError as error:
        raise ValueError(f"{name}: expected 'auto' or a torch device, got {value!r}") from error
    try:
        if device.type == "meta":
            raise RuntimeError("it holds no values")
        torch.empty(1, device=device)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise ValueError(
            f"{name}: expected a device of this machine ({', '.join(devices())}), got "
            f"{str(device)!r}: {reason[:120]}"
        ) from error
    return device


def devices() -> list[str]:
    """The names of this machine's devices."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
