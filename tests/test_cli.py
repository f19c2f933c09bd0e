"""Every command once, its files read back, and its errors on standard error with code 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gaputils as gu
from gaputils.cli import app


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(7, 12))
    targets = rng.integers(7, size=60)
    queries = gallery[targets] + 0.5 * rng.normal(size=(60, 12)) + 2
    path = tmp_path / "pair.npz"
    np.savez(path, queries=queries, gallery=gallery, targets=targets)
    return path


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.mark.parametrize("command", ["embed", "report", "close", "robustness", "sweep", "train"])
def test_help_has_an_example(command: str) -> None:
    assert f"gaputils {command}" in run(command, "--help").output


def test_report_says_what_the_package_says(pair: Path, tmp_path: Path) -> None:
    figure, out = tmp_path / "gap.png", tmp_path / "report.json"
    run("report", pair, "--format", "json", "--out", out, "--figure", figure, "--variance", 0.5)
    found = json.loads(out.read_text())
    expected = gu.report(gu.read_pair(pair), 0.5)
    assert found["measures"]["gap_norm"] == pytest.approx(expected.measures["gap_norm"])
    assert found["verdict"] == expected.verdict
    assert figure.read_bytes().startswith(b"\x89PNG")


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
    plain = json.loads(
        run("robustness", pair, "--variance", 0.5, "--variance", 2, "--format", "json").output
    )
    for row in plain:
        kept = gu.robustness(e.queries, e.gallery, gu.GaussianNoise(row["variance"]))
        assert row["robustness"] == pytest.approx(float(kept.mean()), abs=1e-8)
        assert row["noisy_accuracy"] <= row["accuracy"]
    closed = run("robustness", pair, "--method", "HullProjection", "--format", "csv").output
    assert closed.startswith("variance,robustness,accuracy,noisy_accuracy\n")
    cosine = run("robustness", pair, "--scoring", "cosine", "--draws", 20, "--format", "csv").output
    assert 0 < float(cosine.splitlines()[1].split(",")[1]) <= 1


def test_embed_writes_embeddings(tmp_path: Path) -> None:
    out = tmp_path / "e.safetensors"
    text = run("embed", "tiny-openmoji", "emoji10", "-o", out, "--step", 400).output
    assert "1000 queries, 10 gallery items" in text
    assert gu.Embeddings.load(out).info["step"] == 400


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
        (["report", "{pair}", "--figure", "gap.xyz"], "--figure"),
        (["close", "{pair}", "-o", "x.npy"], "--out: expected a .safetensors or .npz file"),
        (["close", "{pair}", "-o", "x.npz", "--method", "Magic"], "--method: expected one of"),
        (["close", "{pair}", "-o", "x.npz", "--radius", "2"], "MeanShift has no such parameter"),
        (["robustness", "{pair}", "--variance", "-1"], "variance"),
        (["sweep", "missing.yml", "-o", "x"], "grid: there is no file missing.yml"),
        (["embed", "no-such-model", "emoji10", "-o", "x.safetensors"], "no-such-model"),
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
