"""The reference lists every public name once, and nothing that only the book calls."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import gaputils

pytest.importorskip("sphinx", reason="the book's own packages are not installed")
import book_listing

API = Path(__file__).resolve().parents[2] / "book" / "api"
LISTING = re.compile(r"^\.\. gaputils-listing:: (\w+)$", re.MULTILINE)
ENTRY = re.compile(r"^\.\. (currentmodule|auto\w+):: ([\w.]+)$", re.MULTILINE)
MODULES = {name for name in gaputils.__all__ if inspect.ismodule(getattr(gaputils, name))}


def entries() -> list[tuple[str, str]]:
    """Module and name of every entry, in the order of the pages."""
    found = []
    for page in sorted(API.glob("*.md")):
        module, text = "", page.read_text(encoding="utf-8")
        written = LISTING.sub(lambda match: "\n".join(getattr(book_listing, match[1])()), text)
        for kind, name in ENTRY.findall(written):
            if kind == "currentmodule":
                module = name
            else:
                found.append((module, name))
    return found


LISTED = entries()


def thing(module: str, name: str) -> object:
    return getattr(importlib.import_module(module), name)


def test_there_are_six_pages_and_every_entry_can_be_imported_and_stands_once() -> None:
    assert len(list(API.glob("*.md"))) == 6
    things = [id(thing(*entry)) for entry in LISTED]
    assert len(things) > 100
    assert len(things) == len(set(things))


def test_every_exported_name_is_listed_as_it_is_called() -> None:
    listed = {name for module, name in LISTED if module == "gaputils"}
    constants = {name for module, name in LISTED if module.count(".") > 1}
    exported = {name for name in gaputils.__all__ if name[0] != "_"} - MODULES
    assert exported - constants == listed


@pytest.mark.parametrize("module", sorted(MODULES - {"pages", "plots"}))
def test_every_public_name_of_a_module_is_listed(module: str) -> None:
    room = importlib.import_module(f"gaputils.{module}")
    listed = {id(thing(*entry)) for entry in LISTED}
    public = {name: getattr(room, name) for name in getattr(room, "__all__", ())}
    modules = {name for name, it in public.items() if inspect.ismodule(it)}
    assert {name for name, it in public.items() if id(it) not in listed} == modules


def test_what_only_the_book_calls_is_not_listed() -> None:
    homes = [getattr(thing(*entry), "__module__", "") for entry in LISTED]
    assert not [home for home in homes if home.startswith("gaputils.pages")]
