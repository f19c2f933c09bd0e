"""Put published files that lie in a folder into the loader's cache: python tools/fill_cache.py DIR

The folder is laid out as the cache is, `<folder of the repository>/<path>`, as the table of sources
names them. What is there already, or is not the published file, is left alone and counted.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from gaputils.datasets._published_files import place
from gaputils.datasets._published_sources import File, sources


def wanted() -> list[File]:
    """Every file of the table, the authors' own measurements too, each once."""
    found: dict[str, File] = {}
    for source in sources().values():
        references = () if source.reference is None else (source.reference,)
        found |= {file.place: file for file in (*source.files, *references)}
    return list(found.values())


def fill(folder: Path, files: Iterable[File]) -> Counter[str]:
    """Copy each of `files` from `folder` into the cache; how many were copied, there, …"""
    return Counter(_put(folder / file.place, place(file), file.sha256) for file in files)


def _put(origin: Path, target: Path, digest: str) -> str:
    if _is_that(target, digest):
        return "there already"
    if not origin.is_file():
        return "not in the folder"
    if not _is_that(origin, digest):
        return "not the published file"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)
    return "copied"


def _is_that(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == digest


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for outcome, count in fill(Path(sys.argv[1]), wanted()).items():
        print(f"{count} published files {outcome}")
