"""What the package weighs once it is installed: its core, and each extra beside that.

`python tools/weight.py` reads the metadata of the packages that are installed here, so that all
extras have to be, and prints the megabytes of the files that each set brings.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import Distribution, distribution, distributions

from packaging.requirements import Requirement

NAME = "gaputils"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def installed() -> dict[str, Distribution]:
    """Every package that is installed here, by its name in plain letters."""
    return {_plain(found.metadata["Name"]): found for found in distributions()}


def needed(name: str, extra: str = "", without: str = "") -> set[str]:
    """The installed packages that `name` with its `extra` needs, itself among them.

    What only `without` needs is left out.
    """
    seen, todo = set(), [(_plain(name), frozenset([extra]))]
    while todo:
        package, extras = todo.pop()
        if (package, extras) in seen or package not in installed() or package == without:
            continue
        seen.add((package, extras))
        for line in installed()[package].requires or []:
            asked = Requirement(line)
            if not asked.marker or any(asked.marker.evaluate({"extra": e}) for e in extras):
                todo.append((_plain(asked.name), frozenset(asked.extras or {""})))
    return {package for package, _ in seen}


def megabytes(package: str) -> float:
    """The size of the files of an installed `package`."""
    found = installed()[package]
    places = [found.locate_file(file) for file in found.files or []]
    return sum(place.stat().st_size for place in places if place.is_file()) / 1e6


def weights() -> dict[str, float]:
    """Megabytes of the core without PyTorch and what only that needs, of those, and of each extra.

    An extra's are those beside the core and PyTorch.
    """
    everything, light = needed(NAME), needed(NAME, without="torch")
    sets = {"core": light, "torch": everything - light}
    for extra in distribution(NAME).metadata.get_all("Provides-Extra") or []:
        sets[extra] = needed(NAME, extra) - everything
    return {name: sum(map(megabytes, packages)) for name, packages in sets.items()}


if __name__ == "__main__":
    for name, size in weights().items():
        print(f"{name:13} {size:6.0f} MB")
