"""Write the output-free .ipynb sibling of every page's MyST source, or check that it is current.

Colab and papermill open the siblings. Each begins with a cell that its source does without: it
installs the package where it is missing, from the repository's address in pyproject.toml or from
what the variable GAPUTILS_SOURCE names. Cell ids are a digest of the cell's place and text, so
that the same source always gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell

from address import addresses

ROOT = Path(__file__).resolve().parent.parent
INSTALL = f"""\
import importlib.util
import os

if importlib.util.find_spec("gaputils") is None:
    source = os.environ.get("GAPUTILS_SOURCE", "git+{addresses()[0]}")
    %pip install -q "gaputils[pages] @ {{source}}"
"""


def sibling(source: Path) -> str:
    """The text of the notebook that belongs to the page `source`."""
    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    code = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    notebook.cells.insert(code[0], new_code_cell(INSTALL.rstrip()))
    for place, cell in enumerate(notebook.cells):
        text = f"{place}\n{cell.cell_type}\n{cell.source}"
        cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:8]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    """Write the siblings; with `--check` name those that are missing or stale and fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    pages = sorted((ROOT / "notebooks").glob("*.md"))
    stale = []
    for page in pages:
        target, text = page.with_suffix(".ipynb"), sibling(page)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            stale.append(target)
            if not check:
                target.write_text(text, encoding="utf-8")
                print(f"wrote {target.relative_to(ROOT)}")
    orphans = [
        path
        for path in (ROOT / "notebooks").glob("*.ipynb")
        if path.with_suffix(".md") not in pages
    ]
    for path in [*(stale if check else []), *orphans]:
        print(f"{path.relative_to(ROOT)}: run `make notebooks`", file=sys.stderr)
    return 1 if orphans or (check and stale) else 0


if __name__ == "__main__":
    raise SystemExit(main())
