"""The list of explained survivors: how a mutant is matched with its reason."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from survivors import (  # noqa: E402
    Survivor,
    explain,
    function_of,
    listing,
    parse_diff,
    parse_results,
)

DIFF = """# gaputils.closing.hull.x_project__mutmut_3: survived
--- gaputils/closing/hull.py
+++ gaputils/closing/hull.py
@@ -1,3 +1,3 @@
 def project(values):
-    return values.to(queries)
+    return values.to(None)
"""


def test_names_become_those_of_the_source() -> None:
    assert function_of("gaputils._exact.x__chebyshev__mutmut_12") == "gaputils._exact._chebyshev"
    method = "gaputils.closing.hull.xǁHullProjectionǁ_ratio__mutmut_4"
    assert function_of(method) == "gaputils.closing.hull.HullProjection._ratio"


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
    here = Survivor("gaputils.closing.hull.project", parse_diff(DIFF))
    assert explain(here, rules) == 1
    assert explain(Survivor("gaputils.theory.f", "+ x(None)"), rules) == 0
    assert explain(Survivor(here.function, "- a\n+ b"), rules) is None


def test_the_list_has_every_survivor_under_its_reason() -> None:
    rules = [{"why": "Device."}, {"why": "Time."}]
    one = Survivor("gaputils.scoring.cost", "- a\n+ b")
    text = listing(10, rules, [[one], []])
    assert "Of 10 changes to the core, 9 failed" in text
    assert text.index("## Device.") < text.index("`gaputils.scoring.cost`") < text.index("## Time.")


def test_every_rule_is_complete() -> None:
    rules = yaml.safe_load((ROOT / "tests/survivors.yml").read_text(encoding="utf-8"))
    for rule in rules:
        assert set(rule) == {"why", "in", "change"}
        assert rule["why"].endswith(".")
