"""CIFAR's pickles, of which nothing is run, and matrices that do not fit."""

from __future__ import annotations

import codecs
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaputils.datasets import cifar, load


def folder(root: Path, batch: Any) -> Path:
    """CIFAR-10's test split with `batch` as its one file."""
    place = root / "cifar-10-batches-py"
    place.mkdir()
    names = {"label_names": [f"thing_{i}" for i in range(10)]}
    (place / "batches.meta").write_bytes(pickle.dumps(names))
    (place / "test_batch").write_bytes(pickle.dumps(batch))
    return root


def test_keys_may_be_bytes_or_text(tmp_path: Path) -> None:
    rows = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    for kind, number in ((str, 0), (str.encode, 1)):
        batch = {kind("data"): rows, kind("labels"): [9, 0]}
        root = tmp_path / str(number)
        root.mkdir()
        data = load("cifar10", folder(root, batch))
        assert data.targets.tolist() == [9, 0]
        np.testing.assert_array_equal(
            np.asarray(data.images[1]).transpose(2, 0, 1).ravel(), rows[1]
        )


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "with 1 labels"),
        ({"data": np.zeros((1, 3071), np.uint8), "labels": [1]}, "rows of 3072 bytes"),
        ({"data": np.zeros((1, 3072)), "labels": [1]}, "as a matrix of bytes"),
        ({"data": np.zeros(3072, np.uint8), "labels": [1]}, "as a matrix of bytes"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": (1,)}, "expected a list of labels"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}, "none of the 10 classes"),
        ({"labels": [1]}, "is not a CIFAR file"),
        ([1, 2], "is not a CIFAR file"),
    ],
)
def test_what_does_not_fit_names_the_file(tmp_path: Path, batch: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"test_batch.*{message}"):
        load("cifar10", folder(tmp_path, batch))


class Asks:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.asked = function, arguments

    def __reduce__(self) -> Any:
        return self.asked


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (Asks(eval, "1"), "it asks for builtins.eval"),
        (Asks(codecs.encode, "x", "rot13"), "it asks for the encoding rot13"),
        (Asks(np.load, "x.npy"), r"it asks for numpy"),
        (np.array([object()]), "test_batch is not a whole CIFAR file"),
    ],
)
def test_nothing_but_arrays_and_plain_values_is_made(
    tmp_path: Path, thing: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load("cifar10", folder(tmp_path, {"data": thing, "labels": []}))


def test_a_pickle_that_sets_aside_more_than_it_fills_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_bytes(b"\x80\x02}r" + struct.pack("<I", 10**9) + b".")
    with pytest.raises(ValueError, match="it asks for the place 1000000000 of"):
        cifar._read(path, "data")
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ValueError, match=r"expected a dictionary with \['data'\]"):
        cifar._read(path, "data")
