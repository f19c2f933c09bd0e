"""`gaputils mix`: what it writes is what the package returns, and its errors name the argument."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gaputils as gu
from gaputils import closing
from gaputils.cli import app, mix


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, ["mix", *(str(a) for a in arguments)])
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture
def files(tmp_path: Path) -> dict[str, np.ndarray]:
    """Three files in the working folder of the test, and what they hold."""
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(center, 1, (rows, 8)).astype(np.float32)
        for name, center, rows in [("q", 1, 30), ("img", -1, 20), ("txt", 1, 25)]
    }
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
    return arrays


def kinds(files: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"image": files["img"], "text": files["txt"]}


def arguments(folder: Path) -> list[object]:
    return [f"image={folder / 'img.npy'}", f"text={folder / 'txt.npy'}"]


@pytest.mark.parametrize(
    ("flags", "parameters"),
    [
        ([], {}),
        (["--no-center"], {"center": False}),
        (["--equal-norms"], {"equal_norms": True}),
    ],
)
def test_an_archive_holds_queries_and_kinds(files, tmp_path: Path, flags, parameters) -> None:
    out = tmp_path / "mixed.npz"
    told = run(*arguments(tmp_path), "--query", tmp_path / "q.npy", "-o", out, *flags).output
    fitted = gu.MixedGallery(**parameters).fit(files["q"], kinds(files))
    asking, rows = fitted.transform(files["q"], kinds(files))
    with np.load(out) as archive:
        assert archive.files == ["queries", "image", "text"]
        for name, values in {"queries": asking, **rows}.items():
            np.testing.assert_array_equal(archive[name], values)
            assert archive[name].dtype == np.float32
    assert f"image {rows['image'].shape}" in told


def test_one_array_has_all_rows_and_the_queries_beside_it(files, tmp_path: Path) -> None:
    out = tmp_path / "mixed.npy"
    told = run(*arguments(tmp_path), "--query", tmp_path / "q.npy", "-o", out).output
    fitted = gu.MixedGallery().fit(files["q"], kinds(files))
    asking, rows = fitted.transform(files["q"], kinds(files))
    np.testing.assert_array_equal(np.load(out), np.concatenate([rows["image"], rows["text"]]))
    np.testing.assert_array_equal(np.load(tmp_path / "mixed.queries.npy"), asking)
    assert "rows 0 to 19 image, rows 20 to 44 text" in told


@pytest.mark.usefixtures("files")
def test_a_closing_takes_its_place_after_what_it_lifted(tmp_path: Path, monkeypatch) -> None:
    saved = tmp_path / "mixed.safetensors"
    command = [*arguments(tmp_path), "--query", tmp_path / "q.npy", "-o", tmp_path / "new.npz"]
    run(*command, "--save", saved, "--no-center")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stopped(*_: object) -> None:
        raise OSError("stopped")

    monkeypatch.setattr(mix, "write_npz_file", stopped)
    assert "stopped" in run(*command, "--save", saved, code=1).stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_saved_closing_lifts_new_rows(files, tmp_path: Path) -> None:
    saved, out = tmp_path / "mixed.safetensors", tmp_path / "new.npy"
    run(*arguments(tmp_path), "--query", tmp_path / "q.npy", "-o", out, "--save", saved)
    again = [f"text={tmp_path / 'img.npy'}", "--load", saved, "-o", out]
    told = run(*again, code=1).stderr
    assert f"--out: beside {out} there would still be {tmp_path / 'new.queries.npy'}" in told
    (tmp_path / "new.queries.npy").unlink()
    run(*again)
    fitted = closing.load(saved)
    expected = fitted.transform_gallery({"text": files["img"]})["text"]
    np.testing.assert_array_equal(np.load(out), expected)
    run(*arguments(tmp_path), "--query", tmp_path / "q.npy", "--load", saved, "-o", out)
    np.testing.assert_array_equal(
        np.load(tmp_path / "new.queries.npy"), fitted.transform_queries(files["q"])
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            ["image", "-o", "{}/m.npz"],
            "ITEMS: expected KIND=FILE, as image=images.npy, got 'image'",
        ),
        (["=x.npy", "-o", "{}/m.npz"], "ITEMS: expected KIND=FILE"),
        (["a={}/q.npy", "a={}/q.npy", "-o", "{}/m.npz"], "ITEMS: got 'a' twice"),
        (["queries={}/q.npy", "-o", "{}/m.npz"], "ITEMS: got 'queries' as a kind"),
        (["a={}/q.npy", "-o", "{}/m.npz"], "--query: expected queries to fit on"),
        (["a={}/q.npy", "-o", "{}/m.txt"], "--out: expected a .npy or .npz file, got"),
        (["a={}/q.npy", "-o", "{}/no/m.npz"], "no/m.npz does not exist"),
        (["a={}/no.npy", "--query", "{}/q.npy", "-o", "{}/m.npz"], "there is no file"),
        (["a={}/q.npy", "--load", "{}/no.safetensors", "-o", "{}/m.npy"], "there is no file"),
        (["b={}/q.npy", "--load", "{}/m.safetensors", "-o", "{}/m.npy"], "got 'b'"),
        (["a={}/q.npy", "--load", "{}/s.safetensors", "-o", "{}/m.npy"], "expected a MixedGallery"),
        (
            ["a={}/q.npy", "--load", "{}/m.safetensors", "--no-center", "-o", "{}/m.npy"],
            "--load: a fitted closing has its settings",
        ),
        (
            ["a={}/q.npy", "--load", "{}/m.safetensors", "--center", "-o", "{}/m.npy"],
            "--load: a fitted closing has its settings",
        ),
        (["a={}/narrow.npy", "--query", "{}/q.npy", "-o", "{}/m.npy"], "expected dimension 8"),
    ],
)
def test_what_makes_no_sense_is_told(files, tmp_path: Path, changed, message: str) -> None:
    gu.MixedGallery().fit(files["q"], {"a": files["img"]}).save(tmp_path / "m.safetensors")
    gu.NaiveShift().fit(files["q"], files["img"]).save(tmp_path / "s.safetensors")
    np.save(tmp_path / "narrow.npy", files["img"][:, :5])
    before = sorted(path.name for path in tmp_path.iterdir())
    found = run(*(part.format(tmp_path) for part in changed), code=1)
    assert message in found.stderr.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
