"""The parameters of a page: which it has, and which values a run may hand over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lazy_loader

from gaputils.sweep._yaml import Unclear

nbformat: Any = lazy_loader.load("nbformat")
_HALVES = re.compile(r"[\ud800-\udfff]")


def parameter_names(notebook: Path) -> set[str]:
    """The names that the first cell tagged `parameters` of an .ipynb `notebook` assigns.

    Raises `ValueError` if that cell is not the Python that the notebook's language says it is.
    """
    content = nbformat.read(notebook, as_version=4)
    language = content.metadata.get("language_info", {}).get("name")
    if content.metadata.get("kernelspec", {}).get("language", language or "python") != "python":
        import papermill

        return set(papermill.inspect_notebook(str(notebook)))
    from IPython.core import inputtransformer2

    tagged = (
        cell.source
        for cell in content.cells
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    )
    source = next(tagged, "")
    manager: Any = inputtransformer2.TransformerManager
    try:
        return set(_assigned(ast.parse(manager().transform_cell(source)).body))
    except SyntaxError as error:
        raise ValueError(
            f"page: the parameters of {notebook.name} are not Python: {error}"
        ) from error


def require_plain(name: Any, value: Any) -> None:
    """Raise `ValueError` unless the parameter `name` and its `value` reach a page as they are.

    Values are None, booleans, numbers, text, and lists and mappings with text keys of them.
    """
    if not isinstance(name, str):
        shown = name.text if isinstance(name, Unclear) else name
        raise ValueError(f"parameter {shown!r}: expected a name; put it in quotes if it is one")
    if isinstance(value, Unclear):
        raise ValueError(
            f"parameter {name}: {value.text} is a date, or YAML's versions read it differently, or "
            f"no number holds it; write true, false or a decimal number, or put text in quotes"
        )
    if isinstance(value, list):
        for item in value:
            require_plain(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                shown = key.text if isinstance(key, Unclear) else repr(key)
                raise ValueError(f"parameter {name}: expected text as keys, got {shown}")
            require_plain(name, key)
            require_plain(name, item)
    elif isinstance(value, str):
        if _HALVES.search(value):
            raise ValueError(f"parameter {name}: {value!r} holds half a character of a pair")
    elif not (value is None or isinstance(value, (bool, int, float))):
        raise ValueError(
            f"parameter {name}: expected text, a number, true, false, null, a list or a mapping, "
            f"got {type(value).__name__} {value}; put it in quotes to hand over text"
        )


def _assigned(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            targets = []
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                for part in ("body", "orelse", "finalbody"):
                    yield from _assigned(getattr(statement, part, []))
        for target in targets:
            names = (node for node in ast.walk(target) if isinstance(node, ast.Name))
            yield from (node.id for node in names if isinstance(node.ctx, ast.Store))
