"""Sweeps of notebooks: refused before, resumed after, whole in spite of a failing run."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner

from gaputils.cli.commands import app
from gaputils.pages.born import one_row_a_run
from gaputils.sweep import run as running
from gaputils.sweep.gallery import write_gallery
from gaputils.sweep.grid import plan
from gaputils.sweep.results import load_results
from gaputils.sweep.run import run_sweep

ROOT = Path(__file__).resolve().parents[2]

PAGE = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A small page

```{code-cell} ipython3
:tags: [parameters]

a: int = 1
b: float = 0.5
names: list = []
```

```{code-cell} ipython3
from pathlib import Path

from IPython.display import display

if a == 13:
    raise RuntimeError("thirteen is not a number")
with Path("ran.txt").open("a") as file:
    file.write(f"{a} {b}\\n")


def glue(key, value):
    data = {"application/papermill.record/text/plain": repr(value)}
    display(data, raw=True, metadata={"scrapbook": {"name": key}})


glue("product", a * b)
glue("label", f"a is {a}")
```
"""


@pytest.fixture
def grid(tmp_path: Path):
    (tmp_path / "page.md").write_text(PAGE)

    def write(text: str) -> Path:
        path = tmp_path / "grid.yml"
        path.write_text(text)
        return path

    return write


ENTRY = "sweeps:\n  - page: page.md\n"


def test_every_combination_of_grid_and_each(grid) -> None:
    runs = plan(
        grid(
            ENTRY + "    grid: {a: [1, 2]}\n    each: [{b: 1.0}, {b: 2.0}]\n    fixed: {names: [x]}"
        )
    )
    found = [(r.parameters["a"], r.parameters["b"], r.parameters["names"]) for r in runs]
    assert found == [(1, 1.0, ["x"]), (2, 1.0, ["x"]), (1, 2.0, ["x"]), (2, 2.0, ["x"])]
    assert len({run.name for run in runs}) == 4


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            ENTRY + "    grid: {c: [1]}",
            ValueError,
            "page.md has no parameter c; it has a, b, names",
        ),
        (ENTRY + "    each: [{a: 1}, {typo: 2}]", ValueError, "no parameter typo"),
        (ENTRY + "    grid: {a: 1}", ValueError, "needs a list of values"),
        (ENTRY + "    wrong: 1", ValueError, "expected 'page' and of 'grid'"),
        (ENTRY + "    grid: {a: [1, 1]}", ValueError, "twice"),
        ("sweeps:\n  - page: none.md", FileNotFoundError, "there is no page"),
        ("pages: []", ValueError, "expected a list 'sweeps'"),
        ("sweeps: [", ValueError, "is not YAML"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_runs(grid, text, error, message, tmp_path) -> None:
    with pytest.raises(error, match=message):
        plan(grid(text))
    assert not (tmp_path / "ran.txt").exists()


def test_the_grids_of_the_project_fit_their_pages() -> None:
    grids = sorted((ROOT / "grids").glob("*.yml"))
    assert grids
    for path in grids:
        assert plan(path)


def test_run_skip_fail_and_go_on(grid, tmp_path: Path) -> None:
    path, out = grid(ENTRY + "    grid: {a: [1, 13, 2]}"), tmp_path / "out"
    first = CliRunner().invoke(app, ["sweep", str(path), "-o", str(out)])
    assert first.exit_code == 1
    assert "a=13" in first.stderr
    assert "thirteen is not a number" in first.stderr
    assert (tmp_path / "ran.txt").read_text().splitlines() == ["1 0.5", "2 0.5"]

    table = pd.read_parquet(out / "results.parquet")
    product = table[table["name"] == "product"].set_index("a")["value"]
    assert product.to_dict() == {1: 0.5, 2: 1.0}
    label = table[table["name"] == "label"]
    assert list(label["text"]) == ["a is 1", "a is 2"]
    assert label["value"].isna().all()

    again = run_sweep(plan(path), out, echo=lambda _: None)
    assert list(again["status"]) == ["skipped", "failed", "skipped"]
    assert len((tmp_path / "ran.txt").read_text().splitlines()) == 2
    assert len(pd.read_parquet(out / "results.parquet")) == 4

    index = write_gallery(out, tmp_path / "gallery")
    names = [line for line in index.read_text().splitlines() if line.startswith("page-")]
    assert len(names) == 2
    shown = nbformat.read(tmp_path / "gallery" / f"{names[0]}.ipynb", as_version=4)
    assert shown.cells[0].source.startswith("# page: a = 1")
    assert shown.metadata["mystnb"]["execution_mode"] == "off"


def test_changes_and_damage_are_run_again(grid, tmp_path: Path) -> None:
    run = plan(grid(ENTRY + "    fixed: {a: 3}"))[0]
    out = tmp_path / "out"
    out.mkdir()
    before = running._fingerprint(run, "package")
    record = {"run": run.name, "page": "page", "notebook": str(run.page), "parameters": {"a": 3},
              "status": "done", "error": "", "seconds": 1.0, "fingerprint": before,
              "values": {}}  # fmt: skip
    (out / f"{run.name}.json").write_text(json.dumps(record))
    assert running._finished(run, out, before) is None
    (out / f"{run.name}.ipynb").write_text("{}")
    assert running._finished(run, out, before) == record
    (out / f"{run.name}.json").write_text(json.dumps(record)[:-5])
    assert running._finished(run, out, before) is None
    assert running._fingerprint(run, "another package") != before
    (tmp_path / "page.md").write_text(PAGE + "\nMore.\n")
    assert running._fingerprint(run, "package") != before


@pytest.mark.slow
@pytest.mark.enable_socket
def test_on_a_dask_cluster(grid, tmp_path: Path) -> None:
    """The scheduler learns its machine's address from a socket that sends nothing."""
    from distributed import LocalCluster
    from distributed.utils import get_ip

    try:
        get_ip()
    except RuntimeWarning:
        pytest.skip("the scheduler does not start on a machine without any network address")
    runs = plan(grid(ENTRY + "    grid: {a: [5, 6]}"))
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
    ) as cluster:
        table = run_sweep(runs, tmp_path / "out", dask=cluster.scheduler_address)
    assert list(table["status"]) == ["done", "done"], list(table["error"])


