"""Folders as clip-retrieval, NumPy and Hugging Face's `datasets` leave them, made by the latter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import gaputils as gu
from gaputils._reading import UnreadableFile
from gaputils.storage._folders import folder_arrays
from gaputils.storage.files import iter_rows, read_matrix

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 24, 4)).astype(np.float16)


def shards(folder: Path, name: str, rows: np.ndarray, cuts: int = 12) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(np.split(rows, cuts)):
        np.save(folder / f"{name}_{number}.npy", part)
    return folder


@pytest.fixture
def retrieved(tmp_path: Path) -> Path:
    """What clip-retrieval writes: shards 0 to 11, so that 10 comes before 2 in a listing."""
    shards(tmp_path / "e" / "img_emb", "img_emb", X)
    shards(tmp_path / "e" / "text_emb", "text_emb", Y)
    table = pd.DataFrame({"image_path": map(str, range(24)), "label": np.arange(24)[::-1]})
    (tmp_path / "e" / "metadata").mkdir()
    for number, part in enumerate(np.split(table.index, 12)):
        table.loc[part].to_parquet(tmp_path / "e" / "metadata" / f"metadata_{number}.parquet")
    return tmp_path / "e"


def test_clip_retrieval_as_a_whole_and_side_by_side(retrieved: Path) -> None:
    e = gu.read_pair(retrieved)
    np.testing.assert_array_equal(e.queries, X.astype(np.float32))
    np.testing.assert_array_equal(e.gallery, Y.astype(np.float32))
    np.testing.assert_array_equal(e.targets, np.arange(24)[::-1])
    apart = gu.read_pair(retrieved / "img_emb", retrieved / "text_emb")
    np.testing.assert_array_equal(apart.gallery, e.gallery)
    assert apart.paired


def test_rows_come_block_by_block_as_they_lie(retrieved: Path) -> None:
    blocks = list(iter_rows(retrieved, "text_emb", rows=1))
    assert [block.shape for block in blocks] == [(1, 4)] * 24
    np.testing.assert_array_equal(np.concatenate(blocks), Y)
    np.testing.assert_array_equal(next(iter_rows(retrieved / "img_emb")), X[:2])
    np.testing.assert_array_equal(read_matrix(retrieved / "img_emb"), X)


def test_a_missing_shard_is_told_and_rows_do_not_move(retrieved: Path) -> None:
    (retrieved / "img_emb" / "img_emb_7.npy").unlink()
    with pytest.raises(ValueError, match=r"img_emb: 1 of the shards 'img_emb' .* number 7"):
        gu.read_pair(retrieved)


def test_metadata_of_other_rows_are_told(retrieved: Path) -> None:
    (retrieved / "metadata" / "metadata_11.parquet").unlink()
    with pytest.raises(ValueError, match="column 'label' has 22 rows, the embeddings 24"):
        gu.read_pair(retrieved)


def test_labels_that_one_part_of_the_metadata_lacks_are_told(retrieved: Path) -> None:
    file = retrieved / "metadata" / "metadata_0.parquet"
    pd.read_parquet(file)[["image_path"]].to_parquet(file)
    with pytest.raises(ValueError, match=r"targets: 'label' of .*metadata lacks it"):
        gu.read_pair(retrieved)


@pytest.mark.parametrize("name", ["part-{:05d}", "{}", "x.{:02d}", "x{}-of-3"])
def test_numbered_shards(tmp_path: Path, name: str) -> None:
    for number, part in enumerate(np.split(X, 3), start=1):
        np.save(tmp_path / f"{name.format(number)}.npy", part)
    np.testing.assert_array_equal(read_matrix(tmp_path), X)


def test_several_arrays_of_a_folder_go_by_their_names(tmp_path: Path) -> None:
    shards(tmp_path, "images", X, 2)
    np.save(tmp_path / "texts.npy", Y)
    np.save(tmp_path / "labels.npy", np.arange(24)[::-1])
    e = gu.read_pair(tmp_path)
    np.testing.assert_array_equal(e.queries, X.astype(np.float32))
    assert e.targets is not None
    assert e.targets.tolist() == list(range(24))[::-1]


def test_ambiguous_folders_say_what_there_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shards(tmp_path, name, X, 2)
    with pytest.raises(ValueError, match=r"which matrix of .* 'a' \(24, 4\), 'b' \(24, 4\)"):
        gu.read_pair(tmp_path)
    np.save(tmp_path / "a_00.npy", X)
    with pytest.raises(ValueError, match=r"a_0\.npy and a_00\.npy|a_00\.npy and a_0\.npy"):
        gu.read_pair(tmp_path)


@pytest.mark.parametrize("other", [X[:, :3], X.astype(np.float32), X[0]])
def test_shards_that_do_not_go_below_each_other(tmp_path: Path, other: np.ndarray) -> None:
    np.save(tmp_path / "x_0.npy", X)
    np.save(tmp_path / "x_1.npy", other)
    with pytest.raises(ValueError, match=r"x_1\.npy: expected rows \(4,\) of float16 as in x_0"):
        read_matrix(tmp_path)


def test_another_folder_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"img_emb and text_emb.*it holds notes\.txt"):
        gu.read_pair(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    vectors = datasets.Sequence(datasets.Value("float32"), length=4)
    features = {"image": vectors, "text": datasets.Sequence(datasets.Value("float16"))}
    rows = {
        "image": X.astype(np.float32),
        "text": list(Y),
        "label": range(24),
        "caption": ["a"] * 24,
    }
    kinds = {"label": datasets.Value("int64"), "caption": datasets.Value("string")}
    data = datasets.Dataset.from_dict(rows, datasets.Features(features | kinds))
    data.select(range(23, -1, -1)).save_to_disk(tmp_path / "one", num_shards=3)
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "two")
    return tmp_path


def test_saved_data_sets(saved: Path) -> None:
    e = gu.read_pair(saved / "one")
    np.testing.assert_array_equal(e.queries, X[::-1].astype(np.float32))
    np.testing.assert_array_equal(e.gallery, Y[::-1].astype(np.float32))
    np.testing.assert_array_equal(e.targets, np.arange(24)[::-1])
    alone = gu.read_pair(next((saved / "two" / "test").glob("*.arrow")))
    np.testing.assert_array_equal(alone.queries, X.astype(np.float32))


def test_a_data_set_of_splits_asks_for_one(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"two: it holds several splits; .*two/train, .*two/test"):
        gu.read_pair(saved / "two")


def test_a_state_may_not_lead_out_of_its_folder(saved: Path) -> None:
    state = saved / "one" / "state.json"
    content = json.loads(state.read_text())
    content["_data_files"][0]["filename"] = "../two/test/data-00000-of-00001.arrow"
    state.write_text(json.dumps(content))
    with pytest.raises(UnreadableFile, match=r"state\.json is not .*it names the files"):
        gu.read_pair(saved / "one")


def test_a_lost_file_of_a_data_set_is_named(saved: Path) -> None:
    lost = min((saved / "one").glob("*.arrow"))
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=lost.name):
        gu.read_pair(saved / "one")


def test_arrow_in_its_file_format_and_cut_short(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array(list(X)), "text": pa.array(list(Y))})
    with (
        pa.OSFile(str(tmp_path / "e.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)
    np.testing.assert_array_equal(gu.read_pair(tmp_path / "e.arrow").queries, X.astype("f4"))
    content = (tmp_path / "e.arrow").read_bytes()
    (tmp_path / "e.arrow").write_bytes(content[:-40])
    with pytest.raises(UnreadableFile, match=r"e\.arrow is not a whole \.arrow file"):
        gu.read_pair(tmp_path / "e.arrow")


def _table_shards(folder: Path) -> Path:
    folder.mkdir()
    for number, start in enumerate(range(0, 6, 2)):
        rows = {"image": list(ROWS[start : start + 2]), "label": [start, start + 1]}
        pd.DataFrame(rows).to_parquet(folder / f"part-{number:05d}.parquet")
    return folder


ROWS = np.arange(18, dtype=np.float32).reshape(6, 3)


def test_parquet_shards_go_below_each_other(tmp_path: Path) -> None:
    arrays = folder_arrays(_table_shards(tmp_path / "s"))
    np.testing.assert_array_equal(arrays["image"], ROWS)
    np.testing.assert_array_equal(arrays["label"], np.arange(6))
    np.testing.assert_array_equal(read_matrix(tmp_path / "s"), ROWS)


def test_a_parquet_shard_that_is_not_there_is_missed(tmp_path: Path) -> None:
    folder = _table_shards(tmp_path / "s")
    (folder / "part-00001.parquet").unlink()
    with pytest.raises(ValueError, match="1 of the shards 'part' are not there"):
        folder_arrays(folder)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"other": [0, 1]}, "expected the columns image, label as in part-00000.parquet"),
        ({"image": [[1.0], [2.0]], "label": [4, 5]}, r"expected rows \(3,\) of float32"),
    ],
)
def test_a_parquet_shard_of_another_kind_is_named(
    tmp_path: Path, rows: dict[str, list[object]], told: str
) -> None:
    folder = _table_shards(tmp_path / "s")
    pd.DataFrame(rows).to_parquet(folder / "part-00002.parquet")
    with pytest.raises(ValueError, match=f"part-00002.parquet: {told}"):
        folder_arrays(folder)


def test_tables_of_two_names_are_refused(tmp_path: Path) -> None:
    folder = _table_shards(tmp_path / "s")
    (folder / "part-00002.parquet").rename(folder / "other-00000.parquet")
    with pytest.raises(ValueError, match="shards of one table, got 'other', 'part'"):
        folder_arrays(folder)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [([0, 1], "1 of the shards 'x' .* number 2"), ([1, 2], "number 0"), ([2], "2 of the shards")],
)
def test_as_many_shards_are_there_as_their_names_say(
    tmp_path: Path, numbers: list[int], told: str
) -> None:
    for number in numbers:
        np.save(tmp_path / f"x-{number:05d}-of-00003.npy", ROWS[:2])
    with pytest.raises(ValueError, match=told):
        folder_arrays(tmp_path)
    for number in range(3):
        np.save(tmp_path / f"x-{number:05d}-of-00003.npy", ROWS[2 * number :][:2])
    np.testing.assert_array_equal(read_matrix(tmp_path), ROWS)
    (tmp_path / "x-00002-of-00003.npy").rename(tmp_path / "x-00002-of-00004.npy")
    with pytest.raises(ValueError, match="of 3 and 4"):
        folder_arrays(tmp_path)


def test_a_first_shard_that_one_side_lacks_moves_no_rows(retrieved: Path) -> None:
    (retrieved / "img_emb" / "img_emb_0.npy").unlink()
    (retrieved / "text_emb" / "text_emb_11.npy").unlink()
    with pytest.raises(ValueError, match=r"img_emb: 1 of .* the first is number 0"):
        gu.read_pair(retrieved)


def test_all_rows_and_shards_of_them_do_not_go_together(tmp_path: Path) -> None:
    for name in ("images.npy", "images_1.npy", "texts_0.npy", "texts_1.npy"):
        np.save(tmp_path / name, X[:2])
    with pytest.raises(ValueError, match=r"images\.npy has no number, but images_1\.npy"):
        gu.read_pair(tmp_path)


def test_a_stream_that_ends_between_two_batches_is_not_whole(tmp_path: Path) -> None:
    batch = pa.record_batch({"image": pa.array(list(X)), "text": pa.array(list(Y))})
    sizes = []
    with (
        (tmp_path / "e.arrow").open("wb") as sink,
        pa.ipc.new_stream(sink, batch.schema) as stream,
    ):
        for _ in range(2):
            stream.write_batch(batch)
            sizes.append(sink.tell())
    content = (tmp_path / "e.arrow").read_bytes()
    assert len(gu.read_pair(tmp_path / "e.arrow").queries) == 2 * len(X)
    for other in (content[: sizes[0]], content[: sizes[1]], content * 2):
        (tmp_path / "e.arrow").write_bytes(other)
        with pytest.raises(UnreadableFile, match=r"e\.arrow is not a whole \.arrow file"):
            gu.read_pair(tmp_path / "e.arrow")
