"""Kernels that build the paper's architectures small: files for IPython's start."""

from __future__ import annotations

from pathlib import Path

# Not before the first cell: a kernel is to answer soon after it is started.
_START = """import sys


def register(*_):
    get_ipython().events.unregister("pre_run_cell", register)
    sys.path.insert(0, {here!r})
    import small
    from pathlib import Path

    small.register(Path({configs!r}))


get_ipython().events.register("pre_run_cell", register)
"""


def write(folder: Path) -> Path:
    """A folder for ``IPYTHONDIR`` whose kernels know the small architectures by the real names."""
    start = folder / "profile_default" / "startup"
    start.mkdir(parents=True)
    here, configs = str(Path(__file__).parent), str(folder / "configs")
    (start / "small.py").write_text(_START.format(here=here, configs=configs))
    return folder
