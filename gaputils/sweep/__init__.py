"""A page run over a grid of parameters, resumable, with its numbers in one table."""

from gaputils.sweep.grid import Run, plan
from gaputils.sweep.results import load_results
from gaputils.sweep.run import execute, run_sweep

__all__ = ["Run", "execute", "load_results", "plan", "run_sweep"]
