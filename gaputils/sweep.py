"""Notebooks over a grid of parameters: checked before, resumed after, one tidy table at the end.

A grid is a YAML file with a list `sweeps`. Each entry names a `page` (a notebook, relative to the
grid file) and the values of its parameters: `grid` (a list of values for each: every combination),
`each` (a list of mappings whose values belong together, such as a model and its weights) and
`fixed` (one value for each).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gaputils._atomic import only_writer, replacing, write_text
from gaputils._reading import read_text, reading
from gaputils._sweep_results import glued, tidy

PACKAGE = Path(__file__).parent
STORED = PACKAGE / "data" / "many-models.parquet"


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
    text = read_text(path, "YAML", argument="grid")
    with reading(path, "YAML", argument="grid", remedy="Correct it there"):
        content = yaml.safe_load(text)
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


def run_sweep(
    runs: Sequence[Run],
    out: str | Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    echo: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Execute `runs`, `jobs` at a time or on the Dask cluster at the address `dask`.

    The folder `out` gets each executed notebook, a record beside it, and `results.parquet`: a row
    for each value that a page glued, with the run's parameters. A run whose page, parameters and
    package are those of a finished record is skipped; a failing run is recorded and the others go
    on. Returns one row a run: `run`, `page`, `status` ("done", "skipped", "failed"), `seconds`,
    `error`. Raises `BlockingIOError` while another sweep writes `out`.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        return _run_all(runs, folder, jobs, dask, echo)


def _run_all(
    runs: Sequence[Run], folder: Path, jobs: int, dask: str | None, echo: Callable[[str], None]
) -> pd.DataFrame:
    package = package_digest()
    tasks = [(run, folder, _fingerprint(run, package)) for run in runs]
    records = [_finished(*task) for task in tasks]
    todo = [task for task, record in zip(tasks, records, strict=True) if record is None]
    echo(f"{len(runs)} runs, {len(runs) - len(todo)} of them done and unchanged")
    fresh = iter(_execute_all(todo, jobs, dask))
    table = []
    for index, record in enumerate(records):
        status = "skipped"
        if record is None:
            record = records[index] = next(fresh)
            status = record["status"]
        row = {key: record[key] for key in ("run", "page", "seconds", "error")}
        table.append({**row, "status": status})
    results = tidy([record for record in records if record is not None])
    with replacing(folder / "results.parquet") as part:
        results.to_parquet(part, index=False)
    return pd.DataFrame(table, columns=["run", "page", "status", "seconds", "error"])


def package_digest() -> str:
    """A digest of the package's own code, which decides whether a run is unchanged."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


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


def _fingerprint(run: Run, package: str) -> str:
    content = json.dumps([run.parameters, package], sort_keys=True)
    return hashlib.sha256(run.page.read_bytes() + content.encode()).hexdigest()


def _finished(run: Run, folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The record of this very run, if it is whole and says that it was done."""
    file = folder / f"{run.name}.json"
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    same = record.get("fingerprint") == fingerprint and record.get("status") == "done"
    return record if same and (folder / f"{run.name}.ipynb").is_file() else None


def _execute_all(
    tasks: list[tuple[Run, Path, str]], jobs: int, dask: str | None
) -> list[dict[str, Any]]:
    if not tasks:
        return []
    from joblib import Parallel, delayed, parallel_config

    if dask is None:
        return list(Parallel(n_jobs=jobs)(delayed(execute)(*task) for task in tasks))
    import distributed

    connect: Any = distributed.Client
    with connect(dask), parallel_config(backend="dask"):
        return list(Parallel()(delayed(execute)(*task) for task in tasks))


def execute(run: Run, folder: Path, fingerprint: str) -> dict[str, Any]:
    """Execute one run and write its notebook and its record; never raises for a failing page."""
    from papermill.exceptions import PapermillException

    target, started, error = folder / f"{run.name}.ipynb", time.perf_counter(), ""
    try:
        _write_executed(run, target)
    except (PapermillException, OSError, RuntimeError, ValueError) as reason:
        error = _last_line(str(reason)) or type(reason).__name__
    record = {
        "run": run.name,
        "page": run.page.stem,
        "parameters": run.parameters,
        "status": "failed" if error else "done",
        "error": error,
        "seconds": round(time.perf_counter() - started, 3),
        "fingerprint": fingerprint,
        "values": {} if error else glued(target),
    }
    write_text(folder / f"{run.name}.json", json.dumps(record, indent=1))
    return record


def _write_executed(run: Run, target: Path) -> None:
    """Write the executed notebook in one step, that of a failing page too."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    with tempfile.TemporaryDirectory() as scratch:
        executed = Path(scratch) / target.name
        try:
            papermill.execute_notebook(
                str(_notebook(run.page, Path(scratch))),
                str(executed),
                run.parameters,
                cwd=str(run.page.parent),
                progress_bar=False,
                log_output=False,
                extra_arguments=["--IPKernelApp.log_level=50"],
            )
        except PapermillExecutionError:
            write_text(target, executed.read_text(encoding="utf-8"))
            raise
        write_text(target, executed.read_text(encoding="utf-8"))


def _last_line(text: str) -> str:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _short(value: Any) -> str:
    return "+".join(map(_short, value)) if isinstance(value, list) else str(value)


def load_results(path: str | Path | None = None) -> pd.DataFrame:
    """The tidy table that a sweep wrote; left out, the one stored with the package.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is none of a sweep.
    """
    file = STORED if path is None else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {file}; a sweep writes results.parquet")
    with reading(file, "a whole .parquet file", argument="path"):
        found = pd.read_parquet(file)
    missing = {"run", "page", "name", "value", "text"} - set(found.columns)
    if missing:
        raise ValueError(f"path: {file} is no sweep's table: it lacks {', '.join(sorted(missing))}")
    return found


def one_row_a_run(results: pd.DataFrame) -> pd.DataFrame:
    """Runs of the page *One model in numbers*, one row each: parameters, values, `name`, `kind`.

    `kind` is "published", "published, random", "training history" or "trained for this page".
    """
    rows = results[results["page"] == "one_model"]
    values = rows.pivot(index="run", columns="name", values="value").drop(columns="one_name")
    names = rows[rows["name"] == "one_name"].set_index("run")["text"].astype(str)
    given = [c for c in rows.columns if c not in ("page", "name", "value", "text")]
    parameters = rows[given].drop_duplicates("run").set_index("run")
    frame = parameters.join(values)
    frame.insert(0, "name", names)
    frame.insert(0, "kind", [_kind(row) for row in parameters.to_dict("records")])
    return frame.sort_values(["kind", "name"]).reset_index(drop=True)


def _kind(parameters: dict[Any, Any]) -> str:
    published = parameters.get("published")
    if isinstance(published, str) and published:
        return "published, random" if published.endswith("-random") else "published"
    trained = parameters.get("train_steps")
    return "trained for this page" if trained and not pd.isna(trained) else "training history"
