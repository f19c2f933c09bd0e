"""What a page shows of its code fits its column and calls the package: no loops, no definitions."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

jupytext = pytest.importorskip("jupytext", reason="reads the pages")

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for folder in ("notebooks", "book")
    for path in (ROOT / folder).rglob("*.md")
    if "{code-cell}" in path.read_text(encoding="utf-8")
)
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell", "parameters"}
LINES, COLUMNS = 12, 76
LOGIC = (ast.For, ast.While, ast.FunctionDef, ast.ClassDef)


def visible(page: Path) -> list[str]:
    """The source of each code cell that a reader sees unfolded."""
    cells: list[Any] = jupytext.read(page).cells
    shown = [c for c in cells if not FOLDED & set(c.metadata.get("tags", []))]
    return [c.source for c in shown if c.cell_type == "code"]


def faults(source: str) -> list[str]:
    """What is wrong with one visible cell."""
    lines = [line for line in source.splitlines() if line.strip()]
    python = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
    logic = any(isinstance(node, LOGIC) for node in ast.walk(ast.parse(python)))
    found = {
        f"{len(lines)} lines": len(lines) > LINES,
        "a loop or a definition": logic,
        f"{max(map(len, lines), default=0)} columns": max(map(len, lines), default=0) > COLUMNS,
    }
    return [f"{fault}: {lines[0]}" for fault, there in found.items() if there]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_visible_code_is_short_narrow_and_calls_the_package(page: Path) -> None:
    found = [fault for source in visible(page) for fault in faults(source)]
    assert not found


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name == "notebooks"], ids=lambda page: page.stem
)
def test_no_fold_hides_only_what_goes_into_sentences(page: Path) -> None:
    folds = [c for c in jupytext.read(page).cells if "hide-input" in c.metadata.get("tags", [])]
    silent = [cell.source for cell in folds if "display(" not in cell.source]
    last = [ast.unparse(ast.parse(source).body[-1]) for source in silent]
    assert [line for line in last if "pages.glue(" in line] == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = 1", 0),
        ("%pip install a\nx = 1", 0),
        ("\n".join(["x = 1"] * 13), 1),
        ("for i in y:\n    print(i)", 1),
        ("def f():\n    return 1", 1),
        (f"x = '{'a' * 80}'", 1),
        ("total = [i for i in y]", 0),
    ],
)
def test_faults_are_seen(source: str, count: int) -> None:
    assert len(faults(source)) == count
