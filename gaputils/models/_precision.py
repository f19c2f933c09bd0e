"""Single precision for a while, whatever torch's default type is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def single_precision() -> Iterator[None]:
    """Within the block, and as a decorator, new tensors of others' code are float32.

    >>> torch.set_default_dtype(torch.float64)
    >>> with single_precision():
    ...     torch.zeros(1).dtype
    torch.float32
    >>> torch.set_default_dtype(torch.float32)
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class InSinglePrecision:
    """The image preprocessing `function`, which scales pixels to torch's default type."""

    def __init__(self, function: Callable[[Any], Tensor]) -> None:
        self.function = function

    def __call__(self, image: Any) -> Tensor:
        with single_precision():
            return self.function(image)

    def __repr__(self) -> str:
        return repr(self.function)
