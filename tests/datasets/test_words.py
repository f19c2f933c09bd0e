"""Lists of texts: from whatever lists them, and from nothing that is no text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaputils.datasets._words import words


@pytest.mark.parametrize("make", [list, tuple, iter, np.array])
def test_texts_are_listed_in_their_order(make: Any) -> None:
    found = words("names", make(["b", "a", ""]), "name")
    assert found == ["b", "a", ""]
    assert {type(one) for one in found} == {str}


@pytest.mark.parametrize("bad", [None, float("nan"), b"c", 3, ["c"]])
def test_what_is_no_text_is_named_with_its_place(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^names: expected a text at place 2, got"):
        words("names", ["a", "b", bad], "name")


def test_none_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^names: expected at least one name, got none"):
        words("names", [], "name")


@pytest.mark.parametrize("alone", ["abc", b"abc", {"a": "b"}, None, 3])
def test_one_alone_is_no_list(alone: Any) -> None:
    with pytest.raises(TypeError, match=r"^names: expected a list of names, got"):
        words("names", alone, "name")
