"""Every public entry × everything that can be wrong with its input: a cell a test."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

import bad_input
import gaputils as gu
from bad_input.arrays import good
from bad_input.entries import ENTRIES
from bad_input.files import SOURCES
from bad_input.kinds import is_defined

pytestmark = pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")

ROOT = Path(__file__).resolve().parents[2]

CELLS: dict[tuple[str, str], list[bad_input.Attempt]] = defaultdict(list)
for attempt in bad_input.all_attempts():
    CELLS[attempt.entry, attempt.kind].append(attempt)


@pytest.mark.parametrize(("entry", "kind"), list(CELLS))
def test_a_cell(entry: str, kind: str) -> None:
    wrong = []
    for attempt, found in bad_input.outcomes(CELLS[entry, kind]):
        fits = found.result == attempt.expected
        if fits and found.message:
            fits = re.search(attempt.message, found.message) is not None
        if not fits:
            wrong.append((attempt.variant, attempt.expected, attempt.message, found))
    assert not wrong


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_good_rows_are_answered(entry: Any) -> None:
    """Without what was spoilt every call succeeds: the errors are not for another reason."""
    sides = good()[: len(entry.sides)]
    assert is_defined(entry.call(*sides))
    assert is_defined(entry.call(*(torch.tensor(side).float() for side in sides)))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.entry)
def test_a_whole_file_is_read(source: Any, tmp_path: Path) -> None:
    source.read(source.make(tmp_path))


@pytest.mark.parametrize(
    "name",
    ["robustness", "certified_radius", "scoring.nearest", "tasks.top_k", "accuracy_under_noise"],
)
def test_one_query_is_answered_as_among_others(name: str) -> None:
    calls = {entry.name: entry.call for entry in ENTRIES}
    calls["accuracy_under_noise"] = lambda q, g: gu.accuracy_under_noise(
        q, g, [0] * len(q), gu.GaussianNoise(0.1)
    )
    queries, gallery = good()
    among, alone = calls[name](queries, gallery), calls[name](queries[:1], gallery)
    torch.testing.assert_close(alone, among[:1])


def public() -> set[str]:
    """Every public name that is no module, as the table spells it."""
    spaces = {"": gu, "theory.": gu.theory, "geometry.": gu.geometry}
    listed = {
        "": [name for name in dir(gu) if not name.startswith("_")],
        "theory.": gu.theory.__all__,
        "geometry.": gu.geometry.__all__,
    }
    own = {
        f"{space}{name}"
        for space, names in listed.items()
        for name in names
        if not inspect.ismodule(getattr(spaces[space], name))
    }
    top = {name for name in own if "." not in name}
    again = {name for name in own if "." in name and name.split(".")[1] in top}
    return (own - again) | {"closing.load", "datasets.load", "datasets.published"}


def named(entry: str) -> set[str]:
    """The public names that an entry of the table may stand for."""
    plain = re.split(r"[ ,(]", entry)[0]
    return {plain, plain.split(".")[0]}


def test_every_public_entry_is_in_the_table() -> None:
    covered = {name for entry, _ in CELLS for name in named(entry)}
    excused = set(bad_input.NO_DATA) | set(bad_input.TESTED_ELSEWHERE)
    assert public() - covered - excused == set()


def test_every_public_module_is_in_the_table_or_excused() -> None:
    modules = {name for name in dir(gu) if inspect.ismodule(getattr(gu, name))}
    covered = {name for entry, _ in CELLS for name in named(entry)}
    excused = {name.split(".")[0] for name in bad_input.NO_ENTRIES}
    assert modules - covered - excused == set()


def test_no_excuse_is_stale() -> None:
    covered = {entry for entry, _ in CELLS}
    excused = set(bad_input.NO_DATA) | set(bad_input.TESTED_ELSEWHERE)
    assert excused & covered == set()


def test_every_kind_has_cells() -> None:
    assert {kind for _, kind in CELLS} == set(bad_input.KINDS)


def test_the_table_shows_what_came_of_it() -> None:
    some = [a for a in bad_input.all_attempts() if a.entry == "gap_vector"]
    results = list(bad_input.outcomes(some))
    table = bad_input.grid(results, bad_input.KINDS)
    assert table.loc["gap_vector", "NaN"] == "Value"
    assert table.loc["gap_vector", "one row"] == bad_input.ANSWERED
    assert table.loc["gap_vector", "truncated"] == "–"
    counts = bad_input.summary(results, ["NaN", "one row", "truncated"])
    kinds = [attempt.kind for attempt in some]
    assert counts.loc["NaN", "entries"] == 1
    assert counts.loc["NaN", "refused"] == kinds.count("NaN")
    assert counts.loc["NaN", "answered"] == "–"
    assert counts.loc["one row", "answered"] == str(kinds.count("one row"))
    assert counts.loc["truncated", "entries"] == 0
    (room,) = bad_input.by_room(results, ["NaN"])
    assert room == "Measures"
    words = bad_input.messages(results)
    assert words["attempts"].sum() == sum(bool(found.message) for _, found in results)
    assert words["message"].str.startswith("NAME: expected").all()
