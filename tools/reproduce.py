"""Run the pages behind the paper map again and compare what they measure with the committed values.

    python tools/reproduce.py [--from _build/jupyter_execute/notebooks] [page …]
    python tools/reproduce.py --update [page …]

Every value that `book/paper_map.md` shows is in `book/_data/reproduce.json` with what other runs of
the same page gave: on two threads instead of one, and with other seeds (for pages of many seeds,
with fewer and with more of them). A number reproduces if it is as near to the committed one as
twice the furthest of those runs, or to a thousandth; a word if one of those runs said it. `--from`
takes pages that a build of the book has executed instead of running them; `--update` measures the
values and their spread anew.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaputils._files import write_text

ROOT = Path(__file__).resolve().parents[1]
MAP, STORED, PAGES = ROOT / "book/paper_map.md", ROOT / "book/_data/reproduce.json", "notebooks"
RELATIVE, ABSOLUTE, FACTOR = 1e-3, 1e-8, 2.0

Value = float | str


@dataclass(frozen=True)
class Finding:
    """One value of the map: committed, how far it may be off, found, and whether that fits."""

    page: str
    key: str
    committed: Value
    tolerance: float | None
    found: Value | None

    @property
    def same(self) -> bool:
        return self.found is not None and self.off is not None and self.off <= 1

    @property
    def off(self) -> float | None:
        """The difference in units of the tolerance; for words 0 or infinite; None if missing."""
        if self.found is None:
            return None
        if isinstance(self.committed, str) or isinstance(self.found, str):
            return 0.0 if self.found == self.committed else float("inf")
        return abs(self.found - self.committed) / (self.tolerance or ABSOLUTE)


def mapped(text: str) -> dict[str, list[str]]:
    """The keys that the map's `text` shows, by page, in order and once each."""
    shown: dict[str, list[str]] = {}
    for page, key in re.findall(r"\{glue:text\}`\.\./notebooks/(\w+)\.md::(\w+):", text):
        keys = shown.setdefault(page, [])
        if key not in keys:
            keys.append(key)
    return shown


def tolerance(value: Value, seen: Sequence[Value]) -> float | None:
    """How far a number may be from `value`, given what other runs gave; None for words."""
    if isinstance(value, str):
        return None
    furthest = max((abs(other - value) for other in seen if isinstance(other, float)), default=0.0)
    return max(FACTOR * furthest, RELATIVE * abs(value), ABSOLUTE)


def compare(
    stored: Mapping[str, Mapping[str, Mapping[str, Any]]],
    found: Mapping[str, Mapping[str, Value]],
) -> list[Finding]:
    """Each committed value of the pages in `found` beside what was found now."""
    findings = []
    for page, values in found.items():
        for key, entry in stored.get(page, {}).items():
            value, seen, now = entry["value"], entry["seen"], values.get(key)
            committed = now if isinstance(value, str) and now in seen else value
            findings.append(Finding(page, key, committed, tolerance(value, seen), now))
    return findings


def unknown(
    shown: Mapping[str, Sequence[str]], stored: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What the map shows and the committed values lack, or the other way round."""
    here = {(page, key) for page, keys in shown.items() for key in keys}
    there = {(page, key) for page, entries in stored.items() for key in entries}
    return sorted(
        [f"{page}::{key} has no committed value" for page, key in here - there]
        + [f"{page}::{key} is not in the map" for page, key in there - here]
    )


def run(page: str, parameters: Mapping[str, Any], threads: int = 1) -> dict[str, Value]:
    """What `page` glues with `parameters`, executed on so many threads."""
    from gaputils.sweep.grid import Run
    from gaputils.sweep.run import execute

    os.environ |= {"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        record = execute(Run(ROOT / PAGES / f"{page}.md", dict(parameters)), Path(folder), "")
    if record["error"]:
        raise RuntimeError(f"{page} with {dict(parameters)} failed: {record['error']}")
    values: dict[str, Value] = record["values"]
    return values


def built(folder: Path, page: str) -> dict[str, Value]:
    """What `page` glued when the book was built: myst-nb keeps it beside the notebook."""
    from gaputils.sweep.results import values_of

    outputs = json.loads((folder / f"{page}.glue.json").read_text(encoding="utf-8"))
    return values_of(outputs.values())


def variations(page: str) -> list[tuple[dict[str, Any], int]]:
    """Parameters and threads of the runs that tell how far the values of `page` spread."""
    import papermill

    known = papermill.inspect_notebook(str(ROOT / PAGES / f"{page}.ipynb"))
    if "seed" in known:
        others: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2}]
    else:
        count = int(known["seeds"]["default"])
        others = [{"seeds": 2 * count // 3}, {"seeds": 4 * count // 3}]
    return [({}, 2), *((other, 1) for other in others)]


def measure(page: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The values of `page` and what its other runs gave, but for what only repeats a setting."""
    values = run(page, {})
    seen: dict[str, list[Value]] = {key: [] for key in keys}
    for parameters, threads in variations(page):
        other = run(page, parameters, threads)
        for key in keys:
            if key in other and other[key] not in parameters.values():
                seen[key].append(other[key])
    return {key: {"value": values[key], "seen": seen[key]} for key in keys}


def report(findings: Sequence[Finding]) -> str:
    """A line for each value, those that do not reproduce first."""
    lines = []
    for found in sorted(findings, key=lambda f: f.same):
        word = "same" if found.same else "MISSING" if found.found is None else "DIFFERS"
        allowed = "" if found.tolerance is None else f" ± {found.tolerance:.2g}"
        committed, now = _short(found.committed), _short(found.found)
        lines.append(f"{word:8} {found.page}::{found.key}: {committed}{allowed}, now {now}")
    return "\n".join(lines)


def _short(value: Value | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or measure anew; the exit status says whether all is the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="*", help="some of the map's pages; all if left out")
    parser.add_argument("--update", action="store_true", help="measure the committed values anew")
    parser.add_argument("--from", dest="executed", type=Path, help="a folder of executed pages")
    options = parser.parse_args(arguments)
    shown = mapped(MAP.read_text(encoding="utf-8"))
    pages = options.pages or list(shown)
    strangers = sorted(set(pages) - set(shown))
    if strangers:
        parser.error(f"pages: expected some of {', '.join(shown)}, got {', '.join(strangers)}")
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.is_file() else {}
    if options.update:
        for page in pages:
            print(f"measuring {page}", flush=True)
            stored[page] = measure(page, shown[page])
            ordered = {name: stored[name] for name in shown if name in stored}
            STORED.parent.mkdir(exist_ok=True)
            write_text(STORED, json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
        return 0
    found = {
        page: run(page, {}) if options.executed is None else built(options.executed, page)
        for page in pages
    }
    findings = compare(stored, found)
    print(report(findings))
    open_ends = [line for line in unknown(shown, stored) if line.split("::")[0] in pages]
    print("\n".join(open_ends))
    wrong = [finding for finding in findings if not finding.same]
    print(f"{len(findings) - len(wrong)} of {len(findings)} values are the same")
    return 1 if wrong or open_ends else 0


if __name__ == "__main__":
    sys.exit(main())
