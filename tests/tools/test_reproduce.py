"""What `make reproduce` calls the same, and what it does not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import reproduce

ROOT = Path(__file__).resolve().parents[2]

MAP = """
* - {glue:text}`../notebooks/a.md::a_loss:.3f` and {glue:text}`../notebooks/a.md::a_word:s`
  - again {glue:text}`../notebooks/a.md::a_loss:.1f`, {glue:text}`../notebooks/b.md::b_gap:.2f`
"""
STORED = {
    "a": {
        "a_loss": {"value": 1.0, "seen": [1.01, 0.98]},
        "a_word": {"value": "rises", "seen": ["rises"]},
    },
    "b": {"b_gap": {"value": 2e-17, "seen": [3e-17]}},
}


def test_the_map_is_read_in_order_and_once() -> None:
    assert reproduce.mapped(MAP) == {"a": ["a_loss", "a_word"], "b": ["b_gap"]}


@pytest.mark.parametrize(
    ("value", "seen", "allowed"),
    [
        (1.0, [1.01, 0.98], 0.04),
        (1.0, [1.0, 1.0], 1e-3),
        (1.0, [], 1e-3),
        (-5.0, [-5.0], 5e-3),
        (2e-17, [3e-17], 1e-8),
        (24.0, ["24"], 0.024),
        ("rises", ["falls"], None),
    ],
)
def test_the_tolerance_is_twice_the_furthest_of_the_other_runs(
    value: Any, seen: list[Any], allowed: float | None
) -> None:
    assert reproduce.tolerance(value, seen) == pytest.approx(allowed)


@pytest.mark.parametrize(
    ("page", "key", "found", "same"),
    [
        ("a", "a_loss", 1.0, True),
        ("a", "a_loss", 1.039, True),
        ("a", "a_loss", 1.041, False),
        ("a", "a_loss", 0.959, False),
        ("a", "a_loss", math.nan, False),
        ("a", "a_loss", "one", False),
        ("a", "a_word", "rises", True),
        ("a", "a_word", "falls", False),
        ("a", "a_word", 1.0, False),
        ("b", "b_gap", 9e-9, True),
        ("b", "b_gap", 2e-8, False),
    ],
)
def test_what_is_the_same(page: str, key: str, found: Any, same: bool) -> None:
    findings = reproduce.compare(STORED, {page: {key: found}})
    assert {f.key: f.same for f in findings}[key] is same


def test_a_word_that_another_run_said_is_the_same() -> None:
    stored = {"a": {"w": {"value": "rises", "seen": ["falls"]}}}
    assert reproduce.compare(stored, {"a": {"w": "falls"}})[0].same
    assert not reproduce.compare(stored, {"a": {"w": "stays"}})[0].same


def test_a_value_that_is_gone_is_not_the_same() -> None:
    findings = reproduce.compare(STORED, {"a": {"a_loss": 1.0}})
    assert {f.key: f.same for f in findings} == {"a_loss": True, "a_word": False}
    lines = reproduce.report(findings).splitlines()
    assert lines[0].startswith("MISSING  a::a_word")
    assert lines[1].startswith("same     a::a_loss: 1 ± 0.04, now 1")


def test_the_map_and_the_committed_values_must_name_the_same() -> None:
    shown = reproduce.mapped(MAP)
    assert reproduce.unknown(shown, STORED) == []
    assert reproduce.unknown({"a": ["new"]}, {}) == ["a::new has no committed value"]
    assert reproduce.unknown({}, {"b": {"b_gap": {}}}) == ["b::b_gap is not in the map"]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "map.md").write_text(MAP)
    (tmp_path / "stored.json").write_text(json.dumps(STORED))
    monkeypatch.setattr(reproduce, "MAP", tmp_path / "map.md")
    monkeypatch.setattr(reproduce, "STORED", tmp_path / "stored.json")
    return tmp_path / "stored.json"


@pytest.mark.parametrize(("loss", "status"), [(1.0, 0), (1.5, 1)])
@pytest.mark.usefixtures("small")
def test_the_exit_status(monkeypatch: pytest.MonkeyPatch, loss: float, status: int) -> None:
    now = {"a": {"a_loss": loss, "a_word": "rises"}, "b": {"b_gap": 0.0}}
    monkeypatch.setattr(reproduce, "run", lambda page, *_: now[page])
    assert reproduce.main([]) == status
    assert reproduce.main(["b"]) == 0


def test_a_page_of_a_built_book_is_read_without_running_it(tmp_path: Path) -> None:
    kept = {
        key: {"metadata": {"scrapbook": {"name": key}}, "data": {"text/plain": text}}
        for key, text in {"loss": "0.25", "word": "'falls'"}.items()
    }
    (tmp_path / "page.glue.json").write_text(json.dumps(kept), "utf-8")
    assert reproduce.built(tmp_path, "page") == {"loss": 0.25, "word": "falls"}


def test_an_update_measures_and_keeps_the_other_pages(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter([{"b_gap": 1.0}, {"b_gap": 1.5}, {"b_gap": 7.0}, {"b_gap": 2.0}])
    monkeypatch.setattr(reproduce, "run", lambda *_: next(runs))
    monkeypatch.setattr(reproduce, "variations", lambda _: [({}, 2), ({"n": 7.0}, 1), ({}, 1)])
    assert reproduce.main(["--update", "b"]) == 0
    stored = json.loads(small.read_text())
    assert stored["b"] == {"b_gap": {"value": 1.0, "seen": [1.5, 2.0]}}, "7 only repeats n"
    assert stored["a"] == STORED["a"]


@pytest.mark.usefixtures("small")
def test_an_unknown_page_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        reproduce.main(["c"])
    assert "expected some of a, b, got c" in capsys.readouterr().err


def test_every_value_of_the_map_is_committed() -> None:
    shown = reproduce.mapped(reproduce.MAP.read_text(encoding="utf-8"))
    stored = json.loads(reproduce.STORED.read_text(encoding="utf-8"))
    assert reproduce.unknown(shown, stored) == []


def test_a_page_of_many_seeds_is_run_with_fewer_and_more() -> None:
    assert reproduce.variations("two_clusters") == [({}, 2), ({"seeds": 16}, 1), ({"seeds": 32}, 1)]
    assert reproduce.variations("closing_it") == [({}, 2), ({"seed": 1}, 1), ({"seed": 2}, 1)]
