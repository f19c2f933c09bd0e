"""Attempts with values that are missing, labels that cannot be used, and values no page can get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

import gaputils as gu
from bad_input.arrays import good
from bad_input.files import PAGE
from bad_input.kinds import Attempt
from gaputils.datasets._sources import ImageFiles
from gaputils.sweep.gallery import require_gallery_folder

QUERIES, GALLERY = good()
ROWS = len(QUERIES)

HOLES: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "a row of a fixed-size list": (
        lambda rows: pa.array([None, *rows[1:]], pa.list_(pa.float32(), len(rows[0]))),
        rf"e\.parquet: column 'queries' lacks 1 of {ROWS} rows",
    ),
    "a row of a list": (
        lambda rows: pa.array([*rows[:-2], None, None], pa.list_(pa.float32())),
        rf"column 'queries' lacks 2 of {ROWS} rows",
    ),
    "a number in a row": (
        lambda rows: pa.array([[None, *rows[0][1:]], *rows[1:]], pa.list_(pa.float32())),
        f"column 'queries' lacks 1 numbers in {ROWS} rows",
    ),
}

LABELS: dict[str, tuple[Any, str]] = {
    "a gap": ([np.nan, *range(1, ROWS)], rf"'labels' of .*1 of {ROWS} are missing"),
    "fractions": (np.arange(ROWS) / 2, r"expected whole numbers, .*got 0\.5"),
    "text": ([str(row) for row in range(ROWS)], "expected whole numbers, .*got <U"),
    "booleans": ([True] * ROWS, "expected whole numbers, .*got bool"),
    "two columns": (np.zeros((ROWS, 2), int), rf"got shape \({ROWS}, 2\)"),
    "negative": (np.arange(ROWS) - 1, "got -1 to"),
    "beyond the gallery": (np.full(ROWS, 999), "got 999 to 999"),
    "too few": (np.arange(ROWS - 1), rf"expected shape \({ROWS},\)"),
}

VALUES: dict[str, str] = {
    "2024-01-05": "parameter x: 2024-01-05",
    "yes": "parameter x: yes",
    "012": "parameter x: 012",
    "1e999": "parameter x: 1e999",
    "!!binary aGk=": "parameter x: expected text, a number",
    "{1: a}": "parameter x: expected text as keys",
}


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    found = [
        Attempt("read_pair (.parquet)", "gap", name, _table(make), "ValueError", message)
        for name, (make, message) in HOLES.items()
    ]
    for name, (values, message) in LABELS.items():
        for given in (None, "labels"):
            act = _labels(np.asarray(values), given)
            found.append(Attempt("read_pair (.npz)", "labels", name, act, "ValueError", message))
    found += [
        Attempt("read_pair (.npz)", "labels", "no such array", _labels(None, "labels"),
                "ValueError", "^targets: expected a vector of .*'labels'"),
        Attempt("read_pair (.npz)", "labels", "no such file", _labels(None, "labels.npy"),
                "FileNotFoundError", "^targets: there is no file"),
        Attempt("datasets.load (imagefolder)", "gap", "an image all alike", _flat, "ValueError",
                r"flat\.tif: its numbers go from 7 to 7"),
        Attempt("sweep.gallery", "path", "a folder with others' files", _gallery("book"),
                "FileExistsError", "^gallery: .* holds files and is no earlier gallery"),
        Attempt("sweep.gallery", "path", "the runs' folder", _gallery("runs"), "ValueError",
                "^gallery: .*may not hold each other"),
        Attempt("sweep.gallery", "path", "a folder around it", _gallery("."), "ValueError",
                "^gallery: .*may not hold each other"),
    ]  # fmt: skip
    found += [
        Attempt("sweep.plan", "value", text, _grid(text), "ValueError", message)
        for text, message in VALUES.items()
    ]
    return found


def _table(make: Callable[[list[Any]], Any]) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        columns = {"queries": make(QUERIES.tolist()), "gallery": GALLERY.tolist()}
        parquet.write_table(pa.table(columns), folder / "e.parquet")
        return gu.read_pair(folder / "e.parquet")

    return act


def _labels(values: Any, given: str | None) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        extra = {} if values is None else {"labels": values}
        np.savez(folder / "e.npz", queries=QUERIES, gallery=GALLERY, **extra)
        return gu.read_pair(folder / "e.npz", targets=given)

    return act


def _flat(folder: Path) -> Any:
    Image.fromarray(np.full((3, 3), 7, np.float32)).save(folder / "flat.tif")
    return ImageFiles([folder / "flat.tif"])[0]


def _gallery(name: str) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        for place in ("runs", "book"):
            (folder / place).mkdir()
            (folder / place / "intro.md").write_text("mine")
        return require_gallery_folder(folder / name, folder / "runs")

    return act


def _grid(text: str) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        (folder / "page.ipynb").write_text(PAGE)
        (folder / "grid.yml").write_text(f"sweeps: [{{page: page.ipynb, fixed: {{x: {text}}}}}]\n")
        return gu.sweep.plan(folder / "grid.yml")

    return act
