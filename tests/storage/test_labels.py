"""Labels and owners in files: used, or refused by name, never replaced by row numbers."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file
from typer.testing import CliRunner

import gaputils as gu
from gaputils.cli.commands import app
from gaputils.storage.files import read_pair, write_npz

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 4)).astype(np.float32), RNG.normal(size=(6, 4)).astype(np.float32)
T = np.array([3, 1, 2, 0, 5, 4])


def _write(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, *arrays.values())
    elif path.suffix == ".safetensors":
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)
    elif path.suffix == ".csv":
        pd.DataFrame(arrays).to_csv(path, index=False)
    else:
        columns = {k: list(v) if v.ndim == 2 else v for k, v in arrays.items()}
        pd.DataFrame(columns).to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".parquet"])
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["labels", "target", "Label", "my_label_ids"])
def test_labels_in_one_file_are_used(tmp_path: Path, suffix: str, kind: type, name: str) -> None:
    path = _write(tmp_path / f"p{suffix}", image=X, text=Y, **{name: T.astype(kind)})
    assert read_pair(path).targets.tolist() == T.tolist()
    assert read_pair(path, targets=name).targets.tolist() == T.tolist()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".parquet"])
def test_a_column_of_labels_is_used(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"p{suffix}", image=X, text=Y, labels=T[:, None])
    assert read_pair(path).targets.tolist() == T.tolist()
    assert read_pair(path, targets="labels").targets.tolist() == T.tolist()


BAD = {
    "missing": (np.array([3.0, np.nan, 2, 0, 5, np.nan]), "2 of 6 are missing"),
    "broken": (T + 0.5, r"got 3\.5"),
    "infinite": (np.array([np.inf, 1, 2, 0, 5, 4]), "got inf"),
    "negative": (T - 1, "got -1 to 4"),
    "true": (T > 2, "got bool"),
    "two columns": (np.stack([T, T], axis=1), r"got shape \(6, 2\)"),
}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("named", [True, False])
def test_labels_that_cannot_be_used_are_refused(
    tmp_path: Path, suffix: str, case: str, named: bool
) -> None:
    values, reason = BAD[case]
    path = _write(tmp_path / f"p{suffix}", image=X, text=Y, labels=values)
    wanted = rf"^targets: 'labels' of .*p{suffix}: expected whole numbers, .*{reason}"
    with pytest.raises(ValueError, match=wanted):
        read_pair(path, targets="labels" if named else None)


def test_labels_out_of_range_or_too_short_are_refused(tmp_path: Path) -> None:
    for values, reason in ((T + 1, "got 1 to 6"), (T[:5], r"expected shape \(6,\), got \(5,\)")):
        path = _write(tmp_path / "p.npz", image=X, text=Y, labels=values)
        with pytest.raises(ValueError, match=f"^targets: .*{reason}"):
            read_pair(path)


def test_text_as_labels_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.npz", image=X, text=Y, label=np.array(list("abcdef")))
    with pytest.raises(ValueError, match=r"'label' of .*, got <U1"):
        read_pair(path)


def test_missing_labels_in_parquet_are_counted(tmp_path: Path) -> None:
    columns = {"image": list(X), "text": list(Y), "label": pa.array([3, None, 2, 0, None, 4])}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"targets: .*column 'label' lacks 2 of 6 rows"):
        read_pair(tmp_path / "p.parquet")


def test_two_that_could_be_meant_must_be_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.npz", image=X, text=Y, label_a=T, label_b=T[::-1].copy())
    with pytest.raises(ValueError, match=r"targets: .* holds 'label_a', 'label_b'; name one"):
        read_pair(path)
    assert read_pair(path, targets="label_b").targets.tolist() == T[::-1].tolist()


@pytest.mark.parametrize(
    "targets", [T / 1.0, T[:, None], T > 2, np.ma.array(T, mask=T == 2), [3, None, 2, 0, 5, 4], "T"]
)
def test_embeddings_take_whole_numbers_alone(targets: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^targets: expected"):
        gu.Embeddings(X, Y, targets)


CLASSES = np.array([0, 1, 1, 0, 2, 2])


@pytest.mark.parametrize("name", ["label", "target", "class_label"])
def test_what_may_be_classes_is_not_taken_for_gallery_rows(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "p.parquet", image=X, text=Y, **{name: CLASSES})
    with pytest.raises(ValueError, match=rf"^targets: '{name}' of .*3 different numbers in 6 rows"):
        read_pair(path)
    assert read_pair(path, targets=name).targets.tolist() == CLASSES.tolist()
    one = _write(tmp_path / "one.npz", image=X, **{name: CLASSES})
    with pytest.raises(ValueError, match=rf"ask for '{name}' by name"):
        read_pair(one, _write(tmp_path / "texts.npy", text=Y))
    few = _write(tmp_path / "classes.npy", text=Y[:3])
    assert read_pair(one, few).targets.tolist() == CLASSES.tolist()
    told = CliRunner().invoke(app, ["robustness", str(path)])
    assert (told.exit_code, told.stderr.startswith("gaputils: targets: ")) == (1, True)
    assert CliRunner().invoke(app, ["robustness", str(path), "--targets", name]).exit_code == 0


def test_repeated_targets_that_were_written_here_are_read(tmp_path: Path) -> None:
    e = gu.Embeddings(X, Y, CLASSES)
    e.save(tmp_path / "e.safetensors")
    for path in (write_npz(e, tmp_path / "e.npz"), tmp_path / "e.safetensors"):
        assert read_pair(path).targets.tolist() == CLASSES.tolist()


def test_a_number_called_label_is_no_label(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.npz", image=X, text=Y, labels=T, num_labels=np.array(6))
    assert read_pair(path).targets.tolist() == T.tolist()
    path = _write(tmp_path / "q.npz", image=X, text=Y, num_labels=np.array(6))
    assert read_pair(path).paired


def test_names_of_classes_are_no_labels(tmp_path: Path) -> None:
    names = np.array(["cat", "dog"])
    path = _write(tmp_path / "p.npz", image=X, text=Y[:2], label_names=names, targets=T % 2)
    assert read_pair(path).targets.tolist() == (T % 2).tolist()
    path = _write(tmp_path / "q.npz", image=X, text=Y[:2], label_names=names)
    assert read_pair(path).targets is None


SECOND = [".npy", ".npz", ".safetensors", ".parquet"]


@pytest.mark.parametrize("first", [".npz", ".safetensors", ".parquet"])
@pytest.mark.parametrize("second", SECOND)
def test_labels_in_either_of_two_files(tmp_path: Path, first: str, second: str) -> None:
    one = _write(tmp_path / f"images{first}", image=X, labels=T)
    other = _write(tmp_path / f"texts{second}", text=Y)
    for targets in (None, "labels"):
        assert read_pair(one, other, targets=targets).targets.tolist() == T.tolist()
    back = read_pair(other, one)
    np.testing.assert_array_equal(back.queries.numpy(), Y)
    assert back.targets.tolist() == T.tolist()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".csv"])
@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_labels_in_a_file_of_their_own(tmp_path: Path, suffix: str, kind: type) -> None:
    labels = _write(tmp_path / f"labels{suffix}", anything=T.astype(kind))
    one, other = _write(tmp_path / "x.npy", x=X), _write(tmp_path / "y.npy", y=Y)
    pair = _write(tmp_path / "pair.npy", p=np.stack([X, Y]))
    for sides in ((one, other), (pair,)):
        for given in (labels, str(labels)):
            assert read_pair(*sides, targets=given).targets.tolist() == T.tolist()


def test_a_table_of_labels_with_several_columns(tmp_path: Path) -> None:
    x, y = _write(tmp_path / "x.npy", x=X), _write(tmp_path / "y.npy", y=Y)
    frame = pd.DataFrame({"id": range(6), "label": T})
    frame.to_csv(tmp_path / "l.csv", index=False, encoding="utf-8-sig")
    frame.sample(frac=1, random_state=0).sort_values("id").to_parquet(tmp_path / "l.parquet")
    for name in ("l.csv", "l.parquet"):
        assert read_pair(x, y, targets=tmp_path / name).targets.tolist() == T.tolist()
    frame.drop(columns="label").assign(other=1).to_csv(tmp_path / "o.csv", index=False)
    with pytest.raises(ValueError, match=r"targets: which of 'id', 'other' in .*o\.csv"):
        read_pair(x, y, targets=tmp_path / "o.csv")


def test_csv_without_a_header_with_gaps_or_words(tmp_path: Path) -> None:
    x, y = _write(tmp_path / "x.npy", x=X), _write(tmp_path / "y.npy", y=Y)
    (tmp_path / "l.csv").write_text("\n".join(map(str, T)))
    assert read_pair(x, y, targets=tmp_path / "l.csv").targets.tolist() == T.tolist()
    for text, reason in (
        ("label,a\n1,0\n,0\n", "1 of 2 are missing"),
        ("label\none\n", "one is 'one'"),
        ("a,a\n1,2\n", "not a CSV file with a name for each column"),
        ("a,b\n1\n", "not a CSV file with a name for each column"),
        ("", "which of none"),
    ):
        (tmp_path / "l.csv").write_text(text)
        with pytest.raises(ValueError, match=reason):
            read_pair(x, y, targets=tmp_path / "l.csv")


@pytest.mark.parametrize("role", ["targets", "owners"])
def test_what_is_not_there_is_never_passed_over(tmp_path: Path, role: str) -> None:
    x, y = _write(tmp_path / "x.npy", x=X), _write(tmp_path / "y.npy", y=Y)
    pair = _write(tmp_path / "pair.npy", p=np.stack([X, Y]))
    npz = _write(tmp_path / "p.npz", image=X, text=Y)
    for sides in ((x, y), (pair,), (npz,), (npz, y)):
        with pytest.raises(ValueError, match=f"{role}: expected a vector of .*'no_such_array'"):
            read_pair(*sides, **{role: "no_such_array"})
        with pytest.raises(FileNotFoundError, match=f"{role}: there is no file .*none.npy"):
            read_pair(*sides, **{role: tmp_path / "none.npy"})


OWNERS = np.array([1, 0, 1, 2, 2, 0, 1])
CAPTIONS = RNG.normal(size=(7, 4)).astype(np.float32)


@pytest.mark.parametrize("name", ["owners", "caption_image", "owner"])
def test_owners_are_read_and_give_targets(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "p.npz", image=X[:3], text=CAPTIONS, **{name: OWNERS})
    owners = _write(tmp_path / "o.npy", o=OWNERS)
    bare = _write(tmp_path / "bare.npz", image=X[:3], text=CAPTIONS)
    for e in (read_pair(path), read_pair(path, owners=name), read_pair(bare, owners=owners)):
        assert e.owners.tolist() == e.info["caption_image"] == OWNERS.tolist()
        assert e.targets.tolist() == [1, 0, 3]


def test_owners_of_as_many_captions_as_images_are_no_pairs(tmp_path: Path) -> None:
    owners = np.array([1, 0, 2, 2, 4, 5])
    path = _write(tmp_path / "p.npz", image=X, text=Y, owners=owners)
    assert read_pair(path).targets is None
    with pytest.raises(ValueError, match=r"info\['caption_image'\]: expected indices in \[0, 6\)"):
        read_pair(_write(tmp_path / "q.npz", image=X, text=Y, owners=owners + 2))


def test_everything_survives_an_npz(tmp_path: Path) -> None:
    info = {"model": "größe", "caption_image": OWNERS.tolist(), "options": 3}
    e = gu.Embeddings(X[:3], CAPTIONS, [2, 5, 4], info)
    back = read_pair(write_npz(e, tmp_path / "e.npz"))
    for name in ("queries", "gallery", "targets", "owners"):
        assert torch.equal(getattr(back, name), getattr(e, name))
    assert {key: back.info[key] for key in info} == info
    e.save(tmp_path / "e.safetensors")
    for suffix in (".npz", ".safetensors"):
        new = read_pair(tmp_path / f"e{suffix}", targets=_write(tmp_path / "t.npy", t=T[3:] // 2))
        assert new.targets.tolist() == (T[3:] // 2).tolist()
        assert torch.equal(new.owners, e.owners)
    bare = gu.Embeddings(X[:3], CAPTIONS)
    assert read_pair(write_npz(bare, tmp_path / "b.npz")).targets is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "b.npz",
        "e.npz",
        "e.safetensors",
        "t.npy",
    ]


def test_rows_are_normalised_or_refused(tmp_path: Path) -> None:
    x, y = _write(tmp_path / "x.npy", x=X * 1e-20), _write(tmp_path / "y.npy", y=Y * 1e25)
    e = read_pair(x, y, normalize=True)
    unit = torch.ones(6)
    torch.testing.assert_close(e.queries.norm(dim=1), unit)
    torch.testing.assert_close(e.gallery.norm(dim=1), unit)
    gu.Embeddings(X, Y, T).save(tmp_path / "e.safetensors")
    own = read_pair(tmp_path / "e.safetensors", normalize=True)
    torch.testing.assert_close(own.queries.norm(dim=1), unit)
    assert own.targets.tolist() == T.tolist()
    _write(tmp_path / "z.npy", z=np.concatenate([X[:5], np.zeros((1, 4), np.float32)]))
    with pytest.raises(ValueError, match="gallery: expected rows of norm above zero"):
        read_pair(x, tmp_path / "z.npy", normalize=True)


def test_the_command_line_uses_labels_or_refuses(tmp_path: Path) -> None:
    labels = _write(tmp_path / "labels.npy", t=T)
    x, y = _write(tmp_path / "x.npy", x=Y[T]), _write(tmp_path / "y.npy", y=Y)
    call = ["robustness", str(x), str(y), "--format", "csv", "--targets"]
    told = CliRunner().invoke(app, [*call, str(labels)])
    assert told.exit_code == 0
    assert pd.read_csv(io.StringIO(told.stdout))["accuracy"].tolist() == [1.0]
    for wrong in ("no_such_array", str(tmp_path / "none.npy")):
        told = CliRunner().invoke(app, [*call, wrong])
        assert told.exit_code == 1
        assert told.stderr.startswith("gaputils: targets: ")
        assert told.stdout == ""


OF_ANOTHER_KIND = {
    "text": [str(label) for label in T],
    "bool": [label > 2 for label in T.tolist()],
    "decimal": [Decimal(int(label)) for label in T],
    "date": [date(2024, 1, 1 + int(label)) for label in T],
    "bytes": [b"a"] * 6,
    "null": [None] * 6,
    "struct": [{"label": int(label)} for label in T],
}


@pytest.mark.parametrize("kind", OF_ANOTHER_KIND)
@pytest.mark.parametrize("name", ["label", "Targets", "owner"])
def test_a_column_of_another_kind_is_not_passed_over(tmp_path: Path, kind: str, name: str) -> None:
    columns = {"image": list(X), "text": list(Y), name: pa.array(OF_ANOTHER_KIND[kind])}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    role = "owners" if name == "owner" else "targets"
    with pytest.raises(ValueError, match=rf"^{role}: .*column '{name}' holds"):
        read_pair(tmp_path / "p.parquet")


def test_labels_in_a_dictionary_are_used(tmp_path: Path) -> None:
    labels = pa.array(T).dictionary_encode()
    table = pa.table({"image": list(X), "text": list(Y), "label": labels})
    with pa.ipc.new_file(str(tmp_path / "p.arrow"), table.schema) as file:
        file.write_table(table.slice(0, 2))
        file.write_table(table.slice(2))
    assert read_pair(tmp_path / "p.arrow").targets.tolist() == T.tolist()


@pytest.mark.parametrize("labels", [{"a": 1}, "a", 3, [3, 1, 2, 0, 5, 4]])
def test_labels_that_are_no_tensor_are_not_passed_over(tmp_path: Path, labels: object) -> None:
    sides = {"queries": torch.tensor(X), "gallery": torch.tensor(Y)}
    torch.save({**sides, "labels": labels}, tmp_path / "p.pt")
    with pytest.raises(ValueError, match=r"^targets: 'labels' of .*p\.pt.* no tensor"):
        read_pair(tmp_path / "p.pt")
    torch.save({**sides, "labels": None}, tmp_path / "p.pt")
    assert read_pair(tmp_path / "p.pt").paired


def test_names_that_differ_in_their_case_alone_must_be_told_apart(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.npz", image=X, text=Y, labels=T, Labels=T[::-1].copy())
    with pytest.raises(ValueError, match=r"targets: .*p\.npz holds 'labels', 'Labels'; name one"):
        read_pair(path)
    assert read_pair(path, targets="Labels").targets.tolist() == T[::-1].tolist()


@pytest.mark.parametrize("text", ["1_0", "0x1", "True", "1,0", "1e400", "-1", "0.5"])
def test_what_python_alone_reads_as_a_label_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "q.npy", q=X)
    _write(tmp_path / "g.npy", g=Y)
    (tmp_path / "l.csv").write_text("label\n" + f'"{text}"\n' * 6)
    with pytest.raises(ValueError, match=r"^targets: 'label' of .*l\.csv: expected whole numbers"):
        read_pair(tmp_path / "q.npy", tmp_path / "g.npy", targets=tmp_path / "l.csv")


def test_labels_of_both_files_are_classes_of_their_rows_however_many(tmp_path: Path) -> None:
    queries = _write(tmp_path / "q.npz", emb=X, label=np.arange(len(X)) % 3)
    gallery = _write(tmp_path / "g.npz", emb=CAPTIONS, label=np.arange(len(CAPTIONS)) % 3)
    with pytest.raises(ValueError, match=r"^targets: 'label' is in .*q\.npz and in .*g\.npz, as"):
        read_pair(queries, gallery)
    chosen = _write(tmp_path / "t.npy", t=np.arange(len(X)))
    assert read_pair(queries, gallery, targets=chosen).targets.tolist() == list(range(len(X)))
