"""The address of the repository stands in pyproject.toml; here the others are checked or moved.

Without an argument, name the files in which another address stands. With OWNER/NAME, write that
one's addresses everywhere, which is what a fork's workflows do before they build its site. The
notebooks' first cells take another source from the variable GAPUTILS_SOURCE as they are.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = (".cff", ".ipynb", ".json", ".md", ".py", ".svg", ".toml", ".yml", ".yaml", ".js", ".txt")
OWNER, NAME = r"[\w-]+", r"[\w.-]*?[\w-]"


def addresses(root: Path = ROOT) -> tuple[str, str]:
    """The addresses of the repository and of the site, as pyproject.toml has them."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    return urls["Repository"], urls["Documentation"]


def site(repository: str) -> str:
    """Where GitHub serves the pages of a repository.

    >>> site("https://github.com/me/gap")
    'https://me.github.io/gap/'
    """
    owner, name = repository.split("/")[-2:]
    return f"https://{owner}.github.io/{name}/"


def texts(root: Path = ROOT) -> list[Path]:
    """The tracked files that hold text."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return [root / name for name in listed if name.endswith(TEXTS)]


def strays(root: Path = ROOT) -> list[str]:
    """ "FILE: ADDRESS" for each address of a repository or site of this name that is another's."""
    repository, documentation = addresses(root)
    name = re.escape(repository.rpartition("/")[2])
    ours = re.compile(rf"https://github\.com/{OWNER}/{name}\b|https://{OWNER}\.github\.io/{name}/?")
    known = {repository, documentation, documentation.rstrip("/")}
    return [
        f"{path.relative_to(root)}: {found}"
        for path in texts(root)
        for found in ours.findall(path.read_text(encoding="utf-8"))
        if found not in known
    ]


def move(target: str, root: Path = ROOT) -> int:
    """Write the addresses of `target`, OWNER/NAME, everywhere; the number of files changed."""
    if not re.fullmatch(rf"{OWNER}/{NAME}", target):
        raise ValueError(f"expected OWNER/NAME, got {target!r}")
    repository, documentation = addresses(root)
    moved = f"https://github.com/{target}"
    changed = 0
    for path in texts(root):
        old = path.read_text(encoding="utf-8")
        new = re.sub(rf"{re.escape(repository)}(?![\w-])", moved, old)
        new = new.replace(documentation.rstrip("/"), site(moved).rstrip("/"))
        if new != old:
            path.write_text(new, encoding="utf-8")
            changed += 1
    return changed


def main() -> int:
    """Check, or move to the repository that is named."""
    if len(sys.argv) > 1:
        print(f"{move(sys.argv[1])} files name {sys.argv[1]}")
        return 0
    found = strays()
    print("\n".join(found) or f"every address is {addresses()[0]}")
    return len(found) > 0


if __name__ == "__main__":
    sys.exit(main())
