"""What the package weighs once it is installed: its core, and each extra beside that.

`python tools/weight.py` follows `pyproject.toml` through the packages that are installed here, so
that all extras have to be, and prints the megabytes of the files that each set brings.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def installed() -> dict[str, Distribution]:
    """Every package that is installed here, by its name in plain letters."""
    return {_plain(found.metadata["Name"]): found for found in distributions()}


def needed(lines: Iterable[str], without: str = "") -> set[str]:
    """The installed packages that the requirements `lines` ask for, and what these need in turn.

    What only `without` needs is left out.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(line, frozenset({""})) for line in lines]
    while todo:
        line, within = todo.pop()
        asked = Requirement(line)
        name, extras = _plain(asked.name), frozenset(asked.extras or {""})
        if asked.marker and not any(asked.marker.evaluate({"extra": e}) for e in within):
            continue
        if name == PROJECT["name"]:
            todo += [(more, frozenset({""})) for extra in extras for more in EXTRAS[extra]]
        elif name in installed() and name != without and (name, extras) not in seen:
            seen.add((name, extras))
            todo += [(more, extras) for more in installed()[name].requires or []]
    return {name for name, _ in seen}


@cache
def megabytes(package: str) -> float:
    """The size of the files of an installed `package`, and of what they are compiled to."""
    found = installed()[package]
    places = {Path(str(found.locate_file(file))) for file in found.files or []}
    places |= {Path(cache_from_source(place)) for place in places if place.suffix == ".py"}
    return sum(place.stat().st_size for place in places if place.is_file()) / 1e6


def weights() -> dict[str, float]:
    """Megabytes of the core without PyTorch and what only that needs, of those, and of each extra.

    The core's are with the package's own files, an extra's those beside the core and PyTorch.
    """
    core = PROJECT["dependencies"]
    everything, light = needed(core), needed(core, without="torch")
    sets = {"core": light, "torch": everything - light}
    sets |= {extra: needed(lines) - everything for extra, lines in EXTRAS.items()}
    sizes = {name: sum(map(megabytes, packages)) for name, packages in sets.items()}
    own = (file for file in (ROOT / "gaputils").rglob("*") if file.is_file())
    sizes["core"] += sum(file.stat().st_size for file in own if file.suffix != ".pyc") / 1e6
    return sizes


if __name__ == "__main__":
    for name, size in weights().items():
        print(f"{name:13} {size:6.0f} MB")
