"""Bars on standard error for what takes longer than two seconds, where a person looks at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

_NO = ("", "0", "false", "no")
_DELAY = 2.0


def wants_progress() -> bool:
    """Whether to show bars: in a terminal, unless TQDM_DISABLE or GAPUTILS_PROGRESS=0 is set."""
    if os.environ.get("TQDM_DISABLE", "").lower() not in _NO:
        return False
    setting = os.environ.get("GAPUTILS_PROGRESS", "")
    return sys.stderr.isatty() if setting == "" else setting not in _NO


def bar(blocks: Iterable[Any] | None = None, **options: Any) -> Any:
    """tqdm's bar over `blocks`, with its `options`, which appears after two seconds."""
    from tqdm.auto import tqdm

    return tqdm(blocks, disable=not wants_progress(), delay=_DELAY, **options)
