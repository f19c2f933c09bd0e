"""Lists of texts that someone hands over: names, captions, templates, questions, options."""

from __future__ import annotations

from typing import Any

from gaputils._checks import _typed, listed


def words(name: str, value: Any, of: str) -> list[str]:
    """`value`, one or more texts that `of` calls one, as a list.

    Raises `TypeError` if it is one text alone, or holds something else, as None.
    """
    found = listed(name, value, of)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            hint = (
                "; call it with '{}' to have its text"
                if of == "template" and callable(text)
                else ""
            )
            raise TypeError(f"{name}: expected a text at place {place}, got {_typed(text)}{hint}")
    return [str(text) for text in found]
