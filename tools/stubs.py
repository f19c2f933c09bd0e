"""Write the lines of the package's stubs that follow from its code, or check that they are there.

`gaputils/__init__.pyi` names every closing that `gaputils.closing` imports, and
`gaputils/geometry/__init__.pyi` every public function of `geometry.clouds` and `geometry.pairs`.
All other lines are written by hand.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "gaputils"
STUBS = {
    PACKAGE / "__init__.pyi": [PACKAGE / "closing"],
    PACKAGE / "geometry" / "__init__.pyi": [
        PACKAGE / "geometry" / "clouds.py",
        PACKAGE / "geometry" / "pairs.py",
    ],
}


def names(source: Path) -> list[str]:
    """The closings that a room imports, or the public functions that a file defines."""
    if source.is_dir():
        from gaputils import closing

        return sorted(set(closing.registered()) & set(closing.__all__))
    body = ast.parse(source.read_text(encoding="utf-8")).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return sorted(name for name in functions if name[0] != "_")


def missing(stub: Path) -> list[str]:
    """The lines that `stub` lacks."""
    written = stub.read_text(encoding="utf-8").splitlines()
    wanted = [
        f"from .{source.stem} import {name} as {name}"
        for source in STUBS[stub]
        for name in names(source)
    ]
    return [line for line in wanted if line not in written]


def main() -> int:
    """Write the lines; with `--check` name those that are missing and fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    lacking = {stub: lines for stub in STUBS if (lines := missing(stub))}
    for stub, lines in lacking.items():
        if check:
            where = stub.relative_to(PACKAGE.parent)
            print(f"{where}: run `make stubs` for {', '.join(lines)}", file=sys.stderr)
            continue
        text = "\n".join(lines) + "\n" + stub.read_text(encoding="utf-8")
        stub.write_text(text, encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff", "check", "--quiet", "--select", "I", "--fix"]
        subprocess.run([*ruff, str(stub)], check=True)
        print(f"{stub.relative_to(PACKAGE.parent)}: {', '.join(lines)}")
    return 1 if check and lacking else 0


if __name__ == "__main__":
    raise SystemExit(main())
