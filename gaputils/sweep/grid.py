"""A grid of parameters, and the runs that it asks for."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gaputils._extras import require_extra
from gaputils._reading import named_place, reading
from gaputils.sweep._parameters import parameter_names, require_plain
from gaputils.sweep._yaml import read_yaml

_KEYS = {"page", "grid", "each", "fixed"}


@dataclass(frozen=True)
class Run:
    """One execution of one page: `page` is the notebook's file.

    Raises `ValueError` for a parameter that would not reach the page as it is, and `TypeError` for
    a page that is no path or parameters that are no dict.
    """

    page: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("page", Path), ("parameters", dict)):
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name}: expected a {kind.__name__}, got {value!r}")
        for name, value in self.parameters.items():
            require_plain(name, value)

    @property
    def name(self) -> str:
        """A readable file name, unique to the page's place and the parameters."""
        listed = "-".join(f"{k}={_short(v)}" for k, v in self.parameters.items())
        safe = re.sub(r"[^A-Za-z0-9=._-]+", "_", f"{self.page.stem}-{listed}")[:90].rstrip("-_.")
        content = json.dumps([place_of(self.page), self.parameters], sort_keys=True)
        return f"{safe}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def plan(grid: str | Path) -> list[Run]:
    """Every run of the `grid` file, in order.

    Raises `FileNotFoundError` for a missing grid or page and `ValueError`, naming the entry, for a
    grid that is malformed or asks for a parameter that its page does not have.
    """
    require_extra("sweep", "a sweep")
    path = named_place("grid", grid)
    if not path.is_file():
        raise FileNotFoundError(f"grid: there is no file {path}")
    content = read_yaml(path)
    entries = content.get("sweeps") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"grid: expected a list 'sweeps' in {path}")
    stray = sorted(_KEYS & content.keys())
    if stray:
        raise ValueError(
            f"grid: {path}: {stray[0]!r} beside 'sweeps' reaches no page; put it below"
        )
    runs: list[Run] = []
    for number, entry in enumerate(entries):
        runs += _expand(entry, path.parent, f"{path}, entry {number}")
    for name, count in Counter(run.name for run in runs).items():
        if count > 1:
            raise ValueError(f"grid: {path} asks for {name} twice")
    return runs


def _expand(entry: Any, folder: Path, where: str) -> list[Run]:
    if not isinstance(entry, dict) or "page" not in entry or set(entry) - _KEYS:
        raise ValueError(f"grid: {where}: expected 'page' and of 'grid', 'each', 'fixed'; {entry}")
    page = (folder / str(entry["page"])).resolve()
    if not page.is_file():
        raise FileNotFoundError(f"grid: {where}: there is no page {page}")
    given = {key: value for key, value in entry.items() if value is not None}
    grid, each, fixed = given.get("grid", {}), given.get("each", [{}]), given.get("fixed", {})
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ValueError(f"grid: {where}: 'grid' needs a list of values for each parameter")
    if not isinstance(each, list) or not each or not all(isinstance(item, dict) for item in each):
        raise ValueError(f"grid: {where}: 'each' needs a list of mappings")
    if not isinstance(fixed, dict):
        raise ValueError(f"grid: {where}: 'fixed' needs a mapping")
    runs = []
    for item in each:
        names = Counter([*fixed, *item, *grid])
        if names.total() > len(names):
            twice = next(name for name, count in names.items() if count > 1)
            raise ValueError(f"grid: {where}: parameter {twice} is given twice")
        for values in itertools.product(*grid.values()):
            parameters = {**fixed, **item, **dict(zip(grid, values, strict=True))}
            try:
                runs.append(Run(page, parameters))
            except ValueError as error:
                raise ValueError(f"grid: {where}: {error}") from error
    _refuse_unknown(page, {name for run in runs for name in run.parameters}, where)
    return runs


def _refuse_unknown(page: Path, asked: set[str], where: str) -> None:
    with (
        reading(page, "a notebook whose parameters can be read", argument=f"grid: {where}"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        has = parameter_names(_notebook(page, Path(scratch)))
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


def place_of(page: Path) -> str:
    return page.resolve().as_posix()


def _short(value: Any) -> str:
    return "+".join(map(_short, value)) if isinstance(value, list) else str(value)
