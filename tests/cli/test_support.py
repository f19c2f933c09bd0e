"""The command line's last words: one line for the user, a traceback only for a fault of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import gaputils as gu
from gaputils.cli.commands import app
from gaputils.cli.support import (
    PIPE_CLOSED,
    in_one_line,
    readable,
    reports_errors,
    write,
    write_json,
)

RUN = [sys.executable, "-c", "from gaputils.cli.commands import app; app()"]


def raising(error: BaseException) -> typer.Typer:
    """A command line whose one command raises `error`."""
    own = typer.Typer(pretty_exceptions_enable=False)

    @own.command()
    @reports_errors
    def sweep() -> None:
        raise error

    return own


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("queries: expected\n  a matrix"), "gaputils: queries: expected a matrix"),
        (TypeError("x: expected text"), "gaputils: x: expected text"),
        (PermissionError(13, "Denied", "e"), "gaputils: [Errno 13] Denied: 'e'"),
        (ModuleNotFoundError("a sweep needs yaml"), "gaputils: a sweep needs yaml"),
        (ValueError(), "gaputils: ValueError"),
        (MemoryError(), "gaputils: there is not enough memory: take less at a time"),
        (RuntimeError("CUDA out of memory. Tried"), "gaputils: there is not enough memory: CUDA"),
    ],
)  # fmt: skip
def test_what_the_user_can_act_on_is_one_line(error: Exception, line: str) -> None:
    result = CliRunner().invoke(raising(error), [])
    assert result.exit_code == 1
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("odd"), AssertionError("no")])
def test_a_fault_of_ours_keeps_its_traceback_and_says_where_to_report_it(error: Exception) -> None:
    result = CliRunner().invoke(raising(error), [])
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "a fault of gaputils, not of your input. Please report it" in result.stderr
    assert in_one_line(error) is None


@pytest.mark.parametrize("error", [typer.Exit(3), SystemExit(3)])
def test_exit_codes_pass(error: BaseException) -> None:
    result = CliRunner().invoke(raising(error), [])
    assert (result.exit_code, result.stderr) == (3, "")


def test_ctrl_c_says_how_to_go_on() -> None:
    result = CliRunner().invoke(raising(KeyboardInterrupt()), [])
    assert result.exit_code == 130
    assert result.stderr == (
        "gaputils: stopped; what was done is kept: run the same command again to resume\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["embed", "tiny-openmoji", "emoji10", "-o", ""],
        ["embed", "tiny-openmoji", "imagefolder", "--root", "", "-o", "e"],
        ["report", ""],
    ],
)
def test_an_empty_argument_is_no_working_folder(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "got an empty one" in result.stderr
    assert not list(tmp_path.iterdir())


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"gaputils {gu.__version__}\n")


@pytest.mark.parametrize("device", ["cuda", "cuda:3", "mps", "meta", "gpu", "xpu"])
def test_a_device_that_is_not_here_is_one_line(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("there is such a device")
    monkeypatch.chdir(tmp_path)
    command = ["embed", "tiny-openmoji", "emoji10", "-o", "x.safetensors", "--device", device]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert result.stderr.startswith("gaputils: device: expected ")
    assert repr(device) in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 300


def damaged(path: Path) -> Path:
    """A compressed .npz whose deflate stream is damaged."""
    x = np.random.default_rng(0).normal(size=(30, 8)).round(1)
    np.savez_compressed(path, queries=x, gallery=x)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("queries.npy").header_offset + 60
    content[start : start + 40] = bytes(40)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("command", ["report", "robustness", "close"])
def test_a_damaged_file_is_one_line_with_its_name_and_array(command: str, tmp_path: Path) -> None:
    path = damaged(tmp_path / "pair.npz")
    more = ["-o", str(tmp_path / "c.npz")] if command == "close" else []
    result = CliRunner().invoke(app, [command, str(path), *more])
    assert result.exit_code == 1
    assert f"{path} is not a whole .npz file, array 'queries': " in result.stderr
    assert result.stderr.count("\n") == 1


def started(*arguments: str, ascii: bool = False, **options: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "COLUMNS": "80"}
    if ascii:
        environment |= {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    return subprocess.Popen([*RUN, *arguments], env=environment, **options)


def test_help_in_an_ascii_locale() -> None:
    one = started("embed", "--help", ascii=True, stdout=-1, stderr=-1)
    out, err = one.communicate(timeout=120)
    assert one.returncode == 0, err
    assert b"--skip-broken" in out
    assert b"Traceback" not in err


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    page, grid = tmp_path / "page.md", tmp_path / "grid.yml"
    page.write_text("# A page\n")
    grid.write_text("sweeps:\n  - {page: page.md}\n")
    read, write = os.pipe()
    os.close(read)
    one = started("sweep", str(grid), "-o", "none", "--dry-run", stdout=write, stderr=-1)
    os.close(write)
    assert one.communicate(timeout=120)[1] == b""
    assert one.returncode == PIPE_CLOSED


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("close q.npy g.npy -o q.npy", "--out"),
        ("close p.npz -o p.npz", "--out"),
        ("close p.npz -o ./link.npz", "--out"),
        ("close q.npy g.npy -o c.npz --save g.npy", "--save"),
        ("close a.queries.npy g.npy -o a.npy", "--out with a.queries.npy beside it"),
        ("close q.npy g.npy --targets t.npy -o t.npy", "--out"),
        ("report p.npz --out p.npz", "--out"),
        ("report p.npz --figure p.npz", "--figure"),
        ("robustness q.npy g.npy --out g.npy", "--out"),
        ("mix a=q.npy b=g.npy --query q.npy -o q.npy", "--out"),
        ("mix a=q.npy b=g.npy --query a.queries.npy -o a.npy", "--out with the queries"),
    ],
)
def test_what_is_read_is_never_written_over(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(2, 12, 4)).astype(np.float32)
    for name in ("q", "g", "a.queries"):
        np.save(f"{name}.npy", rows[0])
    np.save("t.npy", np.arange(12))
    np.savez("p.npz", queries=rows[0], gallery=rows[1])
    Path("link.npz").symlink_to("p.npz")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 1
    assert result.stderr.startswith(f"gaputils: {option}: ")
    assert "would be lost; name another file" in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_in_the_place_of_a_result_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", queries=np.eye(4), gallery=np.eye(4))
    (tmp_path / "c.npz").mkdir()
    result = CliRunner().invoke(
        app, ["close", f"{tmp_path / 'p.npz'}", "-o", f"{tmp_path / 'c.npz'}"]
    )
    assert result.exit_code == 1
    assert "gaputils: --out: expected a file, but" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "close p.npz -o c.npz",
        "close p.npz -o sub/c.npz --save c.safetensors",
        "report p.npz -o r.txt",
        "mix image=p.npy --query p.npy -o m.npz",
        "embed tiny-openmoji emoji10 -o e.safetensors",
    ],
)
def test_where_nothing_can_be_written_nothing_is_computed(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("p.npz", queries=np.eye(4), gallery=np.eye(4))
    Path("sub").mkdir()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 1
    assert "Nothing can be written to its folder: '" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_result_is_whole_or_not_there(tmp_path: Path) -> None:
    write("whole", tmp_path / "r.txt")
    with pytest.raises(UnicodeEncodeError):
        write("half \ud800", tmp_path / "r.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole\n"]
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    write("through a pipe", tmp_path / "pipe")
    assert reader.communicate()[0] == b"through a pipe\n"


def test_what_is_no_number_is_null_in_json(tmp_path: Path) -> None:
    content = {"a": float("nan"), "b": [{"c": float("inf"), "d": 1e-12}, None, "NaN"]}
    write_json(content, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": None,
        "b": [{"c": None, "d": 1e-12}, None, "NaN"],
    }


def test_two_results_have_two_places_and_none_among_what_is_read(tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for name in "qg":
        np.save(shards / f"{name}_0.npy", np.eye(4))
    asked = ["close", f"{shards}", "--queries", "q", "--gallery", "g", "-o"]
    for out, said in {
        shards / "c.npy": "would be one of the files of",
        tmp_path / "c.safetensors": "is --out too",
    }.items():
        result = CliRunner().invoke(app, [*asked, f"{out}", "--save", f"{tmp_path}/c.safetensors"])
        assert result.exit_code == 1
        assert said in result.stderr
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["g_0.npy", "q_0.npy"]


def test_a_terminal_is_shown_values_with_their_errors_and_once_what_all_rows_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = pd.DataFrame(
        {
            "closing": ["original", "mean shift"],
            "scoring": ["cosine"] * 2,
            "variance": [0.04] * 2,
            "robustness": [0.5, 0.75],
            "robustness_error": [0.1, 0.125],
            "unchanged": [1.0, 1.0],
            "standard_error": [0.0, 0.0],
        }
    )
    monkeypatch.setenv("COLUMNS", "80")
    scoring, variance, heading, _, *rows = readable(frame).splitlines()
    assert (scoring, variance) == ("scoring cosine", "variance 0.04")
    assert heading.split() == ["robustness", "unchanged"]
    assert rows[1].split() == ["mean", "shift", "0.7500", "±", "0.1250", "1.0000"]
    drawn = frame.assign(variance=[0.01, 0.04], standard_error=[0.0, 0.002])
    scoring, heading, names, *_ = readable(drawn).splitlines()
    assert scoring == "scoring cosine"
    assert heading.split() == ["robustness", "unchanged", "standard_error"]
    assert names.split() == ["closing", "variance"]
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, readable(drawn).splitlines())) <= 40
