"""A gallery is written into a folder of its own, and nothing that others wrote is lost there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from typer.testing import CliRunner

from gaputils.cli.commands import app
from gaputils.sweep.gallery import INDEX, require_gallery_folder, write_gallery
from gaputils.sweep.run import run_sweep


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A sweep's folder with two done runs and one that failed."""
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, status in (("exp-1", "done"), ("exp-2", "done"), ("exp-3", "failed")):
        _add_run(folder, name, status)
    return folder


def _add_run(folder: Path, name: str, status: str = "done") -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# A page\n\nText.", id="one")])
    nbformat.write(notebook, folder / f"{name}.ipynb")
    record = {"run": name, "page": "exp", "parameters": {"k": 1}, "status": status, "values": {}}
    (folder / f"{name}.json").write_text(json.dumps(record))


def _contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_gallery_is_written_and_written_again(out: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "new" / "gallery"
    index = write_gallery(out, gallery)
    assert index == gallery / "index.md"
    assert sorted(_contents(gallery)) == sorted([INDEX, "exp-1.ipynb", "exp-2.ipynb", "index.md"])
    page = nbformat.read(gallery / "exp-1.ipynb", as_version=4)
    assert page.cells[0].source.startswith("# exp: k = 1\n")
    first = _contents(gallery)
    assert _contents(write_gallery(out, gallery).parent) == first


def test_of_an_earlier_gallery_only_its_own_pages_go(out: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    write_gallery(out, gallery)
    (gallery / "intro.md").write_text("mine")
    (gallery / "chapters").mkdir()
    (gallery / "chapters" / "thesis.md").write_text("mine too")
    (out / "exp-1.json").unlink()
    _add_run(out, "exp-4")
    write_gallery(out, gallery)
    assert sorted(_contents(gallery)) == sorted(
        ["chapters/thesis.md", "exp-2.ipynb", "exp-4.ipynb", INDEX, "index.md", "intro.md"]
    )
    assert "exp-1" not in (gallery / "index.md").read_text()


@pytest.mark.parametrize("name", ["exp-1.ipynb", "exp-2.ipynb", "index.md"])
@pytest.mark.parametrize("still_done", [True, False])
def test_an_edited_page_is_never_lost(
    out: Path, tmp_path: Path, name: str, still_done: bool
) -> None:
    gallery = tmp_path / "gallery"
    write_gallery(out, gallery)
    with (gallery / name).open("a") as file:
        file.write("\n")
    if not still_done:
        (out / "exp-1.json").unlink()
    before = _contents(gallery)
    with pytest.raises(ValueError, match=f"{name} was edited since it was written"):
        write_gallery(out, gallery)
    assert _contents(gallery) == before


def test_a_page_of_ones_own_is_not_replaced_by_one_of_its_name(out: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    write_gallery(out, gallery)
    (gallery / "exp-4.ipynb").write_text("mine")
    _add_run(out, "exp-4")
    before = _contents(gallery)
    with pytest.raises(ValueError, match=r"exp-4\.ipynb is not a gallery's"):
        write_gallery(out, gallery)
    assert _contents(gallery) == before


def test_a_link_in_the_place_of_a_page_is_not_followed(out: Path, tmp_path: Path) -> None:
    gallery, page = tmp_path / "gallery", tmp_path / "gallery" / "exp-1.ipynb"
    write_gallery(out, gallery)
    page.rename(tmp_path / "kept.ipynb")
    page.symlink_to(tmp_path / "kept.ipynb")
    with pytest.raises(ValueError, match="was edited"):
        write_gallery(out, gallery)
    assert page.is_symlink()
    assert (tmp_path / "kept.ipynb").is_file()


@pytest.mark.parametrize(
    "place",
    ["runs", "runs/", "runs/gallery", "runs/../runs", "link", "link/gallery", ".", "..", "/", "~"],
)
def test_folders_that_are_hold_or_lie_in_others_are_refused(
    out: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(out, target_is_directory=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters.md").write_text("mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    before = _contents(tmp_path)
    with pytest.raises(ValueError, match="gallery: "):
        write_gallery("runs", Path(place).expanduser())
    assert _contents(tmp_path) == before


def test_empty_places_that_hold_others_are_refused_too(tmp_path: Path, monkeypatch) -> None:
    for name in ("work", "home/me", "else/runs"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    monkeypatch.chdir(tmp_path / "work")
    for place in (".", "../work", "../home", "~", "../else", "../else/runs/deep"):
        with pytest.raises(ValueError, match="hold"):
            require_gallery_folder(Path(place).expanduser(), "../else/runs")
    assert require_gallery_folder("gallery", "../else/runs") == tmp_path / "work" / "gallery"


@pytest.mark.parametrize("stranger", ["intro.md", "chapters/thesis.md", "gallery.json", ".hidden"])
def test_a_folder_with_others_files_is_refused(out: Path, tmp_path: Path, stranger: str) -> None:
    file = tmp_path / "book" / stranger
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    link = tmp_path / "other name"
    link.symlink_to(tmp_path / "book", target_is_directory=True)
    for folder in (tmp_path / "book", link):
        with pytest.raises((ValueError, FileExistsError), match="gallery"):
            write_gallery(out, folder)
    assert sorted(_contents(tmp_path / "book")) == [stranger]


def test_an_index_names_pages_of_its_own_folder_alone(out: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    write_gallery(out, gallery)
    mine = tmp_path / "thesis.md"
    mine.write_text("mine")
    content = json.loads((gallery / INDEX).read_text())
    content["pages"].append(["../thesis.md", [hashlib.sha256(b"mine").hexdigest()]])
    (gallery / INDEX).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"which is no page of a gallery"):
        write_gallery(out, gallery)
    assert mine.read_text() == "mine"


def test_a_kill_between_two_pages_leaves_a_gallery(out: Path, tmp_path: Path, monkeypatch) -> None:
    gallery = tmp_path / "gallery"
    write_gallery(out, gallery)
    _add_run(out, "exp-0")
    (out / "exp-2.json").unlink()
    write, left = Path.write_bytes, [1]

    def killed(self: Path, content: bytes) -> int:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            write_gallery(out, gallery)
    write_gallery(out, gallery)
    assert sorted(_contents(gallery)) == sorted([INDEX, "exp-0.ipynb", "exp-1.ipynb", "index.md"])


def test_stray_files_among_the_runs_are_passed_over(out: Path, tmp_path: Path) -> None:
    (out / "settings.json").write_text('{"theme": "dark"}')
    (out / "list.json").write_text("[1]")
    (out / "broken.json").write_bytes(b"\xff{")
    (out / "deep.json").write_text("[" * 100_000)
    (out / "folder.json").mkdir()
    (out / "link.json").symlink_to("nowhere")
    (out / "copy.json").write_text((out / "exp-1.json").read_text())
    (out / "exp-2.ipynb").unlink()
    write_gallery(out, tmp_path / "gallery")
    assert sorted(_contents(tmp_path / "gallery")) == sorted([INDEX, "exp-1.ipynb", "index.md"])


def test_a_gallery_that_cannot_be_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.ipynb").write_text(nbformat.writes(new_notebook()))
    Path("grid.yml").write_text("sweeps:\n  - page: page.ipynb\n")
    Path("book").mkdir()
    Path("book/intro.md").write_text("mine")
    for gallery, out in (("book", "runs"), ("runs", "runs"), (".", "runs"), ("book", "book/runs")):
        call = ["sweep", "grid.yml", "--out", out, "--gallery", gallery]
        result = CliRunner().invoke(app, call)
        assert result.exit_code == 1
        assert result.stderr.startswith("gaputils: gallery: ")
        assert not Path(out).exists()
    assert Path("book/intro.md").read_text() == "mine"


def test_a_table_that_no_sweep_wrote_is_not_replaced(tmp_path: Path) -> None:
    mine = pd.DataFrame({"a": [1, 2]})
    mine.to_parquet(tmp_path / "results.parquet")
    with pytest.raises(ValueError, match="is no sweep's table"):
        run_sweep([], tmp_path)
    assert pd.read_parquet(tmp_path / "results.parquet").equals(mine)
    with pytest.raises(NotADirectoryError, match=r"out: expected a folder, but .*results"):
        run_sweep([], tmp_path / "results.parquet")


def test_a_file_is_no_folder(out: Path, tmp_path: Path) -> None:
    (tmp_path / "gallery").write_text("mine")
    with pytest.raises(NotADirectoryError, match="is a file"):
        write_gallery(out, tmp_path / "gallery")
    assert (tmp_path / "gallery").read_text() == "mine"


def test_a_notebook_that_is_cut_short_is_named(out: Path, tmp_path: Path) -> None:
    (out / "exp-1.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"exp-1\.ipynb is not a whole notebook.*sweep again"):
        write_gallery(out, tmp_path / "gallery")
