"""The rooms of the package: few, each using only those below it, every name at its place."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gaputils
import stubs

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "gaputils"

# From the top of the house to its cellar: a room imports from those after it alone.
ORDER = (
    "pages",
    "cli",
    "evaluation",
    "encoding",
    "closing",
    "serving",
    "models",
    "tiny_openmoji",
    "sweep",
    "geometry",
    "noise",
    "tasks",
    "plots",
    "theory",
    "datasets",
    "storage",
    "scoring",
    "embeddings",
    "_steps",
    "_files",
    "_reading",
    "_extras",
    "_progress",
    "_checks",
)


def rooms() -> set[str]:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    return found - {"__init__", "__pycache__", "data"}


def imports() -> Iterator[tuple[str, str, Path]]:
    """Every import of one room in another, wherever in the file it stands."""
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            head, _, rest = node.module.partition(".")
            if head == "gaputils":
                names = [rest.partition(".")[0]] if rest else [name.name for name in node.names]
                yield from ((room, name, path) for name in names if name != room)


def test_the_rooms_are_those_of_the_order_and_few() -> None:
    assert rooms() == set(ORDER)
    assert len(rooms()) <= 24


def test_no_import_runs_upward() -> None:
    place = {room: i for i, room in enumerate(ORDER)}
    upward = [(a, b, str(path)) for a, b, path in imports() if place[a] > place[b]]
    assert upward == []


def test_every_function_is_defined_once() -> None:
    """A name that is public at the top lives in one module, which is the one it names."""
    for name in gaputils.__all__:
        thing = getattr(gaputils, name)
        home = getattr(thing, "__module__", None)
        if home is not None and not isinstance(thing, (str, dict)):
            assert getattr(sys.modules[home], name) is thing, name


@pytest.mark.parametrize("stub", stubs.STUBS, ids=lambda stub: stub.parent.name)
def test_the_stubs_name_every_closing_and_measure(stub: Path) -> None:
    assert stubs.missing(stub) == [], f"run `make stubs`, which writes them in {stub.name}"


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_every_name_is_there_in_a_fresh_interpreter_in_any_order(seed: int) -> None:
    names = sorted(gaputils.__all__)
    random.Random(seed).shuffle(names)
    code = "import gaputils as gu, types\n" + "\n".join(f"gu.{name}" for name in names)
    code += "\nfor name in ('robustness', 'embed', 'report'):\n"
    code += "    assert isinstance(getattr(gu, name), types.FunctionType), name"
    subprocess.run([sys.executable, "-c", code], check=True)


# What tells how probably an answer survives a noise.
ENGINE = {"robustness", "estimate", "accuracy_under_noise", "answers_under", "ExactWins"}
# Closings are compared in `evaluation/compare.py` alone. These ask the engine for something else:
ASKS_THE_ENGINE = {
    "evaluation/curve.py": "a line from the original to a closing and on, from shared products",
    "pages/multiple_choice.py": "each query has a gallery of its own",
    "pages/exact_robustness/bounds.py": "the engine itself, between its bounds",
    "pages/exact_robustness/cost.py": "the engine itself, against sampling",
    "pages/exact_robustness/grid.py": "the engine itself, against a grid",
    "pages/explorer/boundary.py": "one image and two texts in the plane, nothing closed",
    "pages/explorer/closing.py": "a line as in `evaluation/curve.py`, query by query for its error",
    "pages/speed/contenders.py": "the engine is timed",
    "pages/why_distance_hurts.py": "galleries that are moved away, nothing closed",
}


def test_what_a_closing_is_worth_is_computed_at_one_place() -> None:
    asking = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if place == "evaluation/compare.py" or place.startswith("noise/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", ""))
            if name in ENGINE:
                asking.add(place)
    assert asking == set(ASKS_THE_ENGINE), (
        "ask `compare_closings` or `compare_blocks` what a closing is worth; what asks the engine "
        "for something else has a line with its reason in ASKS_THE_ENGINE of tests/test_house.py"
    )


def test_the_map_for_contributors_is_that_of_the_house() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `(\w+)` \|.*\|.*\|$", text, re.MULTILINE)) == ORDER


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    root = PACKAGE.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:notebooks|tests|tools|book|grids|gaputils)/[\w./]*|_toc.yml)`", text)
    paths = [name for name in named if "/a/" not in name and "my_" not in name]
    assert len(paths) > 8
    assert [name for name in paths if not (root / name).exists()] == []
    targets = re.findall(r"`make (\w+)`", text)
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets if f"\n{name}:" not in makefile] == []


def place_of_test(module: Path) -> Path:
    """Where `module`, relative to the package, is tested; a page and its figures in one file."""
    folder, name = module.parent, module.stem.removeprefix("_")
    if folder.parts[:1] == ("pages",):
        below = module.relative_to("pages/figures" if "figures" in folder.parts else "pages")
        folder, name = Path("pages"), below.parts[0].removesuffix(".py")
    return folder / f"test_{name}.py"


def test_every_module_has_the_test_file_of_its_name() -> None:
    modules = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    lacking = [
        f"gaputils/{path.as_posix()} has no tests/{place_of_test(path).as_posix()}"
        for path in modules
        if path.name != "__init__.py" and not (TESTS / place_of_test(path)).is_file()
    ]
    assert lacking == []
