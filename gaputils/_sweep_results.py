"""What executed notebooks say: the values they glued, as one tidy table."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat as _nbformat
import pandas as pd

nbformat: Any = _nbformat


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


def done_records(folder: Path) -> list[dict[str, Any]]:
    """The records of the done runs in `folder`, whose notebooks are there; other files aside."""
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            record = json.loads(file.read_bytes())
        except ValueError:
            continue
        if (
            isinstance(record, dict)
            and record.get("run") == file.stem
            and record.get("status") == "done"
            and isinstance(record.get("parameters"), dict)
            and "page" in record
            and file.with_suffix(".ipynb").is_file()
        ):
            found.append(record)
    return found


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
