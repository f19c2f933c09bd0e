"""What properties draw from: sizes, dimensions, and the forms in which people hold embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
ARRAYS = (np.float16, np.float32, np.float64)
TENSORS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def forms() -> st.SearchStrategy[Any]:
    """Dtypes of NumPy and of torch, half precision among them."""
    return st.sampled_from((*ARRAYS, *TENSORS))


def whole(least: int, most: int) -> st.SearchStrategy[int]:
    """Integers whose logarithms are spread evenly, so that few and many are drawn alike."""
    span = st.floats(math.log(least), math.log(most + 0.999))
    return span.map(lambda size: min(most, max(least, int(math.exp(size)))))


def given_in(form: Any, *sides: np.ndarray) -> tuple[list[Any], list[np.ndarray]]:
    """`sides` in the dtype `form`, and the values that they then have, in double precision."""
    if isinstance(form, torch.dtype):
        given = [torch.from_numpy(side).to(form) for side in sides]
        return given, [side.double().numpy() for side in given]
    given = [side.astype(form) for side in sides]
    return given, [side.astype(np.float64) for side in given]


def rounding(form: Any) -> float:
    """The relative rounding error of the dtype `form`."""
    if isinstance(form, torch.dtype):
        return float(torch.finfo(form).eps)
    return float(np.finfo(form).eps)


def same_form(value: Any, form: Any) -> bool:
    """Whether `value` came back as it was given: an array for an array, in its dtype."""
    tensor = isinstance(form, torch.dtype)
    return isinstance(value, torch.Tensor if tensor else np.ndarray) and value.dtype == form
