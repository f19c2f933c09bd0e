"""Sides that stay on disk are closed in blocks, to the numbers that closing them at once gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gaputils as gu
from gaputils.cli import app, close

X, Y = np.random.default_rng(0).normal(size=(2, 70, 6))
Y = Y[:5].repeat(2, axis=0)
X, Y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (X, Y))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, side in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", side.astype(np.float16))
    return [str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["close", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read whole")

    monkeypatch.setattr(close, "LARGE", 0)
    monkeypatch.setattr(close, "_ROWS", 16)
    monkeypatch.setattr(close, "_AT_ONCE", 32)
    monkeypatch.setattr(close, "read", never)


OPTIONS = [
    [],
    ["--alpha", "0.5"],
    ["--closing", "HullProjection"],
    ["--closing", "HullProjection", "--center"],
    ["--closing", "HullProjection", "--radius", "2"],
    ["--closing", "HullProjection", "--n-components", "2"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_blocks_give_the_numbers_of_the_whole(
    files: list[str],
    tmp_path: Path,
    options: list[str],
    suffix: str,
    request: pytest.FixtureRequest,
) -> None:
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    run(*files, "-o", whole, *options)
    request.getfixturevalue("in_blocks")
    run(*files, "-o", parts, *options)
    for name, part in _sides(parts).items():
        assert part.dtype == np.float16
        np.testing.assert_allclose(part, _sides(whole)[name], atol=2e-3)
    if suffix == ".npz":
        one, other = (gu.read_pair(path) for path in (whole, parts))
        assert one.info == other.info


def _sides(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return {name: archive[name] for name in ("queries", "gallery")}
    return {"gallery": np.load(path), "queries": np.load(path.with_suffix(".queries.npy"))}


@pytest.mark.usefixtures("in_blocks")
def test_rows_of_equal_number_stay_pairs(files: list[str], tmp_path: Path) -> None:
    run(files[0], files[0], "-o", tmp_path / "z.npz", "--n-components", 2)
    assert gu.read_pair(tmp_path / "z.npz").paired


@pytest.mark.usefixtures("in_blocks")
def test_what_was_saved_closes_in_blocks_too(files: list[str], tmp_path: Path) -> None:
    first, again = tmp_path / "a.npy", tmp_path / "b.npy"
    run(*files, "-o", first, "--save", tmp_path / "c.safetensors")
    run(*files, "-o", again, "--load", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(_sides(first)["queries"], _sides(again)["queries"])


@pytest.mark.usefixtures("in_blocks")
def test_a_fault_leaves_no_file(files: list[str], tmp_path: Path) -> None:
    rows = np.load(files[0])
    rows[60, 3] = np.nan
    np.save(files[0], rows)
    arguments = ["close", *files, "-o", str(tmp_path / "z.npz"), "--closing", "HullProjection"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "queries" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


@pytest.mark.parametrize("options", [["--radius", "auto"], ["--n-components", "auto"]])
def test_what_needs_the_rows_reads_them(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(close, "LARGE", 0)
    name = "MeanShift" if "--n-components" in options else "HullProjection"
    run(*files, "-o", tmp_path / "z.npz", "--closing", name, *options)


def test_the_old_name_of_the_option_says_that_it_is_deprecated(
    files: list[str], tmp_path: Path
) -> None:
    told = run(*files, "-o", tmp_path / "z.npz", "--method", "HullProjection")
    assert "deprecated" in told
    assert "HullProjection()" in told


@pytest.mark.parametrize("options", [["--closing", "HullProjection"], ["--center"]])
def test_a_fitted_closing_takes_no_settings(
    files: list[str], tmp_path: Path, options: list[str]
) -> None:
    run(*files, "-o", tmp_path / "z.npz", "--save", tmp_path / "c.safetensors")
    given = ["--load", str(tmp_path / "c.safetensors"), *options]
    done = CliRunner().invoke(app, ["close", *files, "-o", str(tmp_path / "y.npz"), *given])
    assert done.exit_code == 1
    assert "--load: a fitted closing has its settings" in done.output
