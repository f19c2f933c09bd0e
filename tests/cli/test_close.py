"""Sides that stay on disk are closed in blocks, to the numbers that closing them at once gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import gaputils as gu
from gaputils import _progress
from gaputils.cli import app, close
from gaputils.geometry import sums
from gaputils.sweep import run as sweep_run

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
    monkeypatch.setattr(sums, "_AT_ONCE", 32)
    monkeypatch.setattr(close, "_whole", never)


OPTIONS = [
    [],
    ["--alpha", "0.5"],
    ["--closing", "HullProjection"],
    ["--closing", "HullProjection", "--center"],
    ["--closing", "HullProjection", "--radius", "2"],
    ["--closing", "HullProjection", "--n-components", "2"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
def test_blocks_give_the_numbers_of_the_whole(
    files: list[str],
    tmp_path: Path,
    options: list[str],
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    with monkeypatch.context() as patched:
        patched.setattr(close, "_by_blocks", lambda *_: False)
        run(*files, "-o", whole, *options)
    request.getfixturevalue("in_blocks")
    run(*files, "-o", parts, *options)
    for name, part in _sides(parts).items():
        wanted = _sides(whole)[name]
        assert part.dtype == wanted.dtype == np.float16
        np.testing.assert_allclose(part, wanted, rtol=4e-3, atol=2e-3)
    if suffix != ".npy":
        one, other = (gu.read_pair(path) for path in (whole, parts))
        assert one.info == other.info


@pytest.mark.parametrize("options", [{"radius": 2}, {"center": True}, {"n_components": 2}])
@pytest.mark.parametrize("normalize", [False, True])
def test_how_many_queries_there_are_changes_no_projection(
    tmp_path: Path, options: dict[str, object], normalize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, gallery = np.random.default_rng(1).normal(size=(70, 6)), np.diag([1.0, 2, 3, 4, 5, 6])
    monkeypatch.setattr(close, "LARGE", gallery.nbytes + 1)
    np.save(tmp_path / "g.npy", gallery)
    unit = gallery / np.linalg.norm(gallery, axis=1, keepdims=True) if normalize else gallery
    wanted = gu.HullProjection(**options).fit(queries, unit)
    given = ["--normalize"] if normalize else []
    for name, value in options.items():
        given += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    for count in (1, 70):
        np.save(tmp_path / "q.npy", queries[:count])
        pair = tmp_path / "q.npy", tmp_path / "g.npy"
        run(*pair, "-o", tmp_path / "z.npy", "--closing", "HullProjection", *given)
        asked = queries[:count]
        asked = asked / np.linalg.norm(asked, axis=1, keepdims=True) if normalize else asked
        found = _sides(tmp_path / "z.npy")
        np.testing.assert_allclose(found["queries"], wanted.transform_queries(asked), atol=1e-14)
        np.testing.assert_allclose(found["gallery"], wanted.transform_gallery(unit), atol=1e-14)


def test_the_circumcentre_of_statistics_is_refused_without_a_word_of_scaling(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "LARGE", 0)
    np.save(files[1], np.diag(np.arange(1.0, 7)))
    options = ["--closing", "HullProjection", "--center", "-o", str(tmp_path / "z.npy")]
    done = CliRunner().invoke(app, ["close", *files, *options])
    assert done.exit_code == 1
    assert "gallery: from statistics the circumcentre is known of rows of one norm" in done.output
    assert "scaling" not in done.output
    run(*files, *options, "--normalize")


LABELS = {"targets": np.arange(70) % 10, "owners": np.arange(10) * 7}


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize("role", LABELS)
def test_labels_go_with_the_rows(files: list[str], tmp_path: Path, role: str, suffix: str) -> None:
    np.save(tmp_path / "labels.npy", LABELS[role])
    out = tmp_path / f"z{suffix}"
    told = run(*files, "-o", out, f"--{role}", tmp_path / "labels.npy")
    if suffix == ".npy":
        beside = out.with_suffix(f".{role}.npy")
        assert str(beside) in told
        np.testing.assert_array_equal(np.load(beside), LABELS[role])
    else:
        np.testing.assert_array_equal(getattr(gu.read_pair(out), role), LABELS[role])


@pytest.mark.parametrize("by_blocks", [True, False])
def test_labels_of_other_rows_are_not_left_beside(
    files: list[str], tmp_path: Path, by_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_by_blocks", lambda *_: by_blocks)
    np.save(tmp_path / "labels.npy", LABELS["targets"])
    out = tmp_path / "z.npy"
    for _ in range(2):
        run(*files, "-o", out, "--targets", tmp_path / "labels.npy")
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    options = ["-o", str(out), "--save", str(tmp_path / "c.safetensors")]
    done = CliRunner().invoke(app, ["close", files[1], files[1], *options])
    assert done.exit_code == 1
    assert f"--out: beside {out} there would still be {tmp_path / 'z.targets.npy'}" in done.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    (tmp_path / "z.targets.npy").unlink()
    run(files[1], files[1], *options)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("name", ["labels.npy", "lacking.npy"])
def test_labels_that_do_not_fit_leave_no_file(files: list[str], tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "labels.npy", np.arange(70))
    given = ["--targets", str(tmp_path / name)]
    done = CliRunner().invoke(app, ["close", *files, "-o", str(tmp_path / "z.npz"), *given])
    assert done.exit_code == 1
    assert "targets" in done.output
    assert not list(tmp_path.glob("*z*"))


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_rows_are_normalized_on_the_way(tmp_path: Path, options: list[str]) -> None:
    for name, side in (("x", X), ("y", Y)):
        lengths = np.linspace(1, 3, len(side), dtype=np.float32)[:, None]
        np.save(tmp_path / f"{name}.npy", side.astype(np.float32) * lengths)
        np.save(tmp_path / f"unit_{name}.npy", side.astype(np.float32))
    for start, more in (("unit_", []), ("", ["--normalize"])):
        pair = [tmp_path / f"{start}{name}.npy" for name in "xy"]
        run(*pair, "-o", tmp_path / f"{start}z.npy", *options, *more)
    for name, side in _sides(tmp_path / "z.npy").items():
        np.testing.assert_allclose(side, _sides(tmp_path / "unit_z.npy")[name], atol=1e-5)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
def test_rows_of_half_precision_are_normalized_and_written_so(tmp_path: Path, suffix: str) -> None:
    for name, side in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", (3 * side).astype(np.float16))
    out = tmp_path / f"z{suffix}"
    run(tmp_path / "x.npy", tmp_path / "y.npy", "-o", out, "--normalize")
    wanted = gu.MeanShift().fit_transform(X, Y)
    for name, side in _sides(out).items():
        assert side.dtype == np.float16
        np.testing.assert_allclose(side, getattr(wanted, name), atol=2e-3)


@pytest.mark.parametrize("by_blocks", [True, False])
def test_rows_beyond_the_dtype_they_are_written_in_leave_no_file(
    tmp_path: Path, by_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_by_blocks", lambda *_: by_blocks)
    for name, side in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", (3e4 * side).astype(np.float16))
    options = ["--closing", "HullProjection", "--radius", "9", "-o", str(tmp_path / "z.npy")]
    options += ["--save", str(tmp_path / "z.safetensors")]
    pair = [str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    done = CliRunner().invoke(app, ["close", *pair, *options])
    assert done.exit_code == 1
    assert "queries: expected rows that are finite once they are moved" in done.output
    assert "float16" in done.output
    assert not list(tmp_path.glob("z*"))


@pytest.mark.usefixtures("in_blocks")
def test_other_files_are_moved_in_blocks_too(files: list[str], tmp_path: Path) -> None:
    wanted, pair = tmp_path / "wanted.npy", tmp_path / "pair.safetensors"
    run(*files, "-o", wanted)
    save_file({"queries": np.load(files[0]), "gallery": np.load(files[1])}, pair)
    for name, side in (("images", np.load(files[0])), ("texts", np.load(files[1]))):
        (tmp_path / name).mkdir()
        for number, part in enumerate(np.array_split(side, 2)):
            np.save(tmp_path / name / f"rows_{number}.npy", part)
    for source in ([pair], [tmp_path / "images", tmp_path / "texts"]):
        out = tmp_path / f"{source[0].stem}.npy"
        run(*source, "-o", out)
        for name, side in _sides(out).items():
            np.testing.assert_array_equal(side, _sides(wanted)[name])


def test_what_is_much_and_needs_all_rows_says_so(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--closing", "HullProjection", "--radius", "auto"]
    assert "all rows at once" not in run(*files, "-o", tmp_path / "z.npz", *options)
    monkeypatch.setattr(close, "LARGE", 0)
    assert "all rows at once" in run(*files, "-o", tmp_path / "z.npz", *options)


def _sides(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return {name: load_file(path)[name] for name in ("queries", "gallery")}
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


@pytest.mark.filterwarnings("default")
def test_a_closing_that_moves_nothing_says_so_in_one_line(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(2, 9, 4))
    np.save(tmp_path / "pair.npy", rows)
    done = CliRunner().invoke(
        app, ["close", str(tmp_path / "pair.npy"), "-o", str(tmp_path / "z.npy")]
    )
    assert done.exit_code == 0
    assert done.stderr.startswith("gaputils: MeanShift moves nothing: the 9 rows")
    assert done.stderr.count("\n") == 1


def test_what_takes_long_shows_bars(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAPUTILS_PROGRESS", "1")
    monkeypatch.setattr(_progress, "_DELAY", 0)
    monkeypatch.setattr(close, "LARGE", 0)
    told = CliRunner().invoke(app, ["report", *files, "--rows", "20"]).stderr
    assert "closings" in told
    assert "statistics of the queries" in told
    told = CliRunner().invoke(app, ["close", *files, "-o", str(tmp_path / "z.npy")]).stderr
    assert "statistics of the gallery" in told
    assert "moving the queries" in told


def test_a_sweep_shows_its_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAPUTILS_PROGRESS", "1")
    monkeypatch.setattr(_progress, "_DELAY", 0)
    monkeypatch.setattr(sweep_run, "execute", lambda *task: {"run": task[0]})
    tasks = [("a", tmp_path, "") for tmp_path in (Path("x"), Path("y"))]
    assert sweep_run._execute_all(tasks, 1, None) == [{"run": "a"}] * 2
    told = capsys.readouterr().err
    assert "runs" in told
    assert "2/2" in told


@pytest.mark.parametrize("by_blocks", [True, False])
def test_a_closing_takes_its_place_after_what_it_moved(
    files: list[str], tmp_path: Path, by_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_by_blocks", lambda *_: by_blocks)
    save = tmp_path / "c.safetensors"
    command = ["-o", tmp_path / "z.npz", "--save", save]
    run(*files, *command, "--alpha", "0.5")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stopped(*_: object) -> None:
        raise OSError("stopped")

    for writer in ("write_npz", "write_npz_file"):
        monkeypatch.setattr(close, writer, stopped)
    done = CliRunner().invoke(app, ["close", *files, *map(str, command)])
    assert "stopped" in done.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    monkeypatch.undo()
    run(*files, *command)
    assert gu.closing.load(save).alpha == 1


def test_a_closing_is_kept_under_a_name_that_is_found_again(files: list[str]) -> None:
    done = CliRunner().invoke(app, ["close", *files, "-o", "z.npz", "--save", "c.npz"])
    assert done.exit_code == 1
    assert "--save: expected a name that ends in .safetensors, got c.npz" in done.output
