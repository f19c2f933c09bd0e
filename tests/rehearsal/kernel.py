"""Kernels that build the paper's architectures small: files for IPython's start."""

from __future__ import annotations

from pathlib import Path

_START = """import sys

sys.path.insert(0, {here!r})
import small
from pathlib import Path

small.register(Path({configs!r}))
"""


def write(folder: Path) -> Path:
    """A folder for ``IPYTHONDIR`` whose kernels know the small architectures by the real names."""
    start = folder / "profile_default" / "startup"
    start.mkdir(parents=True)
    here, configs = str(Path(__file__).parent), str(folder / "configs")
    (start / "small.py").write_text(_START.format(here=here, configs=configs))
    return folder
