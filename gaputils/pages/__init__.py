"""What the book's pages need besides the science: numbers for the prose, tables, notes."""

from __future__ import annotations

import math
import re
from functools import partial
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
    plain = _held(plain) if isinstance(plain, str) else plain
    try:
        from myst_nb import glue as register
    except ModuleNotFoundError:
        print(f"{key} = {plain:.4g}" if isinstance(plain, float) else f"{key} = {plain}")
    else:
        register(key, plain, display=False)


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<=\d)e([+-]\d+)\b")
_MINUS = re.compile(r"(?<![\w.)])-(?=\.?\d)")
_BELOW_ZERO = re.compile(r"(?<![\w.)])[-−](?=0(?:\.0*)?(?![\d.e]))")
SCORING_WORDS = {"cosine": "cosine", "inner-product": "inner product", "euclidean": "Euclidean"}


def typeset(text: str) -> str:
    """`text` with its numbers set as in print: "-1.5e-06" becomes "−1.5·10⁻⁶".

    A hyphen between words or digits stays what it is, and what rounds to zero has no sign.

    >>> typeset("-1.5e-06 of ViT-B/16"), typeset("2022-08"), typeset("-0.000 ± 0.002")
    ('−1.5·10⁻⁶ of ViT-B/16', '2022-08', '0.000 ± 0.002')
    """
    text = _BELOW_ZERO.sub("", text)
    powers = _POWER.sub(lambda m: f"·10{str(int(m[1])).translate(_SUPERSCRIPT)}", text)
    return _MINUS.sub("−", powers)


def with_error(value: float, error: float, digits: int = 3, *, signed: bool = False) -> str:
    """`value` with its standard error, to `digits` decimals or as many (four) as show the error.

    >>> with_error(0.0119, 0.0004, signed=True), with_error(-0.081, 0.004), with_error(1.0, 0.0)
    ('+0.0119 ± 0.0004', '−0.081 ± 0.004', '1.000')
    """
    if error < 5e-5:
        exact = f"{value:+.4f}" if signed else f"{value:.{digits}f}"
        return typeset("0" if signed and abs(value) < 5e-5 else exact)
    digits = min(4, max(digits, math.ceil(-math.log10(error))))
    value = round(value, digits) + 0.0  # no minus before a zero
    return typeset(f"{value:{'+' * signed}.{digits}f} ± {error:.{digits}f}")


def _formatted(form: str, value: Any) -> str:
    return typeset(form.format(value))


def _held(text: str) -> str:
    """`text` in which no line breaks about a ±."""
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def _held_cell(text: str) -> str:
    """The same in HTML, by a class, so that a table too wide for its place breaks before the ±."""
    return re.sub(r"(\S+ ±) (\S+)", r'<span class="gu-held">\1&nbsp;\2</span>', text)


def table(
    frame: pd.DataFrame, formats: str | dict[str, str] = "{:.3f}", *, cards: bool = False
) -> Any:
    """`frame` as a table for a page: numbers formatted and typeset, missing values as a dash, words
    to the left, scorings by their names for people, no plain row numbers, one row of headings, and
    names of columns broken at underscores where room is short. With `cards` each row of it stands
    as a block of its own on a phone.
    """
    plain = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    if frame.index.nlevels > 1:
        frame, plain = frame.reset_index(), True
    frame = frame.replace(SCORING_WORDS).rename(index=SCORING_WORDS, columns=SCORING_WORDS)
    if frame.columns.nlevels == 1:
        heading: Any = frame.index.name
        frame = frame.rename_axis(index=None, columns=heading)
    if isinstance(formats, str):
        numbers = [name for name in frame if pd.api.types.is_float_dtype(frame[name])]
        chosen: dict[Any, Any] = dict.fromkeys(numbers, formats)
    else:
        chosen = dict(formats)
    shown: dict[Any, Any] = {name: partial(_formatted, form) for name, form in chosen.items()}
    left = [{"selector": "", "props": "text-align: left"}]
    words: Any = {name: left for name in frame if not pd.api.types.is_numeric_dtype(frame[name])}
    texts = [name for name in words if all(isinstance(value, str) for value in frame[name])]
    shown |= dict.fromkeys(texts, _held_cell)
    named = 'class="dataframe gu-cards"' if cards else 'class="dataframe"'
    styled = frame.style.format(shown, na_rep="–").set_table_attributes(named)
    styled = styled.format_index(lambda name: str(name).replace("_", "_<wbr>"), axis=1)
    if plain:
        styled = styled.hide(axis="index")
    return styled.set_table_styles(words) if words else styled


def guard(claims: dict[str, bool], *, own: bool) -> None:
    """Fail the page if its run no longer bears out a sentence of its prose.

    `claims` has the sentences and whether each holds; `own` says that the run has the page's own
    parameters, for which the prose was written. Raises `AssertionError` naming what broke.
    """
    broken = [sentence for sentence, holds in claims.items() if not holds]
    if own and broken:
        raise AssertionError(
            f"the run no longer bears out: {'; '.join(broken)}. The prose was written for the "
            "page's own parameters; with others pass guard=False"
        )


def note(text: str) -> None:
    """Show `text` as a note on the page, if there is any."""
    if text:
        from IPython.display import Markdown, display

        display(Markdown(f"> {_held(text)}"))  # type: ignore[no-untyped-call]


def tell_missing(info: dict[str, Any]) -> bool:
    """Whether what `info` describes stands in for published embeddings; if so, the page says it."""
    if "missing" not in info:
        return False
    text = (
        f"**The published embeddings could not be had**, so this build shows {info['title']} in "
        f"their place. The numbers are this run's; sentences about which way a number goes were "
        f"written for the published ones and may not hold here. {info['missing']}"
    )
    note(text)
    return True
