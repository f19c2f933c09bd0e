"""Pairs in every format people have, and a clear refusal of everything else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file

import gaputils as gu
from gaputils.storage import files
from gaputils.storage.files import read_pair

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 4)).astype(np.float32), RNG.normal(size=(5, 4)).astype(np.float32)
T = np.array([0, 1, 2, 3, 4, 0])


def check(e: gu.Embeddings, targets: bool = False) -> None:
    np.testing.assert_array_equal(e.queries.numpy(), X)
    np.testing.assert_array_equal(e.gallery.numpy(), Y)
    assert (e.targets is not None) == targets
    if targets:
        np.testing.assert_array_equal(e.targets.numpy(), T)


def test_stacked_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "pair.npy", np.stack([X[:5], Y]))
    e = read_pair(tmp_path / "pair.npy")
    assert e.paired
    np.testing.assert_array_equal(e.gallery.numpy(), Y)


def test_two_files_of_different_kinds(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    pd.DataFrame(Y).rename(columns=str).to_parquet(tmp_path / "y.parquet")
    check(read_pair(tmp_path / "x.npy", tmp_path / "y.parquet"))


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("queries", "gallery", "targets"), {}),
        (("image_embeddings", "text_embeddings", "labels"), {}),
        (("a", "b", "c"), {"queries": "a", "gallery": "b", "targets": "c"}),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_named_arrays(tmp_path: Path, names, keys, suffix: str) -> None:
    arrays = dict(zip(names, (X, Y, T), strict=True))
    path = tmp_path / f"pair{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    check(read_pair(path, **keys), targets=True)


@pytest.mark.parametrize("role", ["queries", "gallery", "targets", "owners"])
@pytest.mark.parametrize("given", [[0, 1], np.arange(6), 3])
def test_an_array_in_the_place_of_a_name_is_refused(tmp_path: Path, role: str, given) -> None:
    np.savez(tmp_path / "e.npz", queries=X, gallery=Y)
    kind = type(given).__name__
    with pytest.raises(TypeError, match=f"^{role}: expected a name, got {kind}; Emb"):
        read_pair(tmp_path / "e.npz", **{role: given})


def test_own_format_keeps_its_info(tmp_path: Path) -> None:
    gu.Embeddings(X, Y, T, {"model": "m"}).save(tmp_path / "e.safetensors")
    e = read_pair(tmp_path / "e.safetensors")
    check(e, targets=True)
    assert e.info == {"model": "m"}


@pytest.mark.parametrize("fixed", [True, False])
def test_parquet_columns_of_vectors(tmp_path: Path, fixed: bool) -> None:
    kind = pa.list_(pa.float32(), 4) if fixed else pa.list_(pa.float32())
    columns = {name: pa.array(list(side[:5]), kind) for name, side in (("img", X), ("txt", Y))}
    pq.write_table(pa.table({"id": pa.array(list("abcde")), **columns}), tmp_path / "p.parquet")
    e = read_pair(tmp_path / "p.parquet")
    np.testing.assert_array_equal(e.queries.numpy(), X[:5])
    np.testing.assert_array_equal(e.gallery.numpy(), Y)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", queries=X.astype(np.float16), gallery=Y.astype(">f4"))
    e = read_pair(tmp_path / "p.npz")
    assert e.queries.dtype == torch.float32
    np.testing.assert_array_equal(e.gallery.numpy(), Y)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    objects = np.array([Bomb(), Bomb()], dtype=object)
    np.save(tmp_path / "o.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "o.npz", queries=objects, gallery=objects)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "o.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("o.npy", "o.npz", "raw.npy", "o.pt"):
        with pytest.raises(ValueError, match=r"a pickle|not a whole|not a file of tensors"):
            read_pair(tmp_path / name)
    torch.save(Bomb(), tmp_path / "bomb.pt")
    with pytest.raises(ValueError, match=r"bomb\.pt is not a file of tensors.*is never run"):
        read_pair(tmp_path / "bomb.pt")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet"])
def test_truncated_files_say_so(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".npy":
        np.save(whole, np.stack([X[:5], Y]))
    elif suffix == ".npz":
        np.savez(whole, queries=X, gallery=Y)
    elif suffix == ".safetensors":
        save_file({"queries": X, "gallery": Y}, whole)
    else:
        pd.DataFrame(X).rename(columns=str).to_parquet(whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a whole"):
        read_pair(cut)


def test_ambiguity_lists_what_there_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", a=X, b=Y)
    with pytest.raises(ValueError, match=r"queries: which matrix .* 'a' \(6, 4\), 'b' \(5, 4\)"):
        read_pair(tmp_path / "p.npz")
    with pytest.raises(ValueError, match=r"gallery: expected a matrix of .* got 'z'"):
        read_pair(tmp_path / "p.npz", queries="a", gallery="z")
    with pytest.raises(ValueError, match="two different arrays"):
        read_pair(tmp_path / "p.npz", queries="a", gallery="a")
    with pytest.raises(ValueError, match="targets: expected a vector"):
        read_pair(tmp_path / "p.npz", queries="a", gallery="b", targets="t")


def test_one_side_alone_asks_for_the_other(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match="give a second file"):
        read_pair(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError, match=r"no file .*y\.npy"):
        read_pair(tmp_path / "x.npy", tmp_path / "y.npy")


def test_vectors_of_different_length_are_named(tmp_path: Path) -> None:
    table = pa.table({"image": [[1.0, 2.0], [1.0]], "text": [[1.0], [2.0]]})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(ValueError, match="column 'image' differ in length"):
        read_pair(tmp_path / "p.parquet")


def test_a_pair_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, out, opened, reads = (
        torch.arange(12.0).reshape(4, 3),
        tmp_path / "c.npy",
        files.arrays_of,
        [],
    )

    def arrays_of(path: Path) -> Any:
        reads.append(path)
        found = opened(path)
        if len(reads) == 1:
            files.write_npy(gu.Embeddings(x + 9, x + 9), out)
        return found

    files.write_npy(gu.Embeddings(x, x), out)
    monkeypatch.setattr(files, "arrays_of", arrays_of)
    both = read_pair(out.with_suffix(".queries.npy"), out)
    torch.testing.assert_close(both.queries, both.gallery)
    assert len(reads) == 4


@pytest.mark.parametrize("role", ["queries", "gallery"])
def test_a_name_is_refused_where_nothing_has_one(tmp_path: Path, role: str) -> None:
    np.save(tmp_path / "both.npy", np.stack([X, X]))
    with pytest.raises(ValueError, match=rf"^{role}: expected no name, as .*, got 'images'$"):
        read_pair(tmp_path / "both.npy", **{role: "images"})
