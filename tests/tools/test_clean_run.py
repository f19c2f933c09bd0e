"""Notebooks in an environment that has only what Colab has, and what their set-up cell installs."""

from __future__ import annotations

import importlib
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clean_run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool, imported."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield importlib.import_module("clean_run")
    sys.modules.pop("clean_run", None)


def test_what_is_lent_is_whole_and_no_more(clean_run: Any) -> None:
    found = clean_run.needed(["pandas"])
    assert {"pandas", "numpy", "python-dateutil"} <= set(found)
    assert "pytest" not in found
    assert clean_run.needed(["no-such-distribution"]) == {}


def test_the_clean_environment_sees_what_is_lent_and_nothing_else(
    clean_run: Any, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    clean_run.lend(["safetensors"], tmp_path / "lent", python)

    def imports(name: str) -> bool:
        asked = [python, "-I", "-c", f"import {name}"]
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0

    assert imports("safetensors")
    assert not imports("numpy")
    assert not imports("gaputils")


def test_small_parameters_are_those_of_the_pages_tests(clean_run: Any) -> None:
    assert clean_run.small("intro") == {"variance": 0.1, "captions": 20, "guard": False}
    assert "model" not in clean_run.small("real_changes")


@pytest.mark.nightly
def test_every_notebook_runs_as_on_colab(tmp_path: Path) -> None:
    tool = str(ROOT / "tools" / "clean_run.py")
    command = [sys.executable, tool, "--lend", "--small", "--out", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0
