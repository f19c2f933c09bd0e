"""What executed notebooks say: the values they glued, as one tidy table."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import lazy_loader
import pandas as pd

from gaputils._reading import named_place, reading

nbformat: Any = lazy_loader.load("nbformat")

PACKAGE = Path(str(files("gaputils")))
STORED = PACKAGE / "data" / "many-models.parquet"

COLUMNS = ("run", "page", "name", "value", "text")
_RECORD: dict[str, type | tuple[type, ...]] = {
    "run": str, "page": str, "notebook": str, "parameters": dict, "error": str,
    "seconds": (int, float), "fingerprint": str, "values": dict,
}  # fmt: skip


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
    """The table of `gaputils.sweep.load_results`, of the done runs among `records`."""
    records = list(records)
    pages = _page_names({record["notebook"] for record in records})
    given = [{_column(k): v for k, v in record["parameters"].items()} for record in records]
    for name in {name for some in given for name in some}:
        with_it = [some for some in given if name in some]
        for some, value in zip(with_it, _alike([some[name] for some in with_it]), strict=True):
            some[name] = value
    rows = []
    for record, parameters in zip(records, given, strict=True):
        for name, value in record["values"].items():
            number = isinstance(value, (int, float))
            rows.append(
                {
                    "run": record["run"],
                    "page": pages[record["notebook"]],
                    **parameters,
                    "name": name,
                    "value": float(value) if number else None,
                    "text": None if number else value,
                }
            )
    frame = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    ends = list(COLUMNS[2:])
    frame["value"] = frame["value"].astype(float)
    frame["text"] = frame["text"].astype("string")
    return frame[[c for c in frame.columns if c not in ends] + ends]


def done_records(folder: Path) -> list[dict[str, Any]]:
    """The records of the done runs in `folder`, whose notebooks are there; other files aside."""
    records = map(done_record, sorted(folder.glob("*.json")))
    return [record for record in records if record is not None]


def done_record(file: Path) -> dict[str, Any] | None:
    """The record of a done run in `file`, with its notebook beside it; None for anything else."""
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    own = (
        isinstance(record, dict)
        and record.get("run") == file.stem
        and record.get("status") == "done"
        and isinstance(record.get("parameters"), dict)
        and "page" in record
        and file.with_suffix(".ipynb").is_file()
    )
    return record if own else None


def is_whole(record: dict[str, Any]) -> bool:
    """Whether the table of results can be made of `record`."""
    known = all(isinstance(record.get(key), kind) for key, kind in _RECORD.items())
    return known and all(isinstance(v, (int, float, str)) for v in record["values"].values())


def _alike(values: list[Any]) -> list[Any]:
    """The `values` of a parameter as they are; as JSON if one column would not tell them apart."""
    kinds = {type(value) for value in values if value is not None}
    numbers = kinds <= {int, float} and all(abs(v) <= 2**53 for v in values if type(v) is int)
    missing = None in values and any(value != value for value in values)
    if (numbers and not missing) or kinds <= {bool} or kinds <= {str}:
        return values
    return [None if v is None and not missing else json.dumps(v) for v in values]


def _column(parameter: str) -> str:
    """Its column; no name in Python has a dot, so none stands in the way of another."""
    return f"parameter.{parameter}" if parameter in COLUMNS else parameter


def _page_names(notebooks: Iterable[str]) -> dict[str, str]:
    """The end of each path, as short as tells it from the others, without its suffix."""
    ends = {path: PurePosixPath(path).with_suffix("").parts for path in notebooks}
    names = {}
    for path, parts in ends.items():
        others = [other for key, other in ends.items() if key != path]
        lengths = range(1, len(parts) + 1)
        alone = (n for n in lengths if all(other[-n:] != parts[-n:] for other in others))
        names[path] = "/".join(parts[-n:]) if (n := next(alone, None)) else path
    return names


def load_results(path: str | Path | None = None) -> pd.DataFrame:
    """The tidy table that a sweep wrote; left out, the one stored with the package.

    A row for each value of each done run: `run`; `page`, the notebook's name, with the folders
    that tell it from another of that name; a column for each parameter of any run, missing where a
    page has none of that name or where it is null, and as JSON where its values are of several
    kinds, lists or mappings; `name`; `value` (NaN for text); `text` (missing for numbers).
    Parameters called like one of these columns are in ``parameter.name``.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is none of a sweep.
    """
    file = STORED if path is None else named_place("path", path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {file}; a sweep writes results.parquet")
    with reading(file, "a whole .parquet file", argument="path"):
        found = pd.read_parquet(file, partitioning=None)
    missing = set(COLUMNS) - set(found.columns)
    if missing:
        raise ValueError(f"path: {file} is no sweep's table: it lacks {', '.join(sorted(missing))}")
    return found
