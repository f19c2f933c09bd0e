"""The table of a sweep keeps every run and every parameter apart."""

from __future__ import annotations

import json
import math
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gaputils.sweep.grid import Run, plan
from gaputils.sweep.results import load_results, tidy
from gaputils.sweep.run import _finished, run_sweep


def _record(run: str, notebook: str = "/w/exp.ipynb", /, **parameters) -> dict:
    return {"run": run, "notebook": notebook, "parameters": parameters, "values": {"v": 1.5}}


def test_parameters_named_like_a_column_keep_their_values() -> None:
    given = {"name": "n", "value": 2, "text": "t", "run": 7, "page": "p", "k": 1}
    row = tidy([_record("exp-1", **given)]).iloc[0]
    assert (row["run"], row["page"], row["name"], row["value"]) == ("exp-1", "exp", "v", 1.5)
    assert pd.isna(row["text"])
    assert row["k"] == 1
    for name in ("name", "value", "text", "run", "page"):
        assert row[f"parameter.{name}"] == given[name]


def test_pages_of_one_name_are_told_apart_by_their_folders() -> None:
    places = ["/w/a/exp.ipynb", "/w/b/exp.ipynb", "/w/b/other.md", "/x/b/exp.ipynb"]
    found = tidy([_record(str(i), place) for i, place in enumerate(places)])["page"]
    assert list(found) == ["a/exp", "w/b/exp", "other", "x/b/exp"]
    siblings = [_record("0", "/w/exp.md"), _record("1", "/w/exp.ipynb")]
    assert list(tidy(siblings)["page"]) == ["/w/exp.md", "/w/exp.ipynb"]


def test_seeds_too_large_for_a_float_stay_exact(tmp_path: Path) -> None:
    records = [_record("a", seed=2**53 + 1), _record("b", seed=2**70), _record("c")]
    frame = tidy(records)
    frame.to_parquet(tmp_path / "results.parquet", index=False)
    kept = load_results(tmp_path / "results.parquet")["seed"]
    assert list(kept[:2]) == [str(2**53 + 1), str(2**70)]
    assert pd.isna(kept[2])


SOURCE = """
from IPython.display import display

data = {"application/papermill.record/text/plain": repr(WHAT)}
display(data, raw=True, metadata={"scrapbook": {"name": "said"}})
"""


def test_two_grids_into_one_folder_keep_each_others_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        cells = [
            new_code_cell("name = 'x'", metadata={"tags": ["parameters"]}, id="one"),
            new_code_cell(SOURCE.replace("WHAT", str(number)), id="two"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        page = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(page, tmp_path / folder / "exp.ipynb")
        grid = tmp_path / folder / "grid.yml"
        grid.write_text(json.dumps({"sweeps": [{"page": "exp.ipynb", "fixed": {"name": "y"}}]}))
        table = run_sweep(plan(grid), out, echo=lambda _: None)
        assert list(table["status"]) == ["done"]
    assert len(list(out.glob("*.ipynb"))) == len(list(out.glob("exp-*.json"))) == 2
    found = load_results(out / "results.parquet")
    assert dict(zip(found["page"], found["value"], strict=True)) == {"a/exp": 0.0, "b/exp": 1.0}
    assert list(found["parameter.name"]) == ["y", "y"]

    with (tmp_path / "a" / "exp.ipynb").open("a") as file:
        file.write("\n")
    run_sweep(plan(tmp_path / "b" / "grid.yml"), out, echo=lambda _: None)
    assert list(load_results(out / "results.parquet")["page"]) == ["exp"]


@pytest.mark.parametrize("content", ["[1]", "{}", '{"status": "done"}', "[" * 100_000, "\xff"])
def test_a_damaged_record_is_made_anew(tmp_path: Path, content: str) -> None:
    run = Run(tmp_path / "page.ipynb", {"a": 1})
    (tmp_path / f"{run.name}.ipynb").touch()
    (tmp_path / f"{run.name}.json").write_text(content)
    assert _finished(run, tmp_path, "0") is None
    whole = {"run": run.name, "page": "page", "notebook": "page.ipynb", "parameters": {"a": 1},
             "status": "done", "error": "", "seconds": 1.0, "fingerprint": "0",
             "values": {"x": 1.0, "y": "z"}}  # fmt: skip
    (tmp_path / f"{run.name}.json").write_text(json.dumps(whole))
    assert _finished(run, tmp_path, "0") == whole
    for key in whole:
        (tmp_path / f"{run.name}.json").write_text(json.dumps({**whole, key: [None]}))
        assert _finished(run, tmp_path, "0") is None, key


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ((1, 1.0, "1", True), ["1", "1.0", '"1"', "true"]),
        (("None", None, 3), ['"None"', None, "3"]),
        ((math.nan, None), ["NaN", "null"]),
        (([1], "[1]"), ["[1]", '"[1]"']),
        ((2**60, "1152921504606846976"), [str(2**60), f'"{2**60}"']),
        (({"a": 1}, None), ['{"a": 1}', None]),
        ((0.1 + 0.2, 0.3), [0.1 + 0.2, 0.3]),
        ((1, None, 2.5), [1.0, None, 2.5]),
        (("a", None), ["a", None]),
    ],
)
def test_values_that_differ_differ_in_the_table(
    values: tuple, column: list, tmp_path: Path
) -> None:
    tidy([_record(str(i), x=value) for i, value in enumerate(values)]).to_parquet(tmp_path / "r")
    found = pd.read_parquet(tmp_path / "r")["x"].tolist()
    assert [None if pd.isna(value) else value for value in found] == column
