"""Run notebooks as Colab does: in an environment that holds only what their set-up cell installs.

    python tools/clean_run.py [--out runs/clean] [notebooks/two_clusters.ipynb …]

A wheel of this checkout stands in for the repository's address (`GAPUTILS_SOURCE`), a fresh
virtual environment with a bare kernel for Colab's machine. The notebooks are copied away from the
checkout first, so nothing beside them can help. Needs `build` and `papermill` where it runs, and
the network for the installs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KERNEL = "clean"


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


def register(python: Path, folder: Path) -> None:
    """Tell Jupyter of the environment's kernel, in a folder of our own."""
    target = folder / "kernels" / KERNEL
    target.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    described = {"argv": argv, "display_name": KERNEL, "language": "python"}
    (target / "kernel.json").write_text(json.dumps(described), encoding="utf-8")


def run(notebook: Path, out: Path, variables: dict[str, str]) -> bool:
    """Execute one notebook; whether it ran to its end."""
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "-k", KERNEL]
    command += ["--cwd", str(notebook.parent), "--no-progress-bar", "--log-level", "ERROR"]
    done = subprocess.run(command, env={**os.environ, **variables}, check=False)
    print(f"{notebook.stem}: {'ran' if done.returncode == 0 else 'FAILED'}", flush=True)
    return done.returncode == 0


def main() -> int:
    """Run the notebooks that are named, or all; the number of failures is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/clean"))
    asked = parser.parse_args()
    chosen = asked.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = wheel(folder)
        register(environment(folder / "env"), folder / "jupyter")
        variables = {
            "GAPUTILS_SOURCE": str(source),
            "JUPYTER_PATH": str(folder / "jupyter"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        away = folder / "content"
        away.mkdir()
        results = [run(Path(shutil.copy(n, away)), asked.out / n.name, variables) for n in chosen]
    return results.count(False)


if __name__ == "__main__":
    raise SystemExit(main())
