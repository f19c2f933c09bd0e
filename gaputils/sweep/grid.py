"""A grid of parameters, and the runs that it asks for."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """One execution of one page: `page` is the notebook's file."""

    page: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A readable file name, unique to page and parameters."""
        listed = "-".join(f"{k}={_short(v)}" for k, v in self.parameters.items())
        safe = re.sub(r"[^A-Za-z0-9=._-]+", "_", f"{self.page.stem}-{listed}")[:90].rstrip("-_.")
        content = json.dumps([self.page.stem, self.parameters], sort_keys=True)
        return f"{safe}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def plan(grid: str | Path) -> list[Run]:
    """Every run of the `grid` file, in order.

    Raises `FileNotFoundError` for a missing grid or page and `ValueError`, naming the entry, for a
    grid that is malformed or asks for a parameter that its page does not have.
    """
    import yaml

    path = Path(grid)
    if not path.is_file():
        raise FileNotFoundError(f"grid: there is no file {path}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"grid: {path} is not YAML: {error}") from error
    entries = content.get("sweeps") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"grid: expected a list 'sweeps' in {path}")
    runs: list[Run] = []
    for number, entry in enumerate(entries):
        runs += _expand(entry, path.parent, f"{path}, entry {number}")
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"grid: {path} asks for {name} twice")
    return runs


def _expand(entry: Any, folder: Path, where: str) -> list[Run]:
    known = {"page", "grid", "each", "fixed"}
    if not isinstance(entry, dict) or "page" not in entry or set(entry) - known:
        raise ValueError(f"grid: {where}: expected 'page' and of 'grid', 'each', 'fixed'; {entry}")
    page = (folder / str(entry["page"])).resolve()
    if not page.is_file():
        raise FileNotFoundError(f"grid: {where}: there is no page {page}")
    grid, each, fixed = entry.get("grid") or {}, entry.get("each") or [{}], entry.get("fixed") or {}
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ValueError(f"grid: {where}: 'grid' needs a list of values for each parameter")
    if not isinstance(each, list) or not all(isinstance(item, dict) for item in each):
        raise ValueError(f"grid: {where}: 'each' needs a list of mappings")
    if not isinstance(fixed, dict):
        raise ValueError(f"grid: {where}: 'fixed' needs a mapping")
    runs = []
    for item in each:
        for values in itertools.product(*grid.values()):
            parameters = {**fixed, **item, **dict(zip(grid, values, strict=True))}
            runs.append(Run(page, parameters))
    _refuse_unknown(page, {name for run in runs for name in run.parameters}, where)
    return runs


def _refuse_unknown(page: Path, asked: set[str], where: str) -> None:
    import papermill

    with tempfile.TemporaryDirectory() as scratch:
        has = set(papermill.inspect_notebook(str(_notebook(page, Path(scratch)))))
    if asked - has:
        raise ValueError(
            f"grid: {where}: {page.name} has no parameter {', '.join(sorted(asked - has))}; "
            f"it has {', '.join(sorted(has)) or 'none'}"
        )


def _notebook(page: Path, scratch: Path) -> Path:
    """`page` as an .ipynb file."""
    import jupytext

    if page.suffix == ".ipynb":
        return page
    if page.suffix != ".md":
        raise ValueError(f"page: expected a .md or .ipynb notebook, got {page}")
    target = scratch / f"{page.stem}.ipynb"
    jupytext.write(jupytext.read(page), target)
    return target


def _short(value: Any) -> str:
    return "+".join(map(_short, value)) if isinstance(value, list) else str(value)
