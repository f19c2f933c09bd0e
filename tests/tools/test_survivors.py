"""The list of explained survivors: how a mutant is matched with its reason."""

from __future__ import annotations

import ast
import fnmatch
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from survivors import (
    Survivor,
    explain,
    function_of,
    listing,
    parse_diff,
    parse_results,
    status_alone,
)

ROOT = Path(__file__).resolve().parents[2]

DIFF = """# gaputils.closing.hull.x_project__mutmut_3: survived
--- gaputils/closing/hull.py
+++ gaputils/closing/hull.py
@@ -1,3 +1,3 @@
 def project(values):
-    return values.to(queries)
+    return values.to(None)
"""


def test_names_become_those_of_the_source() -> None:
    assert (
        function_of("gaputils.noise._exact.x__chebyshev__mutmut_12")
        == "gaputils.noise._exact._chebyshev"
    )
    method = "gaputils.closing.hull_projection.xǁHullProjectionǁ_ratio__mutmut_4"
    assert function_of(method) == "gaputils.closing.hull_projection.HullProjection._ratio"


def test_results_and_diffs_are_read() -> None:
    text = "    gaputils.a.x_f__mutmut_1: survived\n    gaputils.a.x_f__mutmut_2: no tests\nx\n"
    assert parse_results(text) == {
        "gaputils.a.x_f__mutmut_1": "survived",
        "gaputils.a.x_f__mutmut_2": "no tests",
    }
    assert parse_diff(DIFF) == "- return values.to(queries)\n+ return values.to(None)"


def test_a_survivor_needs_a_rule_for_its_function_and_its_change() -> None:
    rules = [
        {"why": "elsewhere", "in": ["gaputils.theory.*"], "change": [r"None"]},
        {"why": "device", "in": ["*"], "change": [r"\+ .*\.to\(None\)"]},
    ]
    here = Survivor("gaputils.closing.hull_projection.project", parse_diff(DIFF))
    assert explain(here, rules) == 1
    assert explain(Survivor("gaputils.theory.f", "+ x(None)"), rules) == 0
    assert explain(Survivor(here.function, "- a\n+ b"), rules) is None


def test_the_list_has_every_survivor_under_its_reason() -> None:
    rules = [{"why": "Device."}, {"why": "Time."}]
    one = Survivor("gaputils.scoring.cost", "- a\n+ b")
    text = listing(10, rules, [[one], []])
    assert "Of 10 changes to the core, 9 failed" in text
    assert text.index("## Device.") < text.index("`gaputils.scoring.cost`") < text.index("## Time.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("assert os.environ['MUTANT_UNDER_TEST'] == 'a.x_f__mutmut_1'", "survived"),
        ("assert False", "killed"),
        ("pass\nraise TypeError('when it is imported')", "killed"),
        ("time.sleep(60)", "timeout"),
    ],
)
def test_a_mutant_that_did_not_end_is_tested_once_more(
    body: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = {"tests_by_mangled_function_name": {"a.x_f": ["test_a.py::test_a"]}}
    (tmp_path / "mutants").mkdir()
    (tmp_path / "mutants/mutmut-stats.json").write_text(json.dumps(stats))
    (tmp_path / "mutants/test_a.py").write_text(f"import os, time\ndef test_a():\n    {body}\n")
    (tmp_path / "pyproject.toml").write_text("[tool.mutmut]\npytest_add_cli_args = ['-x', '-q']\n")
    monkeypatch.chdir(tmp_path)
    seconds = 3 if status == "timeout" else 60
    assert status_alone("a.x_f__mutmut_1", seconds) == status


def test_a_mutant_whose_tests_cannot_run_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = {"tests_by_mangled_function_name": {"a.x_f": ["test_a.py"]}}
    (tmp_path / "mutants").mkdir()
    (tmp_path / "mutants/mutmut-stats.json").write_text(json.dumps(stats))
    (tmp_path / "pyproject.toml").write_text("[tool.mutmut]\npytest_add_cli_args = ['-x']\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"pytest ended with 4 for a\.x_f__mutmut_1"):
        status_alone("a.x_f__mutmut_1")


def functions_of_the_core() -> Iterator[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for pattern in settings["tool"]["mutmut"]["only_mutate"]:
        for file in ROOT.glob(pattern):
            module = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                inside = node.body if isinstance(node, ast.ClassDef) else [node]
                owner = f"{module}.{node.name}" if isinstance(node, ast.ClassDef) else module
                yield from (f"{owner}.{n.name}" for n in inside if isinstance(n, ast.FunctionDef))


def test_every_rule_is_complete_and_names_functions_of_the_core() -> None:
    rules = yaml.safe_load((ROOT / "tests/survivors.yml").read_text(encoding="utf-8"))
    known = list(functions_of_the_core())
    for rule in rules:
        assert set(rule) == {"why", "in", "change"}
        assert rule["why"].endswith(".")
        for pattern in rule["in"]:
            assert fnmatch.filter(known, pattern), f"{pattern}: the core has no such function"
