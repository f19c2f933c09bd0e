"""NumPy's files, read as NumPy reads them and counted before they are believed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gaputils._reading import UnreadableFile
from gaputils.storage._numpy import _header, mapped_npy, npz_arrays

ARRAYS = {
    "rows": np.arange(12.0).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
    "swapped": np.arange(6, dtype=">f4").reshape(2, 3),
    "one": np.array(7),
    "none": np.zeros((0, 5), np.float16),
    "words": np.array(["a", "bcd"]),
}


def test_an_archive_gives_every_array_under_its_name(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **ARRAYS)
        found = npz_arrays(tmp_path / "a.npz")
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


@pytest.mark.parametrize("name", ["rows", "columns", "swapped", "words"])
def test_a_file_is_mapped_not_read(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", ARRAYS[name])
    found = mapped_npy(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, ARRAYS[name])


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.int64, np.bool_, np.complex128]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
    ),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
)
def test_a_header_says_what_numpy_wrote(array: np.ndarray, version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    file.seek(0)
    shape, in_columns, dtype = _header(file)
    assert (shape, dtype) == (array.shape, array.dtype)
    content = np.frombuffer(file.read(), dtype).reshape(shape, order="F" if in_columns else "C")
    np.testing.assert_array_equal(content, array)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    objects = np.array([{}, 1], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", rows=ARRAYS["rows"], things=objects)
    with pytest.raises(UnreadableFile, match=r"a\.npy .*Python objects"):
        mapped_npy(tmp_path / "a.npy")
    with pytest.raises(UnreadableFile, match=r"a\.npz .*array 'things': .*Python objects"):
        npz_arrays(tmp_path / "a.npz")


def test_a_file_that_ends_too_early_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS["rows"])
    content = (tmp_path / "a.npy").read_bytes()
    for kept in (len(content) - 1, 60, 3, 0):
        (tmp_path / "a.npy").write_bytes(content[:kept])
        with pytest.raises(UnreadableFile, match=r"a\.npy is not a whole \.npy file"):
            mapped_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("place", range(len(ARRAYS) - 1))
def test_an_array_that_a_damaged_list_leaves_out_is_missed(place: int, tmp_path: Path) -> None:
    """An entry of the list claims a comment so long that those after it are in it."""
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    content = bytearray(path.read_bytes())
    entry = [at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"][place]
    content[entry + 32 : entry + 34] = b"\xff\xff"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == place + 1
    with pytest.raises(UnreadableFile, match=f"lists {place + 1} members, .* says {len(ARRAYS)}"):
        npz_arrays(path)


def test_what_follows_an_array_is_never_passed_over(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, ARRAYS["rows"])
        np.save(file, ARRAYS["rows"] + 1)
    with pytest.raises(
        UnreadableFile, match=r"a\.npy .*\(3, 4\) of float64, 96 bytes, and holds 320"
    ):
        mapped_npy(tmp_path / "a.npy")


def test_an_archive_may_hold_its_folder_and_what_a_system_keeps(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rows=ARRAYS["rows"])
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("below/", b"")
        archive.writestr("__MACOSX/._rows.npy", b"\0\5\26\7")
        archive.writestr(".DS_Store", b"\0")
    assert list(npz_arrays(tmp_path / "a.npz")) == ["rows"]
