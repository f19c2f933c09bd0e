"""What the book's pages need besides the science: numbers for the prose, tables, notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def glue(key: str, value: float | int | str) -> None:
    """Make the run's `value` available to the page's prose, by the role `glue:text`, as `key`.

    NumPy and torch scalars become plain Python numbers. Outside a build of the book (Colab, a
    local Jupyter without myst-nb) the value is printed instead.
    """
    plain = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, (int, float, str)):
        raise TypeError(f"value: expected a number or a string, got {type(value).__name__}")
    if isinstance(plain, float) and not np.isfinite(plain):
        raise ValueError(f"value: expected a finite number for {key!r}, got {plain!r}")
    try:
        from myst_nb import glue as register
    except ModuleNotFoundError:
        print(f"{key} = {plain:.4g}" if isinstance(plain, float) else f"{key} = {plain}")
    else:
        register(key, plain, display=False)


def table(frame: pd.DataFrame, formats: str | dict[str, str] = "{:.3f}") -> Any:
    """`frame` as a table for a page: numbers formatted, missing values as a dash, words to the
    left, no plain row numbers, and names of columns broken at underscores where room is short.
    """
    if isinstance(formats, str):
        numbers = [name for name in frame if pd.api.types.is_float_dtype(frame[name])]
        chosen: dict[Any, Any] = dict.fromkeys(numbers, formats)
    else:
        chosen = dict(formats)
    left = [{"selector": "", "props": "text-align: left"}]
    words: Any = {name: left for name in frame if not pd.api.types.is_numeric_dtype(frame[name])}
    styled = frame.style.format(chosen, na_rep="–").set_table_attributes('class="dataframe"')
    styled = styled.format_index(lambda name: str(name).replace("_", "_<wbr>"), axis=1)
    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        styled = styled.hide(axis="index")
    return styled.set_table_styles(words) if words else styled


def guard(claims: dict[str, bool], *, own: bool) -> None:
    """Fail the page if its run no longer bears out a sentence of its prose.

    `claims` has the sentences and whether each holds; `own` says that the run has the page's own
    parameters, for which the prose was written. Raises `AssertionError` naming what broke.
    """
    broken = [sentence for sentence, holds in claims.items() if not holds]
    if own and broken:
        raise AssertionError(f"the run no longer bears out: {'; '.join(broken)}")


def tell_missing(info: dict[str, Any]) -> bool:
    """Whether what `info` describes stands in for published embeddings; if so, the page says it."""
    if "missing" not in info:
        return False
    from IPython.display import Markdown, display

    text = (
        f"> **The published embeddings could not be had**, so this build shows {info['title']} in "
        f"their place. The numbers are this run's; sentences about which way a number goes were "
        f"written for the published ones and may not hold here. {info['missing']}"
    )
    display(Markdown(text))  # type: ignore[no-untyped-call]
    return True
