"""Tables of vectors: what is missing is told, what pandas adds is left out, no shape is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gaputils.cli.commands import app
from gaputils.storage.files import read_pair

RNG = np.random.default_rng(0)
KINDS = {
    "fixed": lambda d: pa.list_(pa.float32(), d),
    "list": lambda _: pa.list_(pa.float32()),
    "large": lambda _: pa.large_list(pa.float32()),
}


def _vectors(rows: int, dim: int, missing: int, kind: str) -> pa.Array:
    values = [list(row) for row in RNG.normal(size=(rows, dim)).astype(np.float32)]
    for place in RNG.permutation(rows)[:missing]:
        values[place] = None
    return pa.array(values, KINDS[kind](dim))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rows", "dim", "missing"), [(64, 64, 4), (64, 64, 1), (8, 6, 2), (7, 5, 3)]
)
@pytest.mark.parametrize("alone", [True, False])
def test_missing_rows_are_counted(tmp_path: Path, kind, rows, dim, missing, alone) -> None:
    whole, holes = _vectors(rows, dim, 0, kind), _vectors(rows, dim, missing, kind)
    wanted = rf"{{}}\.parquet: column 'text' lacks {missing} of {rows} rows"
    if alone:
        pq.write_table(pa.table({"image": whole, "text": holes}), tmp_path / "p.parquet")
        with pytest.raises(ValueError, match=wanted.format("p")):
            read_pair(tmp_path / "p.parquet")
    else:
        pq.write_table(pa.table({"image": whole}), tmp_path / "x.parquet")
        pq.write_table(pa.table({"text": holes}), tmp_path / "y.parquet")
        with pytest.raises(ValueError, match=wanted.format("y")):
            read_pair(tmp_path / "x.parquet", tmp_path / "y.parquet")


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_says_so(tmp_path: Path, kind: str) -> None:
    empty = pa.array([], KINDS[kind](4))
    pq.write_table(pa.table({"image": empty, "text": empty}), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"p\.parquet: column 'image' has no rows"):
        read_pair(tmp_path / "p.parquet")


def test_the_report_of_a_column_with_holes_says_so(tmp_path: Path) -> None:
    holes = {name: _vectors(64, 64, 4, "fixed") for name in ("image", "text")}
    pq.write_table(pa.table(holes), tmp_path / "p.parquet")
    told = CliRunner().invoke(app, ["report", str(tmp_path / "p.parquet")])
    assert told.exit_code == 1
    assert "column 'image' lacks 4 of 64 rows" in told.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_missing_numbers_within_a_vector_are_counted(tmp_path: Path, kind: str) -> None:
    holes = pa.array([[1.0, None], [2.0, 3.0], [None, None]], KINDS[kind](2))
    pq.write_table(pa.table({"image": holes, "text": holes}), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match="column 'image' lacks 3 numbers in 3 rows"):
        read_pair(tmp_path / "p.parquet")


def test_missing_coordinates_are_counted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1.0, None, 2.0], "b": [1.0, 2.0, 3.0]}), tmp_path / "x.parquet")
    np.save(tmp_path / "y.npy", np.eye(2))
    with pytest.raises(ValueError, match=r"x\.parquet: column 'a' lacks 1 of 3 rows"):
        read_pair(tmp_path / "x.parquet", tmp_path / "y.npy")


def test_holes_in_other_columns_do_not_matter(tmp_path: Path) -> None:
    columns = {name: _vectors(6, 4, 0, "fixed") for name in ("image", "text")}
    others = {"age": pa.array([1, None] * 3), "tags": pa.array([["a"], None] * 3)}
    pq.write_table(pa.table({**columns, **others}), tmp_path / "p.parquet")
    assert read_pair(tmp_path / "p.parquet").queries.shape == (6, 4)


def test_lists_of_words_are_no_vectors(tmp_path: Path) -> None:
    columns = {
        "image": _vectors(3, 4, 0, "fixed"),
        "text_vector": _vectors(3, 4, 0, "list"),
        "captions": pa.array([["a", "b"]] * 3),
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    assert read_pair(tmp_path / "p.parquet").gallery.shape == (3, 4)


def _frame() -> pd.DataFrame:
    return pd.DataFrame(RNG.normal(size=(12, 8))).rename(columns=str)


INDEXED = {
    "shuffled": lambda f: f.sample(frac=1, random_state=0),
    "filtered": lambda f: f[f["0"] > f["0"].quantile(0.3)],
    "named": lambda f: f.set_index(pd.Index(RNG.integers(1e6, size=len(f)), name="year")),
    "two levels": lambda f: f.set_index(
        pd.MultiIndex.from_product([range(4), range(3)], names=["a", None])
    ),
    "of text": lambda f: f.set_index(pd.Index([f"row {i}" for i in range(len(f))])),
    "of floats": lambda f: f.set_index(pd.Index(RNG.normal(size=len(f)), name="weight")),
    "default": lambda f: f,
}


@pytest.mark.parametrize("kind", INDEXED)
def test_an_index_is_no_coordinate(tmp_path: Path, kind: str) -> None:
    frame = INDEXED[kind](_frame())
    frame.to_parquet(tmp_path / "x.parquet")
    np.save(tmp_path / "y.npy", RNG.normal(size=(5, 8)))
    e = read_pair(tmp_path / "x.parquet", tmp_path / "y.npy")
    np.testing.assert_array_equal(e.queries.numpy(), frame.to_numpy())


def test_an_index_that_lost_its_metadata_is_no_coordinate(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(_frame().sample(frac=1, random_state=0))
    assert "__index_level_0__" in table.column_names
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "x.parquet")
    np.save(tmp_path / "y.npy", np.eye(8))
    assert read_pair(tmp_path / "x.parquet", tmp_path / "y.npy").dim == 8


def test_an_index_called_label_is_the_labels(tmp_path: Path) -> None:
    sides = {"image": list(RNG.normal(size=(4, 3))), "text": list(RNG.normal(size=(4, 3)))}
    frame = pd.DataFrame(sides, index=pd.Index([3, 2, 1, 0], name="label"))
    frame.to_parquet(tmp_path / "p.parquet")
    assert read_pair(tmp_path / "p.parquet").targets.tolist() == [3, 2, 1, 0]
    frame.rename_axis("year").to_parquet(tmp_path / "p.parquet")
    assert read_pair(tmp_path / "p.parquet").paired


@pytest.mark.parametrize("name", ["index", "id", "Unnamed: 0"])
def test_a_column_of_row_numbers_is_refused(tmp_path: Path, name: str) -> None:
    frame = _frame().sample(frac=1, random_state=0).rename_axis(name).reset_index()
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    np.save(tmp_path / "y.npy", np.eye(8))
    with pytest.raises(ValueError, match=f"coordinates of one kind, got {name!r} int64"):
        read_pair(tmp_path / "x.parquet", tmp_path / "y.npy")


def test_a_column_of_labels_is_no_coordinate(tmp_path: Path) -> None:
    frame = _frame()
    frame.assign(label=[0, 1, 2] * 4).to_parquet(tmp_path / "x.parquet")
    np.save(tmp_path / "y.npy", np.eye(8)[:3])
    e = read_pair(tmp_path / "x.parquet", tmp_path / "y.npy")
    np.testing.assert_array_equal(e.queries.numpy(), frame.to_numpy())
    assert e.targets.tolist() == [0, 1, 2] * 4


@pytest.mark.parametrize("second", ["dcba", "bcde"])
def test_coordinates_in_another_order_are_refused(tmp_path: Path, second: str) -> None:
    rows = RNG.normal(size=(6, 4)).astype(np.float32)
    for name, columns in (("q", "abcd"), ("g", second), ("h", "wxyz")):
        pd.DataFrame(rows, columns=list(columns)).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"g\.parquet: its coordinate .* bring the columns"):
        read_pair(tmp_path / "q.parquet", tmp_path / "g.parquet")
    assert read_pair(tmp_path / "q.parquet", tmp_path / "h.parquet").dim == 4


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    column = _vectors(6, 4, 0, "list")
    table = pa.table([column, column, column], names=["image", "text", "image"])
    pq.write_table(table, tmp_path / "p.parquet")
    with pa.ipc.new_file(str(tmp_path / "p.arrow"), table.schema) as file:
        file.write_table(table)
    for suffix in ("parquet", "arrow"):
        with pytest.raises(ValueError, match=rf"p\.{suffix} is not a whole .{suffix} file"):
            read_pair(tmp_path / f"p.{suffix}")


@pytest.mark.parametrize("place", ["label=3", "epoch=12"])
def test_the_name_of_a_folder_is_no_column(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir()
    rows = RNG.normal(size=(6, 4)).astype(np.float32)
    for name in ("q", "g"):
        pd.DataFrame(rows, columns=list("abcd")).to_parquet(folder / f"{name}.parquet")
    e = read_pair(folder / "q.parquet", folder / "g.parquet")
    np.testing.assert_array_equal(e.queries.numpy(), rows)
    assert e.targets.tolist() == list(range(6))


@pytest.mark.parametrize("values", [list("012345"), [True] * 6, [None] * 6])
def test_a_coordinate_of_another_kind_is_not_left_out(tmp_path: Path, values: list) -> None:
    rows = RNG.normal(size=(6, 4)).astype(np.float32)
    for name in ("q", "g"):
        frame = pd.DataFrame(rows, columns=["x0", "x1", "x2", "x3"]).assign(x2=values, word="a")
        frame.to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"q\.parquet: column 'x2' holds"):
        read_pair(tmp_path / "q.parquet", tmp_path / "g.parquet")
