"""Release the version that `gaputils.__version__` names: date it, build it, check it, tag it.

The version stands in one place, gaputils/__init__.py; CHANGELOG.md has a section for it whose date
is "unreleased", and CITATION.cff and book/cite.md name it (a test sees to that). This writes the
date into the first two, builds the wheel and the source, sees that the wheel is whole and of that
version, commits and tags. Nothing is pushed.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNRELEASED = "unreleased"


def version(root: Path = ROOT) -> str:
    """The version of the package in `root`, read without importing it."""
    text = (root / "gaputils" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__ = (.+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError("gaputils/__init__.py: it names no __version__")
    return str(ast.literal_eval(found[1]))


def heading(number: str, date: str = UNRELEASED) -> str:
    """The changelog's heading of a version.

    >>> heading("0.2.0")
    '## 0.2.0 – unreleased'
    """
    return f"## {number} – {date}"


def date_files(root: Path, number: str, today: str) -> None:
    """Write the date of release into changelog and citation. Raises `ValueError` if it is dated."""
    changes, citation = root / "CHANGELOG.md", root / "CITATION.cff"
    text = changes.read_text(encoding="utf-8")
    if text.count(heading(number) + "\n") != 1:
        raise ValueError(f"{changes.name}: expected one heading {heading(number)!r}")
    changes.write_text(text.replace(heading(number), heading(number, today)), encoding="utf-8")
    cited = re.sub(r"^date-released: .*\n", "", citation.read_text(encoding="utf-8"), flags=re.M)
    named = f"version: {number}\n"
    if named not in cited:
        raise ValueError(f"{citation.name}: expected {named.strip()!r}")
    dated = cited.replace(named, f'{named}date-released: "{today}"\n')
    citation.write_text(dated, encoding="utf-8")


def check_wheel(path: Path, number: str) -> None:
    """Raise `ValueError` unless the wheel is whole, of that version, typed and licensed."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        meta = next(name for name in names if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(meta).decode("utf-8"))
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{path.name}: {damaged} is damaged")
    if told["Version"] != number:
        raise ValueError(f"{path.name}: expected version {number}, got {told['Version']}")
    for wanted in ("gaputils/py.typed", "gaputils/serving.py"):
        if wanted not in names:
            raise ValueError(f"{path.name}: it lacks {wanted}")
    if not any(name.endswith("LICENSE") for name in names):
        raise ValueError(f"{path.name}: it lacks its licence")


def main() -> int:
    """Release, or with --dry-run say what would be released."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="build and check, change nothing")
    asked = parser.parse_args()
    number, today = version(), datetime.datetime.now(datetime.UTC).date().isoformat()
    tag = f"v{number}"
    if git("tag", "--list", tag):
        raise SystemExit(f"{tag} is there: raise __version__ in gaputils/__init__.py first")
    if git("status", "--porcelain"):
        raise SystemExit("the working tree has changes: commit them first")
    if not asked.dry_run:
        date_files(ROOT, number, today)
    dist = ROOT / "_build" / "dist" / number
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    subprocess.run(build, check=True)
    for wheel in dist.glob("*.whl"):
        check_wheel(wheel, number)
    if not asked.dry_run:
        git("commit", "--quiet", "--all", "--message", f"Release {number}")
        git("tag", "--annotate", tag, "--message", f"gaputils {number}")
        print(f"{tag} is tagged; push it with: git push --follow-tags")
    print(f"{dist}: {', '.join(sorted(path.name for path in dist.iterdir()))}")
    return 0


def git(*arguments: str) -> str:
    """What git says to the `arguments`."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