def test_dry_run_only_lists(grid, tmp_path: Path) -> None:
    path = grid(ENTRY + "    grid: {a: [1, 2]}")
    result = CliRunner().invoke(app, ["sweep", str(path), "-o", str(tmp_path / "o"), "--dry-run"])
    assert result.exit_code == 0
    assert [line.split("-")[1] for line in result.output.splitlines()] == ["a=1", "a=2"]
    assert not (tmp_path / "o").exists()


def test_the_stored_sweep_has_what_the_page_draws() -> None:
    runs = one_row_a_run(load_results())
    counts = runs["kind"].value_counts()
    assert counts["published"] == counts["published, random"] == 3
    assert counts["trained for this page"] == 9
    assert counts["training history"] >= 4
    trained = runs[runs["kind"] == "trained for this page"]
    assert set(zip(trained["logit_scale"], trained["seed"], strict=True)) == {
        (scale, seed) for scale in (100, 30, 14) for seed in (0, 1, 2)
    }
    clip = runs[runs["name"] == "liang2022-clip-coco"].iloc[0]
    assert clip["one_gap_norm"] == pytest.approx(0.851, abs=5e-4)
    assert clip["one_queries_recall_at_1"] == pytest.approx(0.552)
    assert clip["one_robustness_original_cosine"] == pytest.approx(0.868, abs=5e-4)
    assert clip["one_gain_mean_shift_cosine"] == pytest.approx(0.0244, abs=5e-4)


def test_results_that_are_not_there_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a sweep writes results\.parquet"):
        load_results(tmp_path / "none.parquet")


def test_a_run_that_is_given_twice_is_refused_before_anything_runs(grid, tmp_path: Path) -> None:
    runs = plan(grid(ENTRY + "    grid: {a: [1, 2]}"))
    with pytest.raises(ValueError, match=rf"^runs: expected each once, got {runs[0].name} twice"):
        run_sweep([*runs, runs[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_jobs_beside_a_cluster_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^jobs: a Dask cluster shares out the runs itself"):
        run_sweep([], tmp_path, jobs=2, dask="tcp://127.0.0.1:1")


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "two"])
def test_jobs_are_a_number_of_runs(tmp_path: Path, jobs: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^jobs: expected an integer"):
        run_sweep([], tmp_path, jobs=jobs)
    with pytest.raises(TypeError, match=r"^runs: expected runs as from plan, got 'page.md'"):
        run_sweep(["page.md"], tmp_path)


def test_a_folder_that_takes_no_file_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"its folder: '.*results\.parquet'"):
        run_sweep([], tmp_path)
