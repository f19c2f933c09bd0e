"""Notebooks over a grid of parameters: checked before, resumed after, one tidy table at the end.

A grid is a YAML file with a list `sweeps`. Each entry names a `page` (a notebook, relative to the
grid file) and the values of its parameters: `grid` (a list of values for each: every combination),
`each` (a list of mappings whose values belong together, such as a model and its weights) and
`fixed` (one value for each).
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from gaputils._checks import integer
from gaputils._extras import require_extra
from gaputils._files import only_writer, replacing, require_writable, write_text
from gaputils._progress import bar
from gaputils._reading import named_place
from gaputils.sweep._kernel import choose_kernel
from gaputils.sweep.grid import Run, _notebook, place_of
from gaputils.sweep.results import (
    PACKAGE,
    done_record,
    done_records,
    glued,
    is_whole,
    load_results,
    tidy,
)

_START = 300
"""Seconds that a kernel may take to start: many at once, on a busy machine, are slow."""


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
    is not a sweep's, a run is given twice, `jobs` is below 1, or it is given beside `dask`.
    """
    require_extra("sweep", "a sweep")
    runs, jobs = list(runs), integer("jobs", jobs, low=1)
    if dask is not None and jobs > 1:
        raise ValueError(f"jobs: a Dask cluster shares out the runs itself, got {jobs} beside it")
    stranger = next((run for run in runs if not isinstance(run, Run)), None)
    if stranger is not None:
        raise TypeError(f"runs: expected runs as from plan, got {stranger!r}")
    names = [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"runs: expected each once, got {twice} twice")
    folder = named_place("out", out)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"out: expected a folder, but {out} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    require_writable(folder / "results.parquet")
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


def _kernel_notes(pages: set[Path]) -> list[str]:
    """What there is to tell of the `pages`' kernels; what cannot be read fails in its own run."""
    notes = []
    with tempfile.TemporaryDirectory() as scratch:
        for page in sorted(pages):
            with suppress(Exception):
                notes.append(choose_kernel(_notebook(page, Path(scratch)))[2])
    return [note for note in notes if note]


def package_digest() -> str:
    """A digest of the package's own code, which decides whether a run is unchanged."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _fingerprint(run: Run, package: str) -> str:
    content = json.dumps([run.parameters, package], sort_keys=True)
    return hashlib.sha256(run.page.read_bytes() + content.encode()).hexdigest()


def _unchanged(record: dict[str, Any], package: str) -> bool:
    """Whether the page of a done `record` and the package are still as they were."""
    page = Path(record["notebook"]) if is_whole(record) else None
    if page is None or not page.is_file():
        return False
    return bool(record["fingerprint"] == _fingerprint(Run(page, record["parameters"]), package))


def _finished(run: Run, folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The record of this very run, if it is whole and says that it was done."""
    record = done_record(folder / f"{run.name}.json")
    known = record is not None and is_whole(record) and record["fingerprint"] == fingerprint
    return record if known else None


def _execute_all(
    tasks: list[tuple[Run, Path, str]], jobs: int, dask: str | None
) -> list[dict[str, Any]]:
    if not tasks:
        return []
    from joblib import Parallel, delayed, parallel_config

    if dask is None:
        run = Parallel(n_jobs=jobs, return_as="generator")
        done = run(delayed(execute)(*task) for task in tasks)
        return list(bar(done, desc="runs", total=len(tasks)))
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
        "notebook": place_of(run.page),
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
                start_timeout=_START,
                extra_arguments=["--IPKernelApp.log_level=50"],
            )
        except PapermillExecutionError:
            write_text(target, executed.read_text(encoding="utf-8"))
            raise
        write_text(target, executed.read_text(encoding="utf-8"))


def _in_words(page: Path, reason: Exception) -> str:
    """What a cell raised, in its last line; what kept the page from running, with its name."""
    from papermill.exceptions import PapermillExecutionError

    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(reason))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if isinstance(reason, PapermillExecutionError) and last:
        return last
    return f"{page.name}: {type(reason).__name__}: {last}".removesuffix(": ")
