"""List the mutants that no test noticed, each with the reason why it may live.

    python tools/survivors.py [--explained tests/survivors.yml] [--write tests/survivors.md]

After `mutmut run` in the current folder. Every survivor must match a rule of the list: the
function's name (a pattern with `*`), and a regular expression found in its diff's removed and added
lines. A survivor without a reason is an error, and so is, once all of the core was changed, a rule
that no survivor needs any more. `--write` lists every survivor under its reason.

mutmut tests a mutant in a fork of a process that has run the tests before. A test that uses several
threads can wait for ever there, whatever the mutant, so one that did not end is tested once more in
a process of its own.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gaputils._files import write_text

LINE = re.compile(r"^\s*(?P<name>[\w.ǁ]+__mutmut_\d+): (?P<status>[\w ]+)$")
KILLED = {"killed", "timeout", "caught by type check"}


@dataclass(frozen=True)
class Survivor:
    """A mutant that lived: the function that it changes, and the lines before and after."""

    function: str
    change: str


def mutmut(*arguments: str) -> str:
    """What mutmut prints."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def parse_results(text: str) -> dict[str, str]:
    """The status of each mutant that `mutmut results` lists."""
    found = map(LINE.match, text.splitlines())
    return {match["name"]: match["status"] for match in found if match}


def function_of(name: str) -> str:
    """`gaputils.closing.hull.HullProjection._ratio` for mutmut's name of one of its mutants."""
    module, _, function = name.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{function.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def parse_diff(text: str) -> str:
    """The lines that a diff removes and adds, with their signs."""
    kept = [line for line in text.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in kept)


def status_alone(name: str, seconds: float = 300) -> str:
    """The status of a mutant whose tests run in a process of their own, not in a fork."""
    folder = Path("mutants")
    stats = json.loads((folder / "mutmut-stats.json").read_text(encoding="utf-8"))
    tests = stats["tests_by_mangled_function_name"][name.rpartition("__mutmut_")[0]]
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    command = [sys.executable, "-m", "pytest", *settings["pytest_add_cli_args"], *tests]
    environment = {**os.environ, "MUTANT_UNDER_TEST": name}
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    if "ERROR collecting" in ended.stdout:  # what cannot be imported is noticed, too
        return "killed"
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {ended.returncode} for {name}:\n{ended.stdout}")
    return "killed" if ended.returncode else "survived"


def explain(survivor: Survivor, rules: list[dict[str, Any]]) -> int | None:
    """The place of the first rule that fits, or None."""
    for place, rule in enumerate(rules):
        named = any(fnmatch.fnmatch(survivor.function, pattern) for pattern in rule["in"])
        if named and any(re.search(change, survivor.change) for change in rule["change"]):
            return place
    return None


def listing(mutants: int, rules: list[dict[str, Any]], explained: list[list[Survivor]]) -> str:
    """The survivors under their reasons, as Markdown."""
    alive = sum(map(len, explained))
    parts = [
        "# Mutants that no test notices",
        f"Of {mutants:,} changes to the core, {mutants - alive:,} failed a test or did not end. "
        f"The other {alive} are listed by the reason why they may live.",
    ]
    for rule, found in zip(rules, explained, strict=True):
        parts.append(f"## {rule['why']}")
        parts += [f"`{one.function}`\n\n```diff\n{one.change}\n```" for one in found]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Compare the survivors with the explained ones; 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--explained", type=Path, default=Path("tests/survivors.yml"))
    parser.add_argument("--write", type=Path, help="a Markdown file for the list")
    asked = parser.parse_args()
    rules: list[dict[str, Any]] = yaml.safe_load(asked.explained.read_text(encoding="utf-8"))
    every = parse_results(mutmut("results", "--all", "true"))
    statuses = {name: status for name, status in every.items() if status != "not checked"}
    hung = [name for name, status in statuses.items() if status == "timeout"]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        statuses |= zip(hung, threads.map(status_alone, hung), strict=True)
    counts = Counter(statuses.values())
    print(", ".join(f"{count} {status}" for status, count in counts.most_common()))
    explained: list[list[Survivor]] = [[] for _ in rules]
    bare = 0
    for name, status in statuses.items():
        if status in KILLED:
            continue
        survivor = Survivor(function_of(name), parse_diff(mutmut("show", name)))
        place = explain(survivor, rules)
        if place is None:
            bare += 1
            print(f"\nno reason is given for {name} ({status})\n{survivor.change}")
        else:
            explained[place].append(survivor)
    for rule, found in zip(rules, explained, strict=True):
        print(f"{len(found):4} {rule['why']}")
    if asked.write:
        write_text(asked.write, listing(len(statuses), rules, explained))
    left = len(every) - len(statuses)
    if left:
        print(f"{left:,} changes in other rooms were not tried")
    idle = [rule["why"] for rule, found in zip(rules, explained, strict=True) if not found]
    unused = [] if left else idle
    if unused:
        print("\nno survivor needs these reasons any more:", *unused, sep="\n- ")
    return int(bool(bare or unused or not statuses))


if __name__ == "__main__":
    raise SystemExit(main())
