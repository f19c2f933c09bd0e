"""A sweep's executed notebooks as pages of the book, in a folder that keeps what others wrote."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import lazy_loader

from gaputils._files import only_writer, replacing, write_text
from gaputils._reading import reading
from gaputils.sweep.results import done_records

nbformat: Any = lazy_loader.load("nbformat")

INDEX = "gallery.json"
_FORMAT = "gaputils-gallery/1"


def write_gallery(runs: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Copy the executed notebooks of the sweep folder `runs` to `folder`, with an index page.

    Returns the index page, ready for the book's table of contents; the notebooks keep their
    outputs and are marked not to be executed again. Pages of an earlier gallery that are not
    written again are removed; nothing else is ever removed or replaced.

    Raises `FileNotFoundError` if no run in `runs` is done, and as `require_gallery_folder`.
    """
    source = Path(runs)
    pages = _pages(source)
    target = require_gallery_folder(folder, source)
    target.mkdir(parents=True, exist_ok=True)
    with only_writer(target):
        before = _written(target)
        _require_own(target, before, pages)
        after = {name: [_digest(content)] for name, content in pages.items()}
        # Both contents of a page count as ours until all are written: a kill leaves no stranger.
        names = before.keys() | after.keys()
        _write_index(target, {k: before.get(k, []) + after.get(k, []) for k in names})
        for name, content in pages.items():
            with replacing(target / name) as part:
                part.write_bytes(content)
        for name in before.keys() - after.keys():
            (target / name).unlink(missing_ok=True)
        _write_index(target, after)
    return target / "index.md"


def require_gallery_folder(folder: str | os.PathLike[str], runs: str | os.PathLike[str]) -> Path:
    """The real path of `folder` if a gallery of the sweep folder `runs` may be written there.

    Raises `ValueError` if it is, holds or lies in `runs`; if it is or holds the working folder or
    the home; or if a page of it was edited since it was written; `NotADirectoryError` if it is a
    file; and `FileExistsError` if it holds files and is no earlier gallery.
    """
    target, source = Path(folder).resolve(), Path(runs).resolve()
    if _holds(target, source) or _holds(source, target):
        raise ValueError(
            f"gallery: {folder} and the folder of the runs, {runs}, may not hold each other"
        )
    for name, place in _kept_places().items():
        if _holds(target, place):
            raise ValueError(
                f"gallery: expected a folder for the gallery alone, but {folder} is or holds the "
                f"{name} {place}"
            )
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"gallery: expected a folder, but {folder} is a file")
    if target.is_dir():
        if not (target / INDEX).is_file() and any(target.iterdir()):
            raise FileExistsError(
                f"gallery: {folder} holds files and is no earlier gallery; name a new folder"
            )
        _require_own(target, _written(target), {})
    return target


def _pages(source: Path) -> dict[str, bytes]:
    """Every file of the gallery by its name."""
    records = done_records(source)
    if not records:
        raise FileNotFoundError(f"runs: there is no done run in {source}")
    lines = ["# Gallery of runs", "", "```{toctree}", ":maxdepth: 1", ""]
    pages = {}
    for record in records:
        file = source / f"{record['run']}.ipynb"
        with reading(file, "a whole notebook", remedy="Delete it and its record, and sweep again"):
            notebook = nbformat.read(file, as_version=4)
        notebook.metadata["mystnb"] = {"execution_mode": "off"}
        title = ", ".join(f"{k} = {v}" for k, v in record["parameters"].items())
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and cell.source.startswith("# "):
                cell.source = f"# {record['page']}: {title}\n" + cell.source.partition("\n")[2]
                break
        pages[f"{record['run']}.ipynb"] = nbformat.writes(notebook).encode()
        lines.append(record["run"])
    return {**pages, "index.md": "\n".join([*lines, "```", ""]).encode()}


def _written(target: Path) -> dict[str, list[str]]:
    """The digests that each file of an earlier gallery in `target` may have, by its name."""
    file = target / INDEX
    if not file.exists():
        return {}
    remedy = "Name a new folder"
    with reading(file, "the index of a gallery", argument="gallery", remedy=remedy):
        content = json.loads(file.read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        written = {str(name): [str(d) for d in digests] for name, digests in content["pages"]}
    for name in written:
        if name in ("", ".", "..", INDEX) or set(name) & set("/\\:"):
            raise ValueError(f"gallery: {file} lists {name!r}, which is no page of a gallery")
    return written


def _write_index(target: Path, pages: dict[str, list[str]]) -> None:
    content = {"format": _FORMAT, "pages": sorted(pages.items())}
    write_text(target / INDEX, json.dumps(content, indent=1))


def _require_own(target: Path, written: dict[str, list[str]], pages: dict[str, bytes]) -> None:
    """Refuse to remove or replace what is in `target` and was not left so by a gallery."""
    for name in sorted(written.keys() | pages.keys()):
        file = target / name
        if not os.path.lexists(file):
            continue
        known = [*written.get(name, []), *([_digest(pages[name])] if name in pages else [])]
        if file.is_symlink() or not file.is_file() or _digest(file.read_bytes()) not in known:
            state = "was edited since it was written" if name in written else "is not a gallery's"
            raise ValueError(
                f"gallery: {file} {state} and would be lost; move it elsewhere and start again"
            )


def _kept_places() -> dict[str, Path]:
    """Folders that no gallery may be or hold; the root holds them all."""
    places = {"working folder": Path.cwd().resolve()}
    with suppress(RuntimeError):
        places["home folder"] = Path.home().resolve()
    return places


def _holds(folder: Path, path: Path) -> bool:
    """Whether `folder` is `path` or one of its parents, under whatever name."""
    places = [path, *path.parents]
    if folder in places:
        return True
    return folder.exists() and any(p.samefile(folder) for p in places if p.exists())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
