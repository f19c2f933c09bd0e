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
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from gaputils._atomic import only_writer, replacing, write_text
from gaputils._extras import require_extra
from gaputils._reading import reading
from gaputils._sweep_kernel import choose_kernel
from gaputils._sweep_parameters import parameter_names, require_plain
from gaputils._sweep_results import COLUMNS, done_records, glued, tidy
from gaputils._sweep_yaml import read_yaml

PACKAGE = Path(__file__).parent
STORED = PACKAGE / "data" / "many-models.parquet"


@dataclass(frozen=True)
class Run:
    """One execution of one page: `page` is the notebook's file.

    Raises `ValueError` for a parameter that would not reach the page as it is.
    """

    page: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.parameters.items():
            require_plain(name, value)

    @property
    def name(self) -> str:
        """A readable file name, unique to the page's place and the parameters."""
        listed = "-".join(f"{k}={_short(v)}" for k, v in self.parameters.items())
        safe = re.sub(r"[^A-Za-z0-9=._-]+", "_", f"{self.page.stem}-{listed}")[:90].rstrip("-_.")
        content = json.dumps([_place(self.page), self.parameters], sort_keys=True)
        return f"{safe}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def plan(grid: str | Path) -> list[Run]:
    """Every run of the `grid` file, in order.

    Raises `FileNotFoundError` for a missing grid or page and `ValueError`, naming the entry, for a
    grid that is malformed or asks for a parameter that its page does not have.
    """
    require_extra("sweep", "a sweep")
    path = Path(grid)
    if not path.is_file():
        raise FileNotFoundError(f"grid: there is no file {path}")
    content = read_yaml(path)
    entries = content.get("sweeps") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"grid: expected a list 'sweeps' in {path}")
    runs: list[Run] = []
    for number, entry in enumerate(entries):
        runs += _expand(entry, path.parent, f"{path}, entry {number}")
    for name, count in Counter(run.name for run in runs).items():
        if count > 1:
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

    The folder `out` gets each executed notebook, a record beside it, and `results.parquet`: the
    table that `load_results` reads, of these runs and of those that other sweeps did in `out` and
    whose page and package are unchanged. A run whose page, parameters and package are those of a
    finished record is skipped; a failing run is recorded and the others go on. Returns one row a
    run: `run`, `page`, `status` ("done", "skipped", "failed"), `seconds`, `error`. Raises
    `BlockingIOError` while another sweep writes `out`, and `ValueError` if its `results.parquet`
    is not a sweep's.
    """
    require_extra("sweep", "a sweep")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        if (folder / "results.parquet").exists():
            load_results(folder / "results.parquet")
        return _run_all(runs, folder, jobs, dask, echo)


def _run_all(
    runs: Sequence[Run], folder: Path, jobs: int, dask: str | None, echo: Callable[[str], None]
) -> pd.DataFrame:
    package = package_digest()
    tasks = [(run, folder, _fingerprint(run, package)) for run in runs]
    records = [_finished(*task) for task in tasks]
    todo = [task for task, record in zip(tasks, records, strict=True) if record is None]
    echo(f"{len(runs)} runs, {len(runs) - len(todo)} of them done and unchanged")
    for note in _kernel_notes({run.page for run, *_ in todo}):
        echo(note)
    fresh = iter(_execute_all(todo, jobs, dask))
    table = []
    for index, record in enumerate(records):
        status = "skipped"
        if record is None:
            record = records[index] = next(fresh)
            status = record["status"]
        row = {key: record[key] for key in ("run", "page", "seconds", "error")}
        table.append({**row, "status": status})
    own = {run.name for run in runs}
    others = [r for r in done_records(folder) if r["run"] not in own and _unchanged(r, package)]
    results = tidy([record for record in records if record is not None] + others)
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
        given = Counter([*fixed, *item, *grid])
        if given.total() > len(given):
            twice = next(name for name, count in given.items() if count > 1)
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


def _kernel_notes(pages: set[Path]) -> list[str]:
    """What there is to tell of the `pages`' kernels; what cannot be read fails in its own run."""
    notes = []
    with tempfile.TemporaryDirectory() as scratch:
        for page in sorted(pages):
            with suppress(Exception):
                notes.append(choose_kernel(_notebook(page, Path(scratch)))[2])
    return [note for note in notes if note]


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


def _unchanged(record: dict[str, Any], package: str) -> bool:
    """Whether the page of a done `record` and the package are still as they were."""
    page = Path(record.get("notebook", ""))
    if not page.is_file():
        return False
    return bool(record["fingerprint"] == _fingerprint(Run(page, record["parameters"]), package))


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
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--dask needs: pip install 'dask[distributed]'") from error

    connect: Any = distributed.Client
    with connect(dask), parallel_config(backend="dask"):
        return list(Parallel()(delayed(execute)(*task) for task in tasks))


def execute(run: Run, folder: Path, fingerprint: str) -> dict[str, Any]:
    """Execute one run and write its notebook and its record; never raises for a failing page."""
    target, started, error = folder / f"{run.name}.ipynb", time.perf_counter(), ""
    values: dict[str, float | str] = {}
    try:
        _write_executed(run, target)
        values = glued(target)
    except Exception as reason:
        error = _in_words(run.page, reason)
    record = {
        "run": run.name,
        "page": run.page.stem,
        "notebook": _place(run.page),
        "parameters": run.parameters,
        "status": "failed" if error else "done",
        "error": error,
        "seconds": round(time.perf_counter() - started, 3),
        "fingerprint": fingerprint,
        "values": values,
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
            notebook = _notebook(run.page, Path(scratch))
            kernel, language, _ = choose_kernel(notebook)
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                run.parameters,
                kernel_name=kernel,
                language=language,
                cwd=str(run.page.parent),
                progress_bar=False,
                log_output=False,
                extra_arguments=["--IPKernelApp.log_level=50"],
            )
        except PapermillExecutionError:
            write_text(target, executed.read_text(encoding="utf-8"))
            raise
        write_text(target, executed.read_text(encoding="utf-8"))


def _in_words(page: Path, reason: Exception) -> str:
    """What a cell raised, in its last line; what kept the page from running, with its name."""
    from papermill.exceptions import PapermillExecutionError

    kind, last = type(reason).__name__, _last_line(str(reason))
    if isinstance(reason, PapermillExecutionError) and last:
        return last
    return f"{page.name}: {kind}: {last}".removesuffix(": ")


def _place(page: Path) -> str:
    return page.resolve().as_posix()


def _last_line(text: str) -> str:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _short(value: Any) -> str:
    return "+".join(map(_short, value)) if isinstance(value, list) else str(value)


def load_results(path: str | Path | None = None) -> pd.DataFrame:
    """The tidy table that a sweep wrote; left out, the one stored with the package.

    A row for each value of each done run: `run`; `page`, the notebook's name, with the folders
    that tell it from another of that name; a column for each parameter of any run, missing where a
    page has none of that name, lists and mappings as JSON; `name`; `value` (NaN for text); `text`
    (missing for numbers). Parameters called like one of these columns are in ``parameter.name``.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is none of a sweep.
    """
    file = STORED if path is None else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {file}; a sweep writes results.parquet")
    with reading(file, "a whole .parquet file", argument="path"):
        found = pd.read_parquet(file)
    missing = set(COLUMNS) - set(found.columns)
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
