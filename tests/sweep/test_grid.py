"""What a grid says is what its pages get: numbers as numbers, nothing dropped, nothing guessed."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gaputils.sweep._parameters import parameter_names
from gaputils.sweep._yaml import Unclear, read_yaml
from gaputils.sweep.grid import Run, plan


def _page(path: Path, source: str, tags: tuple[str, ...] = ("parameters",), **metadata) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = new_code_cell(source, metadata={"tags": list(tags)}, id="one")
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), path)
    return path


@pytest.fixture
def planned(tmp_path: Path):
    """`planned(text)` gives the runs of a grid for a page with the parameters x and y."""
    _page(tmp_path / "page.ipynb", "x = 0.1\ny = 2")

    def write(text: str, header: str = "sweeps:\n  - page: page.ipynb\n    ") -> list[Run]:
        path = tmp_path / "grid.yml"
        path.write_text(header + text)
        return plan(path)

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5E-4", 0.0005),
        ("1e3", 1000.0),
        ("+2e+05", 200000.0),
        (".5", 0.5),
        ("-.5", -0.5),
        (".5e-2", 0.005),
        ("1.", 1.0),
        ("1.e-3", 0.001),
        ("0", 0),
        ("-0.0", 0.0),
        ("-12", -12),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.0", 1.0),
        ("0.001", 0.001),
        ("-.inf", -math.inf),
        ("true", True),
        ("~", None),
        ("null", None),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1.2.3", "1.2.3"),
        ("_1", "_1"),
        ("-0o17", "-0o17"),
        ("1:60", "1:60"),
        ("'1e-3'", "1e-3"),
        ("'no'", "no"),
        ("'2024-01-05'", "2024-01-05"),
        ("y", "y"),
        ("ViT-B-16", "ViT-B-16"),
        ("[1e-3, {a: 2e-3}]", [0.001, {"a": 0.002}]),
    ],
)
def test_plain_values_are_what_they_look_like(planned, text: str, value: object) -> None:
    for form in (f"grid: {{x: [{text}]}}", f"fixed: {{x: {text}}}", f"each: [{{x: {text}}}]"):
        found = planned(form)[0].parameters["x"]
        assert type(found) is type(value)
        assert found == value


def test_not_a_number_is_one(planned) -> None:
    assert math.isnan(planned("grid: {x: [.nan]}")[0].parameters["x"])


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05",
        "2024-01-05T10:00:00",
        "yes",
        "Off",
        "010",
        "-007",
        "12:30",
        "1e999",
        "1e-999",
        "1_000",
        "1_000.5",
        "1_0e-3",
        "1_",
        "0b11",
        "-0x1f",
        "0x1_f",
    ],
)
@pytest.mark.parametrize("form", ["{}", "[1, {}]", "{{deep: {}}}"])
def test_what_no_page_can_get_as_it_is_names_grid_and_parameter(planned, text, form) -> None:
    with pytest.raises(ValueError, match=r"grid\.yml, entry 0: parameter x: ") as told:
        planned(f"fixed: {{x: {form.format(text)}}}")
    assert text in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fixed: {x: !!binary aGk=}", "parameter x: expected text, a number"),
        ("fixed: {x: !!set {a, b}}", "parameter x: expected text, a number"),
        ("fixed: {x: {1: a}}", "parameter x: expected text as keys, got 1"),
        ("fixed: {x: {on: a}}", "parameter x: expected text as keys, got on"),
        ("each: []", "'each' needs a list of mappings"),
        ("grid: []", "'grid' needs a list of values"),
        ("fixed: false", "'fixed' needs a mapping"),
        ("fixed: {1: a}", "parameter 1: expected a name"),
        ("fixed: {no: a}", "parameter 'no': expected a name"),
        ("fixed: {x: 1, x: 2}", "the key 'x' is given twice"),
        ("grid: {x: [1]}\n    fixed: {x: 2}", "entry 0: parameter x is given twice"),
        ("each: [{x: 1}]\n    fixed: {x: 2}", "entry 0: parameter x is given twice"),
        ("fixed: {x: !!python/name:os.system }", "is not YAML"),
    ],
)
def test_a_parameter_is_never_changed_or_dropped(planned, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned(text)


def test_anchors_and_merged_mappings_are_read(planned) -> None:
    text = "each: &all\n      - &one {x: 1}\n      - {<<: *one, y: 3}\n  - page: page.ipynb\n"
    runs = planned(text + "    each: [{<<: *one, x: 5}]")
    assert [run.parameters for run in runs] == [{"x": 1}, {"x": 1, "y": 3}, {"x": 5}]


def test_a_run_made_by_hand_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"parameter day: expected text, .* date 2024-01-05"):
        Run(tmp_path / "page.ipynb", {"day": datetime.date(2024, 1, 5)})
    with pytest.raises(ValueError, match=r"parameter a: expected text, .* tuple"):
        Run(tmp_path / "page.ipynb", {"a": (1, 2)})


def test_a_run_made_by_hand_is_of_a_path_and_a_dict(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^page: expected a Path, got 'page.md'"):
        Run("page.md", {"a": 1})
    with pytest.raises(TypeError, match=r"^parameters: expected a dict, got \['a'\]"):
        Run(tmp_path / "page.md", ["a"])


def test_a_byte_order_mark_is_no_part_of_the_grid(tmp_path: Path) -> None:
    (tmp_path / "grid.yml").write_bytes(b"\xef\xbb\xbfa: on\n")
    assert read_yaml(tmp_path / "grid.yml") == {"a": Unclear("on")}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("step: int | None = None", {"step"}),
        ("query = 'a=b'", {"query"}),
        ("low, high = 0, 1", {"low", "high"}),
        ("(a, [b, *c]) = 1, [2, 3]", {"a", "b", "c"}),
        ("a = b = 3; c = 4", {"a", "b", "c"}),
        ("d: dict[str, int]", {"d"}),
        ("text = '''\nnot = 1\n'''  # x = 2", {"text"}),
        ("%matplotlib inline\nx = 1\n!ls", {"x"}),
        ("if True:\n    x = 1\nelse:\n    y = 2", {"x", "y"}),
        ("def f():\n    inner = 1\nx = f(a=2)", {"x"}),
        ("x = []\nx[0] = y.z = 3", {"x"}),
        ("long = (\n    1\n    == 2\n)", {"long"}),
        ("größe = 1", {"größe"}),
        ("", set()),
    ],
)
def test_every_assigned_name_is_a_parameter(tmp_path: Path, source: str, names: set) -> None:
    assert parameter_names(_page(tmp_path / "page.ipynb", source)) == names


def test_only_the_tagged_cell_has_parameters(tmp_path: Path) -> None:
    assert parameter_names(_page(tmp_path / "page.ipynb", "x = 1", tags=("other",))) == set()
    with pytest.raises(ValueError, match=r"parameters of page\.ipynb are not Python"):
        parameter_names(_page(tmp_path / "page.ipynb", "x = = 1"))


def test_another_language_is_left_to_papermill(tmp_path: Path) -> None:
    kernel = {"name": "ir", "language": "R", "display_name": "R"}
    page = _page(tmp_path / "page.ipynb", "x <- 1", kernelspec=kernel)
    assert parameter_names(page) == set()


def test_two_pages_of_one_name_have_runs_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        _page(tmp_path / folder / "exp.ipynb", "k = 1")
    (tmp_path / "grid.yml").write_text(
        json.dumps({"sweeps": [{"page": f"{f}/exp.ipynb", "grid": {"k": [1]}} for f in "ab"]})
    )
    names = {run.name for run in plan(tmp_path / "grid.yml")}
    for folder in ("a", "b"):
        grid = tmp_path / folder / "grid.yml"
        grid.write_text("sweeps: [{page: exp.ipynb, grid: {k: [1]}}]")
        assert plan(grid)[0].name in names
    assert len(names) == 2


@pytest.mark.parametrize("pair", [(1, 1.0), (1, True), (1, "1"), (None, "None"), ([1], "[1]")])
def test_different_values_make_different_runs(tmp_path: Path, pair: tuple) -> None:
    page = tmp_path / "page.ipynb"
    assert Run(page, {"x": pair[0]}).name != Run(page, {"x": pair[1]}).name


@pytest.mark.parametrize("key", ["fixed", "grid", "each", "page"])
def test_what_stands_beside_the_sweeps_is_not_passed_over(planned, key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}' beside 'sweeps' reaches no page"):
        planned(f"grid: {{x: [1]}}\n{key}: {{y: 5}}\n")
    shared = "shared: &one {y: 5}\nsweeps:\n  - page: page.ipynb\n    "
    assert planned("fixed: *one\n", shared)[0].parameters == {"y": 5}
