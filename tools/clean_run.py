"""Run notebooks as Colab does: in an environment that holds only what their set-up cell installs.

    python tools/clean_run.py [--lend] [--small] [--out runs/clean] [notebooks/two_clusters.ipynb …]

A wheel of this checkout stands in for the repository's address (`GAPUTILS_SOURCE`), a fresh virtual
environment with a bare kernel for Colab's machine. What Colab has from the start comes from the
package index, or with `--lend` from the environment that runs this, by links, and nothing else of
it. The notebooks are copied away from the checkout first, so nothing beside them can help.
`--small` gives each page the small parameters of its test. Needs `papermill` where it runs, and
the network for the installs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KERNEL = "clean"
PATIENCE_S = 600
# The part of Colab's machine that is large; pip finds the rest in a moment.
COLAB = ("torch", "torchvision", "numpy", "pandas", "matplotlib", "scipy", "scikit-learn")


def wheel(folder: Path) -> Path:
    """Build the package's wheel into `folder`."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    (built,) = folder.glob("gaputils-*.whl")
    return built


def environment(folder: Path) -> Path:
    """A fresh environment with a kernel and nothing else; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "ipykernel"], check=True)
    return python


def needed(names: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions of those names, and of all that they need, without extras."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # a requirement of another system or Python
            continue
        asked = [r for r in found[name].requires or [] if "extra ==" not in r]
        waiting += [re.split(r"[^\w.-]", r, maxsplit=1)[0] for r in asked]
    return found


def lend(names: Iterable[str], folder: Path, python: Path) -> None:
    """Let the environment of `python` import the distributions `names` of this one, by links."""
    folder.mkdir()
    for lent in needed(names).values():
        tops = {Path(f).parts[0] for f in lent.files or [] if not str(f).startswith("..")}
        for top in tops - {"__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(lent.locate_file(top))
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    (Path(told.stdout.strip()) / "lent.pth").write_text(f"{folder}\n", encoding="utf-8")


def small(page: str) -> dict[str, Any]:
    """The parameters with which the page's test runs it, but for models in files."""
    tested = runpy.run_path(str(ROOT / "tests" / "book" / "test_pages.py"))
    chosen: dict[str, Any] = tested["OTHER"].get(page, {})
    return {key: value for key, value in chosen.items() if value != tested["LOCAL"]}


def register(python: Path, folder: Path) -> None:
    """Tell Jupyter of the environment's kernel, in a folder of our own."""
    target = folder / "kernels" / KERNEL
    target.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    described = {"argv": argv, "display_name": KERNEL, "language": "python"}
    (target / "kernel.json").write_text(json.dumps(described), encoding="utf-8")


def run(notebook: Path, out: Path, variables: dict[str, str], given: dict[str, Any]) -> bool:
    """Execute one notebook; whether it ran to its end."""
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "-k", KERNEL]
    command += ["--cwd", str(notebook.parent), "--no-progress-bar", "--log-level", "ERROR"]
    command += ["--execution-timeout", str(PATIENCE_S)]
    command += ["-y", json.dumps(given)] if given else []
    began = time.monotonic()
    done = subprocess.run(command, env={**os.environ, **variables}, check=False)
    ran = done.returncode == 0
    took = time.monotonic() - began
    print(f"{notebook.stem}: {'ran' if ran else 'FAILED'} in {took:.0f} s", flush=True)
    return ran


def main() -> int:
    """Run the notebooks that are named, or all; the number of failures is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/clean"))
    parser.add_argument("--lend", action="store_true", help="link Colab's packages, do not install")
    parser.add_argument("--small", action="store_true", help="small parameters")
    asked = parser.parse_args()
    chosen = asked.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = wheel(folder)
        python = environment(folder / "env")
        if asked.lend:
            lend(COLAB, folder / "lent", python)
        register(python, folder / "jupyter")
        variables = {
            "GAPUTILS_SOURCE": source.as_uri(),
            "JUPYTER_PATH": str(folder / "jupyter"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        away = folder / "content"
        away.mkdir()
        results = [
            run(
                Path(shutil.copy(notebook, away)),
                asked.out / notebook.name,
                variables,
                small(notebook.stem) if asked.small else {},
            )
            for notebook in chosen
        ]
    return results.count(False)


if __name__ == "__main__":
    raise SystemExit(main())
