"""The README's numbers are what the package computes, and its code runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gaputils as gu

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_table_is_what_the_published_embeddings_give(published) -> None:
    e = published("liang2022-clip-coco")
    queries, gallery = e.queries.double(), e.gallery[:100].double()
    gallery = torch.nn.functional.normalize(gallery, dim=1)
    noise = gu.GaussianNoise(0.04)
    closings = [None, gu.MeanShift(), gu.HullProjection(radius="auto")]
    measured = []
    for closing in closings:
        sides = (queries, gallery)
        if closing is not None:
            sides = closing.fit(*sides).transform(*sides)
        measured.append(f"{float(gu.robustness(*sides, noise).mean()):.3f}")
    told = re.search(r"\| \*\*([\d.]+)\*\* \| \*\*([\d.]+)\*\* \| \*\*([\d.]+)\*\* \|", README)
    assert told is not None
    assert list(told.groups()) == measured


def test_ten_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import" in b)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2, 40, 16, generator=generator) + torch.tensor([1.0, -1.0])[:, None, None]
    images, captions = torch.nn.functional.normalize(rows, dim=2)
    monkeypatch.chdir(tmp_path)
    exec(code, {"images": images, "captions": captions[:8]})
    assert (tmp_path / "closing.safetensors").is_file()
    assert "gap" in capsys.readouterr().out


@pytest.mark.nightly
def test_ten_lines_on_arrays_pass_strict_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    code = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import" in b)
    arrays = "import numpy as np\n\nimages, captions = np.ones((9, 4), np.float32), np.eye(4)\n"
    (tmp_path / "snippet.py").write_text(arrays + code)
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", str(tmp_path / "snippet.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
