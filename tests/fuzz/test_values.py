"""The same numbers in every order, width and container that a writer may choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import gaputils as gu

Draw = Callable[[st.SearchStrategy[Any]], Any]
Sides = dict[str, np.ndarray[Any, Any]]

SIZES = st.integers(1, 7)
DTYPES = st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "|i1", "<i4", ">i8", "|u1"])
VERSIONS = st.sampled_from([(1, 0), (2, 0), (3, 0)])
ORDERS = ("rows", "columns", "backwards", "every other")
_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def _laid(draw: Draw, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`rows` in another order in memory."""
    order = draw(st.sampled_from(ORDERS))
    if order == "columns":
        return np.asfortranarray(rows)
    if order == "backwards":
        return np.ascontiguousarray(rows[::-1])[::-1]
    return np.repeat(rows, 2, axis=0)[::2] if order == "every other" else rows


def _npy(draw: Draw, path: Path, rows: np.ndarray[Any, Any]) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array(file, _laid(draw, rows), version=draw(VERSIONS))
    return path


def _two_files(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    paths = [_npy(draw, folder / f"{name}.npy", rows) for name, rows in arrays.items()]
    return gu.read_pair(*paths[:2], targets=paths[2])


def _archive(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    save = draw(st.sampled_from([np.savez, np.savez_compressed]))
    names = draw(st.permutations(list(arrays)))
    save(folder / "e.npz", **{name: _laid(draw, arrays[name]) for name in names})
    return gu.read_pair(folder / "e.npz")


def _tensors(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    suffix = draw(st.sampled_from(["safetensors", "pt"]))
    names = draw(st.permutations(list(arrays)))
    native = {k: arrays[k].astype(arrays[k].dtype.newbyteorder("=")) for k in names}
    tensors = {name: torch.from_numpy(rows) for name, rows in native.items()}
    path = folder / f"e.{suffix}"
    save_file(tensors, path) if suffix == "safetensors" else torch.save(tensors, path)
    return gu.read_pair(path)


def _shards(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    """A folder a side, cut anywhere, whose names sort otherwise than their numbers."""
    for name in ("queries", "gallery"):
        (folder / name).mkdir()
        rows = arrays[name]
        for number, part in enumerate(np.array_split(rows, draw(st.integers(1, len(rows))))):
            _npy(draw, folder / name / f"{name}_{number}.npy", part)
    targets = _npy(draw, folder / "t.npy", arrays["targets"])
    return gu.read_pair(folder / "queries", folder / "gallery", targets=targets)


def _column(draw: Draw, rows: np.ndarray[Any, Any]) -> pa.ChunkedArray:
    number = pa.from_numpy_dtype(rows.dtype)
    kinds = [pa.list_(number), pa.large_list(number), pa.list_(number, rows.shape[1])]
    whole = pa.array(list(rows), draw(st.sampled_from(kinds)))
    cut = draw(st.integers(0, len(rows)))
    return pa.chunked_array([whole[:cut], whole[cut:]])


def _table(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    """One table of pairs, whose rows stand in any order with their labels."""
    native = {k: v.astype(v.dtype.newbyteorder("=")) for k, v in arrays.items()}
    columns = {name: _column(draw, native[name]) for name in ("queries", "gallery")}
    labels = pa.array(native["targets"])
    columns["label"] = labels.dictionary_encode() if draw(st.booleans()) else labels
    names = draw(st.permutations(list(columns)))
    # Labels that repeat beside pairs are read only if they are asked for.
    repeat = len(np.unique(native["targets"])) < len(native["targets"])
    asked = "label" if repeat or draw(st.booleans()) else None
    table = pa.table({name: columns[name] for name in names})
    if draw(st.booleans()):
        place = folder / "label=9"
        place.mkdir()
        parquet.write_table(table, place / "e.parquet", row_group_size=draw(SIZES))
        return gu.read_pair(place / "e.parquet", targets=asked)
    new = draw(st.sampled_from([pa.ipc.new_file, pa.ipc.new_stream]))
    with new(str(folder / "e.arrow"), table.schema) as file:
        file.write_table(table, max_chunksize=draw(SIZES))
    return gu.read_pair(folder / "e.arrow", targets=asked)


def _frames(draw: Draw, folder: Path, arrays: Sides) -> gu.Embeddings:
    """A frame a side with a column a coordinate, behind an index of some kind."""
    for name in ("queries", "gallery"):
        rows = arrays[name].astype(arrays[name].dtype.newbyteorder("="))
        frame = pd.DataFrame(rows, columns=[f"x{i}" for i in range(rows.shape[1])])
        index = draw(st.sampled_from(["", "row", "label=1"]))
        frame.index = pd.Index(draw(st.permutations(range(len(rows)))), name=index or None)
        frame.to_parquet(folder / f"{name}.parquet")
    pd.DataFrame({"target": arrays["targets"]}).to_csv(
        folder / "t.csv", index=draw(st.booleans()), lineterminator=draw(st.sampled_from("\n\r"))
    )
    sides = (folder / "queries.parquet", folder / "gallery.parquet")
    return gu.read_pair(*sides, targets=folder / "t.csv")


CONTAINERS = {
    "two .npy": _two_files, ".npz": _archive, "tensors": _tensors, "shards": _shards,
    "a table": _table, "frames": _frames,
}  # fmt: skip


@pytest.mark.parametrize("container", CONTAINERS)
@settings(max_examples=25, **_SETTINGS)
@given(data=st.data())
def test_numbers_are_read_as_they_were_written(container: str, data: st.DataObject) -> None:
    draw, dtype = data.draw, data.draw(DTYPES)
    n, dim = draw(SIZES), draw(st.integers(2, 5))
    m = n if container == "a table" else draw(SIZES)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays: Sides = {
        name: random.integers(0, 100, (rows, dim)).astype(dtype)
        for name, rows in (("queries", n), ("gallery", m))
    }
    arrays["targets"] = random.integers(0, m, n).astype(
        draw(st.sampled_from(["<i8", "<i4", "|u1"]))
    )
    with TemporaryDirectory() as folder:
        found = CONTAINERS[container](draw, Path(folder), arrays)
    np.testing.assert_array_equal(found.queries.numpy(), arrays["queries"].astype("f8"))
    np.testing.assert_array_equal(found.gallery.numpy(), arrays["gallery"].astype("f8"))
    assert found.targets is not None
    np.testing.assert_array_equal(found.targets.numpy(), arrays["targets"])
