"""The README's numbers are what the package computes, and its lines run as a reader has them."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from gaputils.pages import intro

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
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
    stored = intro.storage_noise(clip)
    assert (
        f"a variance of {stored['eight_bits']:.0e}, with 4 bits {stored['four_bits']:.4f}, with "
        f"one bit {stored['one_bit']:.2f}"
    ) in text


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
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "snippet.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_there_are_no_other_lines() -> None:
    assert len(CODE) == 2
    assert not any(line.startswith(("images", "captions")) for line in "".join(CODE).splitlines())
