"""What is wrong in a file of arrays, with file, array and reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils._reading import UnreadableFile

X = np.random.default_rng(0).normal(size=(40, 6)).round(1).astype(np.float32)


def npy(array: np.ndarray, **changes: object) -> bytes:
    """The bytes of a .npy file whose header says otherwise than `array` where `changes` say so."""
    stream = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


HEADERS: dict[str, Callable[[], bytes]] = {
    "absurd rows": lambda: npy(X, shape=(10**15, 6)),
    "more than 64 bits": lambda: npy(X, shape=(2**40, 2**40)),
    "a negative size": lambda: npy(X, shape=(-1, 6)),
    "wider numbers": lambda: npy(X, descr="<f8"),
    "objects": lambda: npy(X, descr="|O"),
    "an unknown type": lambda: npy(X, descr="<q17"),
    "no Python": lambda: npy(X).replace(b"{", b"(", 1),
    "an open bracket": lambda: npy(X).replace(b"}", b" ", 1),
    "nothing after the header": lambda: npy(X)[:128],
    "another version": lambda: npy(X).replace(b"\x01\x00", b"\x09\x09", 1),
}


@pytest.mark.parametrize("make", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("packed", [False, True], ids=["npy", "npz"])
def test_a_header_that_lies_is_refused_before_it_is_believed(
    make: Callable[[], bytes], packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / ("pair.npz" if packed else "pair.npy")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("gallery.npy", npy(X))
            archive.writestr("queries.npy", make())
    else:
        path.write_bytes(make())
    at = r", array 'queries'" if packed else ""
    with pytest.raises(UnreadableFile, match=rf"pair\.np[yz] is not a whole \.np[yz] file{at}: "):
        gu.read_pair(path)


def spoil(content: bytearray, name: str, offset: int, value: int) -> bytes:
    """`content` with a field of the central directory's entry of `name` set."""
    start = content.rindex(name.encode()) - 46
    assert content[start : start + 4] == b"PK\x01\x02"
    content[start + offset] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [(8, 1, "encrypted"), (10, 99, "compression"), (16, 0x55, "CRC"), (45, 0x7F, "")],
)
def test_flags_of_an_archive_are_told_with_the_array(offset, value, reason, tmp_path: Path) -> None:
    path = tmp_path / "pair.npz"
    np.savez_compressed(path, gallery=X, queries=X)
    path.write_bytes(spoil(bytearray(path.read_bytes()), "queries.npy", offset, value))
    expected = rf"pair\.npz is not a whole \.npz file.*{reason}"
    with pytest.raises(UnreadableFile, match=expected):
        gu.read_pair(path)


@pytest.mark.parametrize("array", [X[:0], X[:, :0], np.zeros((2, 0, 4), np.float32)])
def test_empty_arrays_are_read_and_refused_as_empty(array: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "pair.npz", queries=array, gallery=X)
    with pytest.raises(ValueError, match=r"expected at least 1|which matrix"):
        gu.read_pair(tmp_path / "pair.npz")


@pytest.mark.parametrize(
    "array", [X, np.asfortranarray(X), X[::2, ::-1], X.astype(">f4"), X[:, :1]]
)
def test_whole_arrays_are_read_as_numpy_reads_them(array: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", queries=array, gallery=array)
    np.savez_compressed(tmp_path / "b.npz", queries=array, gallery=array)
    for name in ("a.npz", "b.npz"):
        e = gu.read_pair(tmp_path / name)
        np.testing.assert_array_equal(e.queries.numpy(), array.astype("f4"))


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".bin", ".ckpt"])
def test_a_pickle_is_not_read_and_the_way_out_is_told(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"e{suffix}"
    torch.save({"queries": torch.ones(2, 2)}, path)
    with pytest.raises(ValueError, match=r"pickles are not read.*safetensors\.torch\.save_file"):
        gu.read_pair(path)


def test_a_damaged_closing_does_not_fail_later(tmp_path: Path) -> None:
    path = gu.MeanShift().fit(X, X[:4] + 1).save(tmp_path / "c.safetensors")
    content = path.read_bytes()
    for old, new in ((b"shift_", b"shirt_"), (b'"dim_\\": 6', b'"dim_\\": 7')):
        assert old in content or b'\\"dim_\\\\\\": 6' in content
        if old in content:
            path.write_bytes(content.replace(old, new))
            with pytest.raises(UnreadableFile, match=r"path: .*c\.safetensors is not a whole file"):
                gu.closing.load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_closing_of_no_numbers_is_refused(value: float, tmp_path: Path) -> None:
    closing = gu.MeanShift().fit(X, X[:4] + 1)
    closing.shift_ = closing.shift_ * value
    with pytest.raises(UnreadableFile, match="shift_ holds NaN or infinity"):
        gu.closing.load(closing.save(tmp_path / "c.safetensors"))


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path, stream = tmp_path / "p.npz", io.BytesIO()
    np.savez(path, queries=np.eye(3), gallery=np.eye(3))
    np.save(stream, np.ones((3, 3)))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("queries.npy", stream.getvalue())
    with pytest.raises(ValueError, match=r"p\.npz .*array 'queries': there are two of this name"):
        gu.read_pair(path)


@pytest.mark.parametrize(
    "kind", ["U3", "S3", "V4", "M8[s]", "?", "c8", "longdouble", [("a", "<f4")]], ids=str
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_rows_that_are_no_real_numbers_are_named(suffix: str, kind: object, tmp_path: Path) -> None:
    rows, path = np.zeros((2, 3, 4), kind), tmp_path / f"p{suffix}"
    if suffix == ".npy":
        np.save(path, rows)
    else:
        np.savez(path, queries=rows[0], gallery=rows[1])
    with pytest.raises(
        ValueError, match=rf"p\{suffix}: .*expected real numbers of at most 64 bits"
    ):
        gu.read_pair(path)
