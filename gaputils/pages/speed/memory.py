"""The most memory that a piece of code ever holds, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PEAK = """
def peak():
    # Not ru_maxrss, which a child process inherits from the parent that it was forked from.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""
"""The part of a program that tells its process's peak so far, in kB."""
_PROGRAM = """
import time
{peak}
{setup}
before, started = peak(), time.perf_counter()
{code}
print("\\n", time.perf_counter() - started, before, peak())
"""


class Peak(NamedTuple):
    """Seconds of the code, and the process's peak in MB (10^6 bytes) before and after it."""

    seconds: float
    before: float
    after: float


def peak_memory(code: str, setup: str = "") -> Peak:
    """Run Python `setup` and then `code` in a process of its own.

    The peak of a process includes the interpreter and its libraries, which is why that before
    `code` is given too. Raises `OSError` where the system does not tell a process its peak (other
    than Linux), and `RuntimeError` with the process's own words if it fails.
    """
    if not Path("/proc/self/status").exists():
        raise OSError(f"peak_memory: expected Linux with /proc, got {sys.platform}")
    program = _PROGRAM.format(peak=PEAK, setup=setup, code=code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"code: the process ended with {done.returncode}: {done.stderr[-2000:]}")
    seconds, before, after = map(float, done.stdout.split()[-3:])
    return Peak(seconds, before * 1024 / 1e6, after * 1024 / 1e6)
