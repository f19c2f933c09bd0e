"""The README's numbers are what the package computes, and its lines run as a reader has them."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import gaputils as gu
from gaputils.pages import intro

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
NAME = "liang2022-clip-coco"


@pytest.fixture(scope="module")
def clip(published) -> gu.Embeddings:
    published(NAME)
    return gu.datasets.published(NAME, normalize=True)


@pytest.fixture(scope="module")
def frame(clip: gu.Embeddings) -> pd.DataFrame:
    return intro.headline(clip, 0.04, (100, 500))


@pytest.fixture(scope="module")
def found(clip: gu.Embeddings, frame: pd.DataFrame) -> dict[str, float]:
    few = intro.headline(intro.leading_dimensions(clip, 64), 0.04, (100,))
    return intro.numbers(frame, few)


def told_tables() -> list[dict[str, list[str]]]:
    """Each table of closings: its rows' cells by the closing's name."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in README.splitlines()
        if line.startswith("| ") and line.count("|") == 5
    ]
    heads = [index for index, row in enumerate(rows) if "cosine" in row] + [len(rows)]
    return [{row[0]: row[1:] for row in rows[start + 1 : end]} for start, end in pairwise(heads)]


@pytest.mark.parametrize(("place", "captions"), [(0, 100), (1, 500)])
def test_tables_are_what_the_published_embeddings_give(
    frame: pd.DataFrame, place: int, captions: int
) -> None:
    wanted = intro.table(frame, captions)
    assert told_tables()[place] == {name: list(row) for name, row in wanted.iterrows()}


def test_claims_hold(frame: pd.DataFrame, found: dict[str, float]) -> None:
    assert [claim for claim, holds in intro.claims(frame, found).items() if not holds] == []


def test_right_answers_and_storage_are_told_as_measured(
    clip: gu.Embeddings, found: dict[str, float]
) -> None:
    text = " ".join(README.split())
    right = {key: f"{found[f'few_{key}_right']:.3f}" for key in ("original", "shift", "centred")}
    gains = [
        f"+{found[f'few_{key}_right_gain']:.3f} ± {found[f'few_{key}_right_error']:.3f}"
        for key in ("centred", "means")
    ]
    assert (
        f"{right['original']} are answered rightly as they are, {right['shift']} after the shift "
        f"and {right['centred']} centred ({gains[0]})"
    ) in text
    assert f"gives {found['few_means_right']:.3f} ({gains[1]}): as many" in text
    assert f"changes {found['few_means_changed']:.0f} % of the noise-free answers" in text
    first = intro.noise_first(clip, 0.04, 100)["few_means_first"]
    assert f"with the noise on the captions as they are it gives {first:.3f}" in text
    stored = intro.storage_noise(clip)
    assert (
        f"a variance of {stored['eight_bits']:.0e}, with 4 bits {stored['four_bits']:.4f}, with "
        f"one bit {stored['one_bit']:.2f}"
    ) in text


@pytest.fixture
def headline(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool that measures the headline, imported."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield importlib.import_module("headline")
    sys.modules.pop("headline", None)


def test_picture_and_cards_say_what_the_tables_say(headline: Any, frame: pd.DataFrame) -> None:
    committed = (ROOT / "book" / "_data" / "headline.json").read_text(encoding="utf-8")
    stored, measured = json.loads(committed), json.loads(headline.told(frame))
    assert stored["variance"] == measured["variance"]
    for size, row in measured["captions"].items():
        assert stored["captions"][size] == pytest.approx(row, abs=2e-4)
    with Image.open(ROOT / "book" / "_static" / "story.png") as picture:
        assert picture.info["headline"] == committed


def test_the_picture_is_drawn_with_its_numbers(
    headline: Any, clip: gu.Embeddings, frame: pd.DataFrame, tmp_path: Path
) -> None:
    headline.draw(clip, frame, tmp_path / "story.png")
    with Image.open(tmp_path / "story.png") as drawn:
        assert drawn.info["headline"] == headline.told(frame)
        with Image.open(ROOT / "book" / "_static" / "story.png") as committed:
            assert drawn.size == pytest.approx(committed.size, rel=0.05)


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    inner = {"all", "book", "test"}
    assert set(told) - {"notebooks", "book", "gaputils", "tests"} == (
        set(project["optional-dependencies"]) - inner
    )
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in README
    line = "Programming Language :: Python :: 3."
    minors = [name.removeprefix(line) for name in project["classifiers"] if name.startswith(line)]
    assert re.findall(r"3\.(\d+)", re.search(r"Tried on Python (.*?)\. ", README)[1]) == minors


def test_times_are_the_recorded_ones() -> None:
    recorded = pd.read_csv(ROOT / "gaputils" / "data" / "benchmarks.csv")
    value = recorded.set_index("quantity")["value"]
    rows = "statistics of 10,000,000 × 512 rows"
    seconds, peak = value[f"{rows} in a file"], value[f"{rows}: peak memory"]
    text = " ".join(README.split())
    assert f"10,000,000 × 512 rows takes {seconds:.0f} s and {peak:.2f} GB on 2 cores" in text


def test_no_other_number_was_typed() -> None:
    """Whatever has a unit of time or memory in the README is held by the test above."""
    told = re.findall(r"[\d.,]+ (?:s|ms|min|MB|GB|GiB|kB)\b", README)
    assert told == ["63 s", "0.98 GB"]


@pytest.mark.usefixtures("clip")
def test_the_ten_lines_run_and_print_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(CODE[0], {})
    said = re.findall(r"print\(.*\)  # (.*)", CODE[0])
    printed = [
        ", ".join(f"{float(number):.3f}" for number in re.findall(r"\d+\.\d+", line))
        for line in capsys.readouterr().out.splitlines()
    ]
    assert printed == said
    assert (tmp_path / "closing.safetensors").is_file()


@pytest.mark.parametrize("precision", [np.float32, np.float16])
def test_the_lines_for_own_arrays_run_on_the_published_files(
    published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: type
) -> None:
    raw = published(NAME)
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", raw.queries.numpy().astype(precision))
    np.save("captions.npy", raw.gallery.numpy().astype(precision))
    here: dict[str, object] = {}
    exec(CODE[1], here)
    before = gu.scoring.nearest(here["e"].queries, here["e"].gallery, "cosine")
    after = gu.scoring.nearest(here["queries"], here["gallery"], "cosine")
    assert (before == after).double().mean() >= 0.998


@pytest.mark.nightly
@pytest.mark.parametrize("block", [0, 1])
def test_the_lines_pass_strict_types(block: int, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "snippet.py").write_text(CODE[block])
    command = [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "snippet.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_there_are_no_other_lines() -> None:
    assert len(CODE) == 2
    assert not any(line.startswith(("images", "captions")) for line in "".join(CODE).splitlines())
