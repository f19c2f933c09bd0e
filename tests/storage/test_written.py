"""Both sides of a pair in NumPy's files: all of them, or those that were there before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from gaputils.storage._written import npy_files_beside, whole, write_npy_files, write_npz_file

GALLERY = np.arange(12, dtype=np.float32).reshape(3, 4)
QUERIES = np.asfortranarray(np.linspace(0, 1, 8).reshape(2, 4))
TARGETS = np.array([2, 0])
ARRAYS = {"queries": QUERIES, "gallery": GALLERY, "targets": TARGETS}


def in_blocks(stream: IO[bytes]) -> None:
    """The gallery, a row at a time behind its header."""
    header = {"descr": GALLERY.dtype.str, "fortran_order": False, "shape": GALLERY.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    for row in GALLERY:
        stream.write(row.tobytes())


def breaks(stream: IO[bytes]) -> None:
    stream.write(b"half of")
    raise ValueError("no more rows")


def test_every_array_has_a_file_that_numpy_reads(tmp_path: Path) -> None:
    path = tmp_path / "e.npy"
    files = write_npy_files(path, {name: whole(value) for name, value in ARRAYS.items()})
    assert files[0] == path
    assert set(files[1:]) == set(npy_files_beside(path)[:2])
    assert sorted(tmp_path.iterdir()) == sorted(files)
    np.testing.assert_array_equal(np.load(path), GALLERY)
    for name in ("queries", "targets"):
        found = np.load(tmp_path / f"e.{name}.npy")
        np.testing.assert_array_equal(found, ARRAYS[name])
        assert found.dtype == ARRAYS[name].dtype


@pytest.mark.parametrize("info", [None, {"closing": "MeanShift", "options": [1, None]}])
def test_an_archive_has_every_array_and_what_is_said_of_it(
    tmp_path: Path, info: dict[str, object] | None
) -> None:
    path = tmp_path / "e.npz"
    writes = {name: whole(value) for name, value in ARRAYS.items()}
    assert write_npz_file(path, writes, info) == path
    with np.load(path) as found:
        assert set(found.files) == {*ARRAYS, *([] if info is None else ["info"])}
        for name, value in ARRAYS.items():
            np.testing.assert_array_equal(found[name], value)
        assert info is None or json.loads(str(found["info"])) == info


def test_rows_may_come_one_by_one(tmp_path: Path) -> None:
    write_npy_files(tmp_path / "e.npy", {"gallery": in_blocks})
    write_npz_file(tmp_path / "e.npz", {"gallery": in_blocks})
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy"), GALLERY)
    with np.load(tmp_path / "e.npz") as found:
        np.testing.assert_array_equal(found["gallery"], GALLERY)


@pytest.mark.parametrize("before", [False, True])
def test_what_breaks_off_leaves_everything_as_it_was(tmp_path: Path, before: bool) -> None:
    good = {name: whole(value) for name, value in ARRAYS.items()}
    if before:
        write_npy_files(tmp_path / "e.npy", good)
        write_npz_file(tmp_path / "e.npz", good)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    bad = {"gallery": whole(GALLERY + 1), "queries": whole(QUERIES + 1), "targets": breaks}
    with pytest.raises(ValueError, match="no more rows"):
        write_npy_files(tmp_path / "e.npy", bad)
    with pytest.raises(ValueError, match="no more rows"):
        write_npz_file(tmp_path / "e.npz", bad)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_files_of_another_writing_are_named_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "e.npy"
    good = {name: whole(value) for name, value in ARRAYS.items()}
    write_npy_files(path, good)
    kept = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    for fewer in (["gallery", "queries"], ["gallery", "targets", "owners"]):
        left = ({"queries", "targets"} - set(fewer)).pop()
        with pytest.raises(
            FileExistsError, match=rf"^path: beside .*e\.{left}\.npy, of other rows"
        ):
            write_npy_files(path, {name: whole(TARGETS) for name in fewer})
        assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == kept
    write_npy_files(path, good)


def test_objects_are_never_written(tmp_path: Path) -> None:
    things = whole(np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        write_npy_files(tmp_path / "e.npy", {"gallery": things})
    assert list(tmp_path.iterdir()) == []
