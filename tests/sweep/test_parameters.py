"""The names that a page's cell assigns, and the values that reach it as they are."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gaputils.sweep._parameters import parameter_names, require_plain
from gaputils.sweep._yaml import Unclear


def page(folder: Path, *sources: str, tag: str = "parameters") -> Path:
    cells = [new_code_cell(source, metadata={"tags": [tag]}) for source in sources]
    note = new_markdown_cell("y = 1", metadata={"tags": ["parameters"]})
    plain = new_code_cell("z = 1")
    nbformat.write(new_notebook(cells=[note, plain, *cells]), folder / "page.ipynb")
    return folder / "page.ipynb"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = 1\nb: int = 2\nc: str", {"a", "b", "c"}),
        ("a = b = 1", {"a", "b"}),
        ("a, (b, *c) = 1, (2, 3)", {"a", "b", "c"}),
        ("if True:\n    a = 1\nelse:\n    b = 2", {"a", "b"}),
        ("try:\n    a = 1\nfinally:\n    b = 2", {"a", "b"}),
        ("def f():\n    a = 1\nclass C:\n    b = 2\nc = 3", {"c"}),
        ("%matplotlib inline\n!ls\na = 1", {"a"}),
        ("a = [b for b in range(3)]\nprint(a)", {"a"}),
        ("x.y = 1\nz[0] = 2", set()),
        ("", set()),
    ],
)
def test_the_names_are_those_that_the_cell_assigns(
    tmp_path: Path, source: str, names: set[str]
) -> None:
    assert parameter_names(page(tmp_path, source)) == names


def test_the_first_tagged_code_cell_counts(tmp_path: Path) -> None:
    assert parameter_names(page(tmp_path, "a = 1", "b = 2")) == {"a"}
    assert parameter_names(page(tmp_path, "a = 1", tag="other")) == set()


def test_what_is_no_python_names_the_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^page: the parameters of page\.ipynb are not Python"):
        parameter_names(page(tmp_path, "a = = 1"))


@pytest.mark.parametrize(
    "value", [None, True, 3, -0.5, float("inf"), "text", [], [1, ["a", None]], {"a": {"b": [1.5]}}]
)
def test_plain_values_pass(value: Any) -> None:
    require_plain("x", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime.date(2024, 1, 2), "date 2024-01-02; put it in quotes"),
        ({1: "a"}, "expected text as keys, got 1"),
        ([[{1}]], "got set"),
        ({"a": [Unclear("yes")]}, "yes is a date, or YAML's versions read it differently"),
        ((1, 2), "got tuple"),
        (b"x", "got bytes"),
        ("a\ud800", "holds half a character"),
        ([{"\udfff": 1}], "holds half a character"),
    ],
)
def test_what_would_reach_the_page_as_another_value_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^parameter x: .*{message}"):
        require_plain("x", value)


@pytest.mark.parametrize(("name", "shown"), [(Unclear("off"), "'off'"), (3, "3"), (None, "None")])
def test_a_name_that_is_no_text_is_refused(name: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=rf"^parameter {shown}: expected a name"):
        require_plain(name, 1)
