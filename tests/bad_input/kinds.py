"""What can be wrong with an input, and one attempt with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from gaputils._reading import UnreadableFile
from gaputils.closing.on_hull import comparing

KINDS: dict[str, str] = {
    "NaN": "a value is not a number",
    "infinity": "a value is infinite",
    "dimension": "another number of axes or columns",
    "dtype": "a list, text, objects, booleans, complex numbers, 8-bit floats, a masked array",
    "empty": "no rows or no columns",
    "one row": "a side has a single row",
    "zero row": "a row of norm zero where a direction is needed",
    "variance": "a negative variance or spread",
    "alpha": "a step length that is no finite number",
    "name": "a name that is not known",
    "missing": "there is no such file",
    "truncated": "the file ends too early",
    "another kind": "the file holds something else",
    "pickle": "a pickle under the name of a safe format",
    "encoding": "a list of files in another encoding than UTF-8",
    "device": "a device that this machine has not",
    "path": "a list of files names one outside its folder",
    "lie": "a list of files says what its files do not hold",
    "gap": "a table lacks rows or numbers, an image any range of them",
    "labels": "labels that no rows of the gallery answer to",
    "part": "a part of what is given would be passed over",
    "value": "a value that would not reach a page as it is written",
}
"""The columns of the table, each in words."""

ANSWERED, UNDEFINED = "answered", "NaN"


@dataclass(frozen=True)
class Attempt:
    """One public entry called with one bad input.

    `act` is given an empty folder. `expected` is the name of the error's class, or "answered", or
    "NaN" for a number that is documented as undefined; `message` a pattern of the error's text.
    """

    entry: str
    kind: str
    variant: str
    act: Callable[[Path], Any]
    expected: str
    message: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: the error's class or `ANSWERED` or `UNDEFINED`, and its text."""

    result: str
    message: str = ""


def outcome(attempt: Attempt, folder: Path) -> Outcome:
    """Make the attempt in `folder`."""
    try:
        with comparing():  # few rows of few columns leave a closing nothing to move
            answer = attempt.act(folder)
    except UnreadableFile as error:  # callers catch it as what it is derived from
        return Outcome("ValueError", str(error))
    except Exception as error:
        return Outcome(type(error).__name__, str(error))
    return Outcome(ANSWERED if is_defined(answer) else UNDEFINED)


def is_defined(answer: Any) -> bool:
    """True if `answer` holds no NaN, wherever it keeps its numbers."""
    if isinstance(answer, (list, tuple)):
        return all(is_defined(part) for part in answer)
    if isinstance(answer, dict):
        return all(is_defined(part) for part in answer.values())
    if isinstance(answer, pd.DataFrame):
        return not answer.select_dtypes("number").isna().any(axis=None)
    if isinstance(answer, pd.Series):
        return not answer.isna().any()
    if isinstance(answer, torch.Tensor):
        return not bool(answer.isnan().any())
    if isinstance(answer, float):
        return answer == answer
    return all(is_defined(part) for name, part in getattr(answer, "__dict__", {}).items() if name)
