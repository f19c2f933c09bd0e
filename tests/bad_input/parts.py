"""Attempts with files whose rest would be passed over: shards, members, columns, parameters."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

import gaputils as gu
from bad_input.arrays import good
from bad_input.files import PAGE
from bad_input.kinds import Attempt

QUERIES, GALLERY = good()


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    return [
        Attempt(entry, "part", name, act, "ValueError", message)
        for entry, name, act, message in (
            ("read_pair (.npy)", "two arrays in one file", _two_arrays,
             r"q\.npy is not a whole \.npy file: .* and holds"),
            ("read_pair (folder)", "fewer shards than their names say", _fewer,
             "1 of the shards 'x' are not there"),
            ("read_pair (folder)", "a shard of one side alone", _one_sided,
             "the first is number 0"),
            ("read_pair (.arrow)", "a stream cut between two batches", _stream,
             r"e\.arrow is not a whole \.arrow file"),
            ("read_pair (.parquet)", "a coordinate that is text", _coordinate,
             r"q\.parquet: column 'x2' holds .*string"),
            ("datasets.load (webdataset)", "a header that is damaged", _tar(_spoilt),
             r"s\.tar .*byte \d+: its members end here"),
            ("datasets.load (webdataset)", "cut between two members", _tar(_cut),
             r"s\.tar .*byte \d+: its members end here"),
            ("datasets.load (webdataset)", "two files one after the other", _tar(lambda c: c + c),
             r"s\.tar .*byte \d+: its members end here"),
            ("datasets.load (imagefolder)", "two lists in one folder", _two_lists,
             r"metadata\.csv: there is metadata\.jsonl too"),
            ("sweep.plan", "values beside the list of sweeps", _beside,
             "'fixed' beside 'sweeps' reaches no page"),
        )
    ]  # fmt: skip


def _sides(folder: Path) -> tuple[Path, Path]:
    np.save(folder / "q.npy", QUERIES)
    np.save(folder / "g.npy", GALLERY)
    return folder / "q.npy", folder / "g.npy"


def _two_arrays(folder: Path) -> Any:
    files = _sides(folder)
    with files[0].open("ab") as file:
        np.save(file, QUERIES)
    return gu.read_pair(*files)


def _fewer(folder: Path) -> Any:
    np.save(folder / "x-00000-of-00002.npy", QUERIES)
    return gu.read_pair(folder, folder)


def _one_sided(folder: Path) -> Any:
    for side, numbers in (("img_emb", (1, 2)), ("text_emb", (0, 1, 2))):
        (folder / side).mkdir()
        for number in numbers:
            np.save(folder / side / f"{side}_{number}.npy", QUERIES)
    return gu.read_pair(folder)


def _stream(folder: Path) -> Any:
    columns = {"queries": QUERIES.tolist(), "gallery": GALLERY[: len(QUERIES)].tolist()}
    batch = pa.RecordBatch.from_pydict(columns)
    with (
        (folder / "e.arrow").open("wb") as sink,
        pa.ipc.new_stream(sink, batch.schema) as stream,
    ):
        stream.write_batch(batch)
        end = sink.tell()
        stream.write_batch(batch)
    (folder / "e.arrow").write_bytes((folder / "e.arrow").read_bytes()[:end])
    return gu.read_pair(folder / "e.arrow")


def _coordinate(folder: Path) -> Any:
    for name, rows in (("q", QUERIES), ("g", GALLERY)):
        frame = pd.DataFrame(rows, columns=[f"x{i}" for i in range(rows.shape[1])])
        frame.assign(x2=frame["x2"].astype(str)).to_parquet(folder / f"{name}.parquet")
    return gu.read_pair(folder / "q.parquet", folder / "g.parquet")


def _tar(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        picture = io.BytesIO()
        Image.new("RGB", (4, 4)).save(picture, "PNG")
        with tarfile.open(folder / "s.tar", "w") as archive:
            for key in "ab":
                for ending, content in (("png", picture.getvalue()), ("txt", b"a cat")):
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        (folder / "s.tar").write_bytes(change((folder / "s.tar").read_bytes()))
        return gu.datasets.load("webdataset", folder)

    return act


def _cut(content: bytes) -> bytes:
    return content[: content.index(b"b.png")]


def _spoilt(content: bytes) -> bytes:
    return content.replace(b"b.png", b"c.png")


def _two_lists(folder: Path) -> Any:
    Image.new("RGB", (4, 4)).save(folder / "1.png")
    (folder / "metadata.csv").write_text("file_name,text\n1.png,a cat\n")
    (folder / "metadata.jsonl").write_text('{"file_name": "1.png", "text": "a cat"}\n')
    return gu.datasets.load("imagefolder", folder)


def _beside(folder: Path) -> Any:
    (folder / "page.ipynb").write_text(PAGE)
    (folder / "grid.yml").write_text("fixed: {x: 1}\nsweeps: [{page: page.ipynb}]\n")
    return gu.sweep.plan(folder / "grid.yml")
