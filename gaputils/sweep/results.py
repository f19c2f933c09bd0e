"""What executed notebooks say: the values they glued, as one tidy table, and a gallery."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat as _nbformat
import pandas as pd

nbformat: Any = _nbformat

PACKAGE = Path(str(files("gaputils")))
STORED = PACKAGE / "data" / "many-models.parquet"


def glued(notebook: Path) -> dict[str, float | str]:
    """The values that an executed `notebook` handed to `gaputils.pages.glue`, by their keys."""
    cells = nbformat.read(notebook, as_version=4).cells
    return values_of(output for cell in cells for output in cell.get("outputs", []))


def values_of(outputs: Iterable[dict[str, Any]]) -> dict[str, float | str]:
    """The glued values among a notebook's `outputs`, by their keys."""
    values: dict[str, float | str] = {}
    for output in outputs:
        name = output.get("metadata", {}).get("scrapbook", {}).get("name")
        if name is None:
            continue
        data = output["data"]
        text = data.get("application/papermill.record/text/plain", data.get("text/plain", ""))
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        values[name] = float(value) if isinstance(value, (int, float)) else str(value)
    return values


def tidy(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A row for each value of each done run.

    Columns: `run`, `page`, a column for each parameter of any run (missing where a page has none
    of that name; lists as JSON), `name`, `value` (NaN for text), `text` (missing for numbers).
    """
    rows = []
    for record in records:
        parameters = {k: _plain(v) for k, v in record["parameters"].items()}
        for name, value in record["values"].items():
            number = isinstance(value, (int, float))
            rows.append(
                {
                    "run": record["run"],
                    "page": record["page"],
                    **parameters,
                    "name": name,
                    "value": float(value) if number else None,
                    "text": None if number else value,
                }
            )
    frame = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=["run", "page", "name", "value", "text"])
    ends = ["name", "value", "text"]
    for column in [c for c in frame.columns if c not in ends]:
        present = frame[column].dropna()
        kinds = {type(value) for value in present}
        if not (kinds <= {int, float} or kinds <= {bool} or kinds <= {str}):
            frame[column] = frame[column].map(lambda v: v if pd.isna(v) else str(v))
    frame["value"] = frame["value"].astype(float)
    frame["text"] = frame["text"].astype("string")
    return frame[[c for c in frame.columns if c not in ends] + ends]


def write_gallery(runs: str | Path, folder: str | Path) -> Path:
    """Copy the executed notebooks of the sweep folder `runs` to `folder`, with an index page.

    Returns the index, ready for the book's table of contents; the notebooks keep their outputs and
    are marked not to be executed again. Raises `FileNotFoundError` if no run in `runs` is done.
    """
    source, target = Path(runs), Path(folder)
    done = []
    for file in sorted(source.glob("*.json")):
        record = json.loads(file.read_text())
        if record["status"] == "done":
            done.append(record)
    if not done:
        raise FileNotFoundError(f"runs: there is no done run in {source}")
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    lines = ["# Gallery of runs", "", "```{toctree}", ":maxdepth: 1", ""]
    for record in done:
        notebook = nbformat.read(source / f"{record['run']}.ipynb", as_version=4)
        notebook.metadata["mystnb"] = {"execution_mode": "off"}
        title = ", ".join(f"{k} = {v}" for k, v in record["parameters"].items())
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and cell.source.startswith("# "):
                cell.source = f"# {record['page']}: {title}\n" + cell.source.partition("\n")[2]
                break
        nbformat.write(notebook, target / f"{record['run']}.ipynb")
        lines.append(record["run"])
    index = target / "index.md"
    index.write_text("\n".join([*lines, "```", ""]))
    return index


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def load_results(path: str | Path | None = None) -> pd.DataFrame:
    """The tidy table that a sweep wrote; left out, the one stored with the package.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is none of a sweep.
    """
    file = STORED if path is None else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {file}; a sweep writes results.parquet")
    try:
        found = pd.read_parquet(file)
    except (ValueError, OSError) as error:
        raise ValueError(f"path: {file} is not a whole .parquet file ({error})") from error
    missing = {"run", "page", "name", "value", "text"} - set(found.columns)
    if missing:
        raise ValueError(f"path: {file} is no sweep's table: it lacks {', '.join(sorted(missing))}")
    return found
