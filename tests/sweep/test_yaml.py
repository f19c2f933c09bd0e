"""Plain values of YAML 1.2, those that versions read differently, and keys given twice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gaputils.sweep._yaml import Unclear, read_yaml


def read(folder: Path, text: str) -> Any:
    (folder / "grid.yml").write_text(text, encoding="utf-8")
    return read_yaml(folder / "grid.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-12", -12),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 1e-3),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("6E+2", 600.0),
        ("-.inf", -math.inf),
        ("~", None),
        ("null", None),
        ("TRUE", True),
        ("false", False),
        ("word", "word"),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("[1, [a, 2.5]]", [1, ["a", 2.5]]),
    ],
)
def test_a_value_is_what_it_looks_like(tmp_path: Path, text: str, value: Any) -> None:
    found = read(tmp_path, f"x: {text}")["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["yes", "No", "ON", "off", "010", "-007", "12:30", "1:2:3", "2024-01-02", "1e999", "-1e400"],
)
def test_what_can_be_read_in_two_ways_is_unclear(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"x: {text}")["x"] == Unclear(text)
    assert read(tmp_path, f"{text}: 1") == {Unclear(text): 1}


def test_nan_is_a_number(tmp_path: Path) -> None:
    assert math.isnan(read(tmp_path, "x: .nan")["x"])


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"grid\.yml is not YAML.*the key 'a' is given twice"):
        read(tmp_path, "b: 1\na: 1\na: 2\n")
    with pytest.raises(ValueError, match="the key 'a' is given twice"):
        read(tmp_path, "x:\n  - {a: 1, a: 1}\n")


@pytest.mark.parametrize("text", ["a: &a [1, *a]", "a: &a {b: *a}"])
def test_what_contains_itself_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.yml").write_text(text)
    with pytest.raises(ValueError, match=r"^grid: .*grid.yml is not YAML: .*recursive"):
        read_yaml(tmp_path / "grid.yml")


def test_mappings_can_be_merged(tmp_path: Path) -> None:
    found = read(tmp_path, "base: &b {a: 1, c: 2}\nx:\n  <<: *b\n  a: 3\n")
    assert found["x"] == {"a": 3, "c": 2}


@pytest.mark.parametrize(
    "text", ["x: [1", "x: !!python/object/apply:os.getcwd []", "\t- x", "x: 'a\x85b'"]
)
def test_another_file_names_itself(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"^grid: .*grid\.yml is not YAML"):
        read(tmp_path, text)
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "absent.yml")
