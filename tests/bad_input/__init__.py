"""Every public entry against everything that can be wrong with its input.

One list of attempts for two readers: the tests hold each to its error and message, and the book's
page *Bad input* shows what came of them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from bad_input import arrays, files, gaps, manifests, parts, settings, systems
from bad_input.entries import ENTRIES
from bad_input.kinds import ANSWERED, KINDS, UNDEFINED, Attempt, Outcome, outcome

NO_DATA: dict[str, str] = {
    "BinaryQuantization": "has one switch",
    "Model": "is what load_model returns",
    "PAPER_MODELS": "is a list",
    "ScalarQuantization": "takes a number of bits, refused like the numbers below",
    "describe_measures": "takes nothing",
    "embed_classes": "takes a model and templates, see templates.fill",
    "geometry.MEASURES": "is a list",
    "geometry.Measure": "describes a measure",
    "geometry.Moments": "are made by other entries",
    "geometry.describe_measures": "takes nothing",
    "geometry.moment_measures": "takes moments that other entries made",
    "geometry.random_shares": "takes moments that other entries made",
    "theory.StepFactors": "is what step_factors returns",
    "theory.Trajectory": "is what simulate returns",
}
"""Public names that take no data, and why."""

NO_ENTRIES: dict[str, str] = {
    "models": "has its entry load_model at the top",
    "noise": "has its entries at the top",
    "serving": "takes files and rows, see its own tests",
    "pages": "belongs to the book",
    "plots": "draws tables that other entries made",
    "storage": "has its entries at the top",
    "sweep.run_sweep": "takes the runs that sweep.plan made",
}
"""Public modules, or parts of one, whose input comes from entries of the table, and why."""

TESTED_ELSEWHERE: dict[str, str] = {
    "covariance_between": "takes two versions of the same rows, which must agree in shape",
    "variance_between": "takes two versions of the same rows, which must agree in shape",
    "theory.expansion_error": "takes the numbers of two_clusters",
    "theory.paired_lines": "takes a size and a gap",
    "theory.step_factors": "takes four numbers",
}
"""Public names that take only numbers, which the tests of their own area cover."""


def all_attempts() -> list[Attempt]:
    """Every attempt."""
    sides = [attempt for entry in ENTRIES for attempt in arrays.attempts(entry)]
    own = [settings, files, manifests, gaps, parts, systems]
    return [*sides, *(attempt for module in own for attempt in module.attempts())]


def outcomes(attempts: Iterable[Attempt]) -> Iterator[tuple[Attempt, Outcome]]:
    """Make each of the `attempts` in an empty folder of its own."""
    for attempt in attempts:
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(attempt, Path(folder))
            yield attempt, Outcome(found.result, _plain(found.message, folder))


def grid(results: Iterable[tuple[Attempt, Outcome]], kinds: Iterable[str]) -> pd.DataFrame:
    """Entries × `kinds`: the errors' classes without the word Error, "answered", "NaN", or "–"."""
    cells: dict[str, dict[str, list[str]]] = {}
    columns = list(kinds)
    for attempt, found in results:
        if attempt.kind in columns:
            row = cells.setdefault(attempt.entry, {})
            row.setdefault(attempt.kind, []).append(found.result)
    return pd.DataFrame(
        {
            kind: {entry: _cell(row.get(kind, [])) for entry, row in cells.items()}
            for kind in columns
        }
    )


def summary(results: Iterable[tuple[Attempt, Outcome]], kinds: Iterable[str]) -> pd.DataFrame:
    """A row for each of `kinds`: what is wrong, how many entries met it, and what came of it."""
    found = list(results)
    rows = {}
    for kind in kinds:
        ends = [
            (attempt.entry, outcome.result) for attempt, outcome in found if attempt.kind == kind
        ]
        answered, undefined = (
            sum(result == end for _, result in ends) for end in (ANSWERED, UNDEFINED)
        )
        rows[kind] = {
            "what is wrong": KINDS[kind],
            "entries": len({entry for entry, _ in ends}),
            "refused": len(ends) - answered - undefined,
            "answered": f"{answered}, NaN {undefined}" if undefined else str(answered or "–"),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def room(entry: str) -> str:
    """Where a reader looks for `entry`.

    >>> room("geometry.alignment"), room("MeanShift.fit"), room("load_model (a folder)")
    ('Measures', 'Closings', 'Data, models and files')
    """
    plain = entry.partition(" ")[0]
    if plain.startswith(("geometry.", "GapStatistics", "gap_vector", "measure_gap")):
        return "Measures"
    if plain.startswith("theory."):
        return "Theory"
    if plain.endswith((".fit", ".transform")) or plain.startswith(("closing.", "fit_")):
        return "Closings"
    if re.search(
        r"load|read_|embed|datasets|templates|folder|shards|sweep|as_choices", plain, re.I
    ):
        return "Data, models and files"
    return "Tasks, noise and comparisons"


def by_room(
    results: Iterable[tuple[Attempt, Outcome]], kinds: Iterable[str]
) -> dict[str, pd.DataFrame]:
    """The `grid` in parts, one for each room, entries by name."""
    whole = grid(results, kinds)
    parts = whole.groupby(room)
    return {str(name): part.sort_index(key=lambda names: names.str.lower()) for name, part in parts}


def messages(results: Iterable[tuple[Attempt, Outcome]]) -> pd.DataFrame:
    """One row for each kind and message: what it says, and how many attempts end with it."""
    counts: dict[tuple[str, str, str], int] = {}
    for attempt, found in results:
        if found.message:
            key = (attempt.kind, found.result, _shape(found.message))
            counts[key] = counts.get(key, 0) + 1
    rows = [(*key, count) for key, count in counts.items()]
    frame = pd.DataFrame(rows, columns=["kind", "error", "message", "attempts"])
    order = {kind: place for place, kind in enumerate(KINDS)}
    return frame.sort_values(
        ["kind", "attempts"], key=lambda c: c.map(order) if c.name == "kind" else -c
    ).reset_index(drop=True)


def _cell(results: list[str]) -> str:
    return ", ".join(sorted({name.removesuffix("Error") for name in results})) or "–"


def _plain(message: str, folder: str) -> str:
    return message.replace(str(Path(folder).resolve()), "…").replace(folder, "…")


def _shape(message: str) -> str:
    """The message's beginning with the name of the argument left open."""
    line = message.splitlines()[0]
    line = re.sub(r"^[a-z_0-9]+(, [a-z_]+)?: ", "NAME: ", line)
    return line if len(line) <= 160 else f"{line[:157]}…"


__all__ = [
    "ANSWERED",
    "KINDS",
    "NO_DATA",
    "NO_ENTRIES",
    "TESTED_ELSEWHERE",
    "Attempt",
    "Outcome",
    "all_attempts",
    "grid",
    "messages",
    "outcomes",
]
