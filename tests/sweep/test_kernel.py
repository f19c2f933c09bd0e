"""Pages of other machines: kernels that are not here, kernels that are not named."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from gaputils import sweep
from gaputils.sweep import plan, run_sweep
from gaputils.sweep import run as sweeping
from gaputils.sweep._kernel import choose_kernel

GLUE = """
from IPython.display import display
data = {"application/papermill.record/text/plain": repr(a * a)}
display(data, raw=True, metadata={"scrapbook": {"name": "square"}})
"""
CONDA = {"kernelspec": {"name": "conda-env-clip-py", "display_name": "clip", "language": "python"}}
METADATA: dict[str, dict[str, Any]] = {
    "conda": CONDA,
    "no language": {"kernelspec": {"name": "conda-env-clip-py", "display_name": "clip"}},
    "no kernel": {},
    "an empty kernel": {"kernelspec": {}},
    "only a language": {"language_info": {"name": "python"}},
}
OTHER = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}


def page(path: Path, metadata: dict[str, Any], first: str = "a: int = 1") -> Path:
    cells = [
        nbformat.v4.new_code_cell(first, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(GLUE),
    ]
    content = {**nbformat.v4.new_notebook(cells=cells), "metadata": metadata}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_a_python_page_gets_the_kernel_at_hand_and_says_so(metadata, tmp_path: Path) -> None:
    kernel, language, note = choose_kernel(page(tmp_path / "exp.ipynb", metadata))
    assert (kernel, language) == ("python3", "python")
    assert note.startswith("exp.ipynb: ")
    assert "it runs with 'python3'" in note
    named = "'conda-env-clip-py' is not installed" in note
    assert named == ("conda" in str(metadata))


def test_an_installed_kernel_is_kept_without_a_word(tmp_path: Path) -> None:
    metadata = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}
    assert choose_kernel(page(tmp_path / "exp.ipynb", metadata)) == ("python3", "python", "")


def test_another_language_is_not_run_with_python(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"exp\.ipynb: its kernel 'ir' for R is not installed"):
        choose_kernel(page(tmp_path / "exp.ipynb", OTHER))


def test_pages_of_other_machines_run_and_the_rest_goes_on(tmp_path: Path) -> None:
    page(tmp_path / "conda.ipynb", CONDA)
    page(tmp_path / "none.ipynb", {})
    page(tmp_path / "r.ipynb", OTHER)
    grid, told = tmp_path / "grid.yml", list[str]()
    grid.write_text(
        "sweeps:\n  - {page: r.ipynb}\n  - {page: conda.ipynb, grid: {a: [3]}}\n"
        "  - {page: none.ipynb, grid: {a: [4]}}\n"
    )
    table = run_sweep(plan(grid), tmp_path / "out", echo=told.append)
    assert list(table["status"]) == ["failed", "done", "done"]
    assert "r.ipynb" in table["error"][0]
    assert "'ir'" in table["error"][0]
    values = sweep.load_results(tmp_path / "out" / "results.parquet")
    assert sorted(values["value"]) == [9, 16]
    assert [note.partition(":")[0] for note in told[1:]] == ["conda.ipynb", "none.ipynb"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', "\xff\xfe"])
def test_what_is_no_notebook_is_refused_with_page_and_entry(content: str, tmp_path: Path) -> None:
    (tmp_path / "page.ipynb").write_text(content, encoding="latin-1")
    (tmp_path / "grid.yml").write_text("sweeps:\n  - {page: page.ipynb, grid: {a: [3]}}\n")
    with pytest.raises(ValueError, match=r"^grid: .*entry 0.*page\.ipynb"):
        plan(tmp_path / "grid.yml")


@pytest.mark.parametrize("error", [KeyError("x"), NotImplementedError(), SystemError("odd")])
def test_whatever_keeps_a_page_from_running_is_a_failed_run(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(sweeping, "_write_executed", fail)
    run = sweep.Run(page(tmp_path / "exp.ipynb", {}), {"a": 1})
    record = sweeping.execute(run, tmp_path, "fingerprint")
    assert record["status"] == "failed"
    assert record["error"].startswith(f"exp.ipynb: {type(error).__name__}")
    assert (tmp_path / f"{run.name}.json").is_file()


def test_without_its_libraries_a_sweep_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    lacking = {"papermill", "jupytext"}
    monkeypatch.setattr(
        "gaputils._extras.find_spec", lambda name: None if name in lacking else found(name)
    )
    with pytest.raises(ModuleNotFoundError, match=r"papermill, jupytext: pip .*gaputils\[sweep\]"):
        plan(tmp_path / "grid.yml")
    with pytest.raises(ModuleNotFoundError, match=r"gaputils\[sweep\]"):
        run_sweep([], tmp_path / "out")
