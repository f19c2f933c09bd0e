"""Every command once, its files read back, and its errors on standard error with code 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gaputils as gu
from cli.helpers import run
from gaputils.scoring import SCORINGS


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(7, 12))
    targets = rng.integers(7, size=60)
    queries = gallery[targets] + 0.5 * rng.normal(size=(60, 12)) + 2
    path = tmp_path / "pair.npz"
    np.savez(path, queries=queries, gallery=gallery, targets=targets)
    return path


@pytest.mark.parametrize(
    "command", ["embed", "report", "close", "mix", "robustness", "sweep", "train"]
)
def test_help_has_an_example(command: str) -> None:
    assert f"gaputils {command}" in run(command, "--help").output


def test_report_says_what_the_package_says(pair: Path, tmp_path: Path) -> None:
    figure, out = tmp_path / "gap.png", tmp_path / "report.json"
    run("report", pair, "--format", "json", "--out", out, "--figure", figure, "--variance", 0.5)
    found = json.loads(out.read_text())
    expected = gu.report(gu.read_pair(pair), 0.5)
    assert found["best"] == expected.best
    assert found["benefits"][0]["scoring"] == "cosine"
    assert found["measures"]["gap_norm"] == pytest.approx(expected.measures["gap_norm"])
    assert found["verdict"] == expected.verdict
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["gap.PNG", "gap.pdf"])
def test_a_figure_is_written_where_it_is_asked_for_and_in_one_step(
    pair: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("report", pair, "--figure", tmp_path / name)
    first = (tmp_path / name).read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([pair, tmp_path / name])
    (tmp_path / name).chmod(0o444)
    assert (
        "It is write-protected" in run("report", pair, "--figure", tmp_path / name, code=1).stderr
    )
    (tmp_path / name).chmod(0o644)

    def breaks(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", breaks)
    run("report", pair, "--figure", tmp_path / name, code=1)
    assert (tmp_path / name).read_bytes() == first
    assert sorted(tmp_path.iterdir()) == sorted([pair, tmp_path / name])


def test_measures_that_are_undefined_are_null_in_json(tmp_path: Path) -> None:
    np.savez(tmp_path / "same.npz", queries=np.eye(5), gallery=np.eye(5))
    for command in ("report", "robustness"):
        told = run(command, tmp_path / "same.npz", "--format", "json").stdout
        found = json.loads(told, parse_constant=pytest.fail)
        assert command == "robustness" or None in found["measures"].values()


def test_report_as_table_and_csv(pair: Path) -> None:
    table = run("report", pair, "--rows", 40).output
    assert "gap_norm" in table
    assert "mean shift" in table
    assert run("report", pair, "--format", "csv").output.startswith("measure,value\n")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_close_saves_what_transform_returns(pair: Path, tmp_path: Path, suffix: str) -> None:
    out, saved = tmp_path / f"closed{suffix}", tmp_path / "shift.safetensors"
    run("close", pair, "-o", out, "--n-components", 3, "--alpha", 0.5, "--save", saved)
    e = gu.read_pair(pair)
    queries, gallery = (
        gu.MeanShift(3, 0.5).fit(e.queries, e.gallery).transform(e.queries, e.gallery)
    )
    closed = gu.read_pair(out)
    np.testing.assert_allclose(closed.gallery, gallery)
    np.testing.assert_allclose(closed.queries, queries)
    np.testing.assert_array_equal(closed.targets, e.targets)
    again = tmp_path / f"again{suffix}"
    run("close", pair, "-o", again, "--load", saved)
    np.testing.assert_allclose(gu.read_pair(again).gallery, gallery)


def test_robustness_with_and_without_closing(pair: Path) -> None:
    e = gu.read_pair(pair)
    arguments = ["robustness", pair, "--scoring", "euclidean", "--variance", 0.5, "--variance", 2]
    plain = json.loads(run(*arguments, "--format", "json").stdout)
    assert [row["variance"] for row in plain] == [0.5, 2.0]
    for row in plain:
        kept = gu.robustness(e.queries, e.gallery, gu.GaussianNoise(row["variance"]))
        assert row["robustness"] == pytest.approx(float(kept.mean()), abs=1e-8)
        assert row["right"] <= row["accuracy"]
    closed = run("robustness", pair, "--closing", "HullProjection", "--format", "csv").stdout
    names = "closing,scoring,variance,robustness,robustness_error,gain,gain_error,right"
    assert closed.startswith(names)
    lines = [line.split(",")[:2] for line in closed.strip().splitlines()[1:]]
    assert lines == [["original", "cosine"], ["HullProjection()", "cosine"]]


def test_variances_that_agree_in_many_digits_have_a_row_each(pair: Path) -> None:
    arguments = ["robustness", pair, "--variance", "0.12345678", "--variance", "0.12345679"]
    found = json.loads(run(*arguments, "--format", "json").stdout)
    assert [row["variance"] for row in found] == [0.12345678, 0.12345679]
    table = run(*arguments).stdout
    assert "0.12345678" in table
    assert "0.12345679" in table


def test_robustness_tells_the_norms_that_the_variance_is_read_against(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(2, 6, 9))
    norms = np.linalg.norm(rows, axis=2, keepdims=True)
    np.save(tmp_path / "pair.npy", 5 * rows / norms)
    told = run("robustness", tmp_path / "pair.npy").stderr
    assert told.startswith("gaputils: Rows of the gallery have norms from 5 to 5 (median 5), not 1")
    assert told.count("\n") == 1
    assert run("robustness", tmp_path / "pair.npy", "--normalize").stderr == ""
    run("close", tmp_path / "pair.npy", "--normalize", "-o", tmp_path / "closed.npz")
    assert run("robustness", tmp_path / "closed.npz").stderr == ""


def test_report_reads_two_arrays_in_place_and_takes_the_scoring(pair: Path, tmp_path: Path) -> None:
    e = gu.read_pair(pair)
    for name, side in (("q", e.queries), ("g", e.gallery)):
        np.save(tmp_path / name, side.numpy())
    sides = [tmp_path / "q.npy", tmp_path / "g.npy"]
    text = run("report", *sides, "--scoring", "inner-product", "--rows", 20).output
    assert "Ranked by inner product as they are" in text
    assert "Measured with 20 of 60 queries among 7 of 7 items." in text
    assert 'gu.scoring.nearest(queries, gallery, "inner-product")' in text


@pytest.mark.parametrize("scoring", SCORINGS)
def test_the_lines_that_report_prints_run_and_are_those_of_its_verdict(
    scoring: str, pair: Path
) -> None:
    told, code = run("report", pair, "--scoring", scoring, "--variance", 0.5).output.split(
        "import "
    )
    e = gu.read_pair(pair)
    expected = gu.report(e, 0.5, scoring=scoring)
    assert expected.verdict in told
    assert f"import {code.strip()}" == expected.code
    names = {"queries": e.queries.numpy(), "gallery": e.gallery.numpy()}
    exec(f"import {code}", names)
    before = gu.scoring.nearest(e.queries, e.gallery, scoring).numpy()
    unchanged = (np.asarray(names["answers"]) == before).mean()
    table = expected.benefits.set_index("closing")
    assert unchanged == pytest.approx(table.loc[expected.best, "unchanged"])
    assert ("closing = " in code) == ("Closing the gap helps" in told)


def test_close_writes_rows_for_an_index(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "closed.npy"
    told = run("close", pair, "-o", out).stdout
    e = gu.read_pair(pair)
    queries, gallery = gu.MeanShift().fit_transform(e.queries, e.gallery)
    np.testing.assert_array_equal(np.load(out), gallery)
    np.testing.assert_array_equal(np.load(tmp_path / "closed.queries.npy"), queries)
    assert str(tmp_path / "closed.queries.npy") in told
    assert (tmp_path / "closed.targets.npy").is_file() == (not e.paired)


def test_commands_that_read_pairs_read_folders(shards: Path, tmp_path: Path) -> None:
    e = gu.load_folder(shards)
    measured = json.loads(run("report", shards, "--rows", 100, "--format", "json").output)
    assert measured["measures"]["gap_norm"] == pytest.approx(gu.measure_gap(e)["gap_norm"])
    arguments = ["--scoring", "euclidean", "--format", "json"]
    kept = json.loads(run("robustness", shards, *arguments).output)[0]
    exact = gu.robustness(e.queries, e.gallery, gu.GaussianNoise(0.04))
    assert kept["robustness"] == pytest.approx(float(exact.double().mean()), abs=1e-9)
    run("close", shards, "-o", tmp_path / "closed.safetensors")
    expected = gu.MeanShift().fit_transform(e.queries, e.gallery)[1]
    np.testing.assert_array_equal(gu.read_pair(tmp_path / "closed.safetensors").gallery, expected)
    message = "holds both sides and names them itself"
    assert message in run("report", shards, shards, code=1).stderr
    assert message in run("close", shards, "-o", "x.npz", "--queries", "a", code=1).stderr


def test_train_writes_a_model_that_loads(tmp_path: Path) -> None:
    run("train", tmp_path / "model", "--steps", 2, "--batch-size", 8, "--keep", 0)
    assert gu.load_model(str(tmp_path / "model")).info["step"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "missing.npy"], "there is no file missing.npy"),
        (["report", "{pair}", "--format", "xml"], "--format: expected table, csv or json"),
        (
            ["report", "{pair}", "--out", "no/where.txt"],
            "the folder of no/where.txt does not exist",
        ),
        (
            ["report", "{pair}", "--figure", "x.xyz"],
            "--figure: expected a file that ends in one of",
        ),
        (["report", "{pair}", "--figure", "x"], "--figure: expected a file that ends in one of"),
        (["close", "{pair}", "-o", "x.csv"], "--out: expected a .safetensors, .npz or .npy file"),
        (["close", "{pair}", "-o", "x.npz", "--closing", "Magic"], "--closing: expected one of"),
        (["close", "{pair}", "-o", "x.npz", "--radius", "2"], "MeanShift has no such parameter"),
        (["robustness", "{pair}", "--variance", "-1"], "variance"),
        (
            ["robustness", "{pair}", "--n-components", "abc", "--radius", "xx", "--center"],
            "--n-components, --radius, --center: expected a --closing that takes it, got none",
        ),
        (["robustness", "{pair}", "--alpha", "0"], "--alpha: expected a --closing"),
        (
            ["robustness", "{pair}", "--closing", "none", "--radius", "2"],
            "--radius: expected a --closing that takes it, got none",
        ),
        (["close", "{pair}", "-o", "x.npz", "--load", "no"], "--load: there is no file no"),
        (["close", "{pair}", "-o", "x.npz", "--load", "{pair}"], "--load: "),
        (["mix", "a={pair}", "-o", "x.npz", "--load", "no"], "--load: there is no file no"),
        (["sweep", "missing.yml", "-o", "x"], "grid: there is no file missing.yml"),
        (["embed", "no-such-model", "emoji10", "-o", "x.safetensors"], "no-such-model"),
        (["embed", "tiny-openmoji", "emoji10", "-o", "x.npz"], "--out: expected a .safetensors"),
        (["embed", "tiny-openmoji", "emoji10", "-o", "no/where"], "the folder of no/where"),
        (
            ["embed", "tiny-openmoji", "emoji10", "-o", "x.safetensors", "--shard-size", "9"],
            "--shard-size: x.safetensors is one file",
        ),
        (["report", "."], "expected .npy or .parquet files with numbered"),
    ],
)
def test_errors_are_one_line_on_standard_error(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*(a.replace("{pair}", str(pair)) for a in arguments), code=1)
    assert message in result.stderr
    assert result.stderr.startswith("gaputils: ")
    assert "Traceback" not in result.output + result.stderr
    assert not list(tmp_path.glob("x*"))


def test_a_wrong_command_line_has_code_2() -> None:
    run("report", code=2)
    run("nonsense", code=2)
