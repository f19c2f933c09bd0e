"""Embedding from the command line: one file, a folder, stops, and several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu
from cli.helpers import EMBED, run


def test_embed_writes_embeddings(tmp_path: Path) -> None:
    out = tmp_path / "e.safetensors"
    text = run("embed", "tiny-openmoji", "emoji10", "-o", out, "--step", 400).output
    assert "1000 queries, 10 gallery items" in text
    assert gu.Embeddings.load(out).info["step"] == 400


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_embed_writes_a_folder_of_what_embed_returns(shards: Path) -> None:
    e = gu.load_folder(shards)
    expected = gu.embed(gu.load_model("tiny-openmoji"), gu.datasets.load("emoji10"), templates="{}")
    np.testing.assert_allclose(e.queries, expected.queries, atol=1e-5)
    np.testing.assert_allclose(e.gallery, expected.gallery, atol=1e-5)
    assert e.info == expected.info


def test_embed_resumes_and_ends_with_the_same_bytes(
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_threads: Callable[[int], Any],
) -> None:
    from gaputils.encoding import to_folder as module

    write, written = module.write_shard, []

    def stop_at_the_third(folder: Path, manifest: Any, entry: Any, *parts: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(entry.file)
        write(folder, manifest, entry, *parts)

    with with_threads(1):
        monkeypatch.setattr(module, "write_shard", stop_at_the_third)
        run(*EMBED, "-o", tmp_path / "e", code=130)
        stamps = {name: (tmp_path / "e" / name).stat().st_mtime_ns for name in written}
        assert len(stamps) == 2
        assert "is not finished, 2 of 5 shards" in run("report", tmp_path / "e", code=1).stderr
        monkeypatch.setattr(module, "write_shard", write)
        run(*EMBED, "-o", tmp_path / "e")
    assert content(tmp_path / "e") == content(shards)
    assert {name: (tmp_path / "e" / name).stat().st_mtime_ns for name in written} == stamps


@pytest.mark.slow
def test_embed_under_torchrun_writes_the_same_folder(shards: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--no-python"]
    command += [str(Path(sys.executable).with_name("gaputils")), *EMBED, "-o", str(tmp_path / "e")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1000 queries") == 1, "only one process tells"
    assert content(tmp_path / "e") == content(shards)


@pytest.mark.parametrize(
    ("device", "rank", "gpus", "expected"),
    [
        ("auto", "1", True, "cuda:1"),
        ("auto", "1", False, "auto"),
        ("auto", None, True, "auto"),
        ("cpu", "1", True, "cpu"),
    ],
)
def test_each_process_takes_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str, rank: str | None, gpus: bool, expected: str
) -> None:
    from gaputils.cli.embed import local_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert local_device(device) == expected


def test_several_processes_need_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = run("embed", "tiny-openmoji", "emoji10", "-o", tmp_path / "e.safetensors", code=1)
    assert "--out: several processes write a folder of shards" in result.stderr


def test_a_folder_in_place_of_a_data_set_is_told_its_name(tmp_path: Path) -> None:
    told = run("embed", "tiny-openmoji", tmp_path, "-o", tmp_path / "e.safetensors", code=1)
    assert told.stderr.endswith(f"is the data set 'imagefolder' with the root '{tmp_path}'\n")


@pytest.mark.parametrize("wrong", ["model", "dataset"])
def test_an_unknown_name_is_told_as_the_argument_it_is(tmp_path: Path, wrong: str) -> None:
    names = {"model": "tiny-openmoji", "dataset": "emoji10"} | {wrong: "nonsense"}
    told = run("embed", *names.values(), "-o", tmp_path / "e.safetensors", code=1).stderr
    assert told.startswith(f"gaputils: {wrong}: ")
    assert "'nonsense'" in told


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("", ""),
        ("a", "; left out 1 image: a"),
        ("abcde", "; left out 5 images: a, b, c and 2 more"),
    ],
)
def test_what_was_left_out_is_counted(names: str, told: str) -> None:
    from gaputils.cli.embed import _left_out

    assert _left_out(list(names)) == told
