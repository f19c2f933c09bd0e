"""Kernels that run lines of their own before their first cell: files for IPython's start."""

from __future__ import annotations

from pathlib import Path

# Not before the first cell: a kernel is to answer soon after it is started.
_START = """import sys


def begin(*_):
    get_ipython().events.unregister("pre_run_cell", begin)
    sys.path[:0] = {paths!r}
    exec({lines!r}, begin.__dict__)


get_ipython().events.register("pre_run_cell", begin)
"""


def write(folder: Path, paths: list[Path], lines: str) -> Path:
    """A folder for ``IPYTHONDIR`` whose kernels first run `lines`, which import from `paths`."""
    start = folder / "profile_default" / "startup"
    start.mkdir(parents=True)
    told = _START.format(paths=[str(path) for path in paths], lines=lines)
    (start / "begin.py").write_text(told)
    return folder
