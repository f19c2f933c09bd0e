"""Columns of vectors and of numbers from Arrow's tables: parquet, and what `datasets` writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaputils._extras import require_extra
from gaputils._reading import reading
from gaputils.storage._labels import Arrays, Unusable, is_label, is_named

Array = np.ndarray[Any, Any]

_INDEX = re.compile(r"__index_level_\d+__")
_OF_FILES = b"ARROW1"
_STREAM_END = b"\xff\xff\xff\xff\0\0\0\0"
_DIGITS = "0123456789"


def parquet_columns(path: Path) -> Arrays:
    """The columns of a ``.parquet`` file that hold numbers or vectors."""
    require_extra("data", f"{path}: reading it", "pyarrow")
    import pyarrow.parquet as parquet

    with reading(path, "a whole .parquet file"):
        return _columns(parquet.ParquetFile(path).read())


def arrow_columns(paths: Sequence[Path]) -> Arrays:
    """The columns of ``.arrow`` files below each other, in Arrow's stream or file format."""
    require_extra("data", f"{paths[0]}: reading it", "pyarrow")
    import pyarrow as pa

    tables = []
    for path in paths:
        with reading(path, "a whole .arrow file"):
            content = pa.memory_map(str(path))
            of_files = content.read(len(_OF_FILES)) == _OF_FILES
            content.seek(0)
            opened = (pa.ipc.open_file if of_files else pa.ipc.open_stream)(content)
            tables.append(opened.read_all())
            tables[-1].validate(full=True)  # reading believes the offsets that a file states
            if not of_files:
                content.seek(content.tell() - len(_STREAM_END))
                if content.read() != _STREAM_END:
                    raise ValueError("its batches end, but not the file as a stream ends")
            if not tables[-1].schema.equals(tables[0].schema):
                raise ValueError(f"its columns are not those of {paths[0].name}")
    with reading(paths[0], "a whole .arrow file"):
        return _columns(pa.concat_tables(tables))


def _columns(table: Any) -> Arrays:
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    columns: dict[str, Array | Unusable] = {}
    passed: dict[str, Any] = {}
    if len(set(table.column_names)) < table.num_columns:
        raise ValueError(f"two of its columns have one name, of {table.column_names}")
    for name, column in zip(table.column_names, table.columns, strict=True):
        # An index is no coordinate, but it may be the labels.
        if is_label(name) or (name not in index and not _INDEX.fullmatch(name)):
            values = _column(name, column.combine_chunks())
            if values is None and is_named(name):
                values = Unusable(f"column {name!r} holds {column.type}", (len(column),))
            if values is not None:
                columns[name] = values
            else:
                passed[name] = column.type
    series = {name.rstrip(_DIGITS) for name in columns if name[-1:].isdigit()}
    for name, kind in passed.items():  # one of x0, x1, … is not left out without a word
        if name[-1:].isdigit() and name.rstrip(_DIGITS) in series:
            columns[name] = Unusable(f"column {name!r} holds {kind}", (table.num_rows,))
    return columns


def _column(name: str, column: Any) -> Array | Unusable | None:
    """The numbers or vectors of an Arrow `column`; None if it holds something else."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    vectors = is_list or pa.types.is_fixed_size_list(kind)
    numbers = kind.value_type if vectors else kind
    if not (pa.types.is_floating(numbers) or pa.types.is_integer(numbers)):
        return None
    rows = len(column)
    shape = (rows, -1) if vectors else (rows,)
    if rows == 0:
        return Unusable(f"column {name!r} has no rows", shape)
    if column.null_count:
        return Unusable(f"column {name!r} lacks {column.null_count} of {rows} rows", shape)
    if not vectors:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if is_list and len(set(column.value_lengths().to_pylist())) != 1:
        return Unusable(f"the vectors in column {name!r} differ in length", shape)
    flat = column.flatten()
    if flat.null_count:
        return Unusable(f"column {name!r} lacks {flat.null_count} numbers in {rows} rows", shape)
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(rows, -1)
