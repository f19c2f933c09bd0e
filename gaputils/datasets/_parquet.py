"""Columns and images of the Hugging Face hub's parquet files."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaputils._extras import require_extra
from gaputils._reading import reading
from gaputils.datasets._sources import decode

if TYPE_CHECKING:
    from PIL import Image


WHOLE = "a whole .parquet file"


def open_parquet(path: Path) -> Any:
    """A `pyarrow.parquet.ParquetFile`; a clear error without pyarrow or for another file."""
    require_extra("data", f"reading {path}", "pyarrow")
    import pyarrow.parquet as parquet

    with reading(path, WHOLE):
        return parquet.ParquetFile(path)


def read_rows(paths: Sequence[Path], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of all files in order, by those of the `wanted` columns that there are."""
    columns: dict[str, list[Any]] = {}
    for path in paths:
        file = open_parquet(path)
        names = [name for name in wanted if name in file.schema_arrow.names]
        if columns and list(columns) != names:
            raise ValueError(f"{path} has the columns {names}, {paths[0]} has {list(columns)}")
        with reading(path, WHOLE) as at:
            table = file.read(columns=names)
            for name in names:
                at.place = f"column {name!r}"
                columns.setdefault(name, []).extend(table.column(name).to_pylist())
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


class ParquetImages:
    """Images kept as bytes in a column, read a row group at a time."""

    def __init__(self, paths: Sequence[Path], column: str) -> None:
        self.column = column
        self.groups: list[tuple[Path, int]] = []
        counts: list[int] = []
        for path in paths:
            file = open_parquet(path)
            if column not in file.schema_arrow.names:
                raise ValueError(f"{path} has no column {column!r}: {file.schema_arrow.names}")
            for group in range(file.num_row_groups):
                self.groups.append((path, group))
                counts.append(file.metadata.row_group(group).num_rows)
        self.starts = [0, *accumulate(counts)]
        self._held: tuple[int, list[Any]] = (-1, [])

    def __len__(self) -> int:
        return self.starts[-1]

    def name(self, index: int) -> str:
        """The row's file and place."""
        path, _ = self.groups[bisect_right(self.starts, index) - 1]
        return f"{path.name}: row {index} of all"

    def __getitem__(self, index: int) -> Image.Image:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} images, got index {index}")
        index %= len(self)
        group = bisect_right(self.starts, index) - 1
        path, number = self.groups[group]
        if self._held[0] != group:
            with reading(path, WHOLE) as at:
                at.place = f"row group {number}, column {self.column!r}"
                table = open_parquet(path).read_row_group(number, columns=[self.column])
                self._held = (group, table.column(self.column).to_pylist())
        cell = self._held[1][index - self.starts[group]]
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(content, bytes):
            raise ValueError(f"{path}: row {index} has no bytes in the column {self.column!r}")
        return decode(io.BytesIO(content), f"image {index} of {path}")
