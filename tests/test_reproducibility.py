"""One seed gives the same bits on one machine; other thread counts, nearly the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[1]
RUNS = """
import sys
from pathlib import Path
import torch

torch.set_num_threads(int(sys.argv[1]))
out = Path(sys.argv[2])

import gaputils as gu
from gaputils.tiny_openmoji.training import TrainingSettings, train
from safetensors.torch import save_file

generator = torch.Generator().manual_seed(0)
queries = torch.nn.functional.normalize(torch.randn(300, 64, generator=generator), dim=1)
gallery = torch.nn.functional.normalize(torch.randn(200, 64, generator=generator), dim=1)
noise = gu.GaussianNoise(0.1)
drawn = {"draws": 50, "seed": 3}
found = {
    "exact": gu.robustness(queries, gallery, noise),
    "sampled": gu.robustness(queries, gallery, noise, "monte-carlo", **drawn),
    "cosine": gu.robustness(queries, gallery, noise, "monte-carlo", scoring="cosine", **drawn),
    "shift": gu.MeanShift(32).fit(queries, gallery).shift_,
}
for name, n, steps in (("few", 32, 300), ("many", 256, 30)):
    x, y = gu.theory.two_clusters(2, n, 16, gap=2.0, spread=0.3, seed=1)
    run = gu.theory.simulate(x, y, tau=0.2, lr=0.02, steps=steps)
    found[f"{name} points"] = run.y[-1]
    found[f"{name} losses"] = gu.theory.contrastive_loss(run.x[-1], run.y[-1], 0.2)
model = gu.load_model("tiny-openmoji", device="cpu")
embedded = gu.embed(model, gu.datasets.load("emoji10", copies=2))
found |= {"images": embedded.queries, "texts": embedded.gallery}
save_file({name: value.contiguous() for name, value in found.items()}, out / "found.safetensors")
train(TrainingSettings(steps=4, batch_size=32, warm_up=2, keep=(2,), save_every=2), out / "run")
"""

STATED = json.loads((ROOT / "book/_data/tolerances.json").read_text(encoding="utf-8"))
TOLERANCE = {name: tolerance for name, (_, tolerance) in STATED.items() if name != "training"}
"""What the page on provenance states."""


def run(threads: int, out: Path) -> Path:
    out.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", RUNS, str(threads), str(out)]
    subprocess.run(command, check=True, env=environment, timeout=900, capture_output=True)
    return out


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(1, tmp_path_factory.mktemp("first") / "out")


@pytest.fixture(scope="module")
def other_threads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(2, tmp_path_factory.mktemp("other") / "out")


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_seed_gives_the_same_bytes(first: Path, tmp_path: Path) -> None:
    """Robustness, theory runs, embeddings and a training's checkpoints, in two processes."""
    again = contents(run(1, tmp_path / "out"))
    assert len(again) == 6
    assert contents(first) == again


@pytest.mark.parametrize("name", TOLERANCE)
def test_other_thread_counts_give_nearly_the_same(
    first: Path, other_threads: Path, name: str
) -> None:
    one, two = (load_file(folder / "found.safetensors")[name] for folder in (first, other_threads))
    torch.testing.assert_close(two, one, rtol=0, atol=TOLERANCE[name])


def test_other_thread_counts_train_nearly_the_same(first: Path, other_threads: Path) -> None:
    one, two = (pd.read_csv(folder / "run/trajectory.csv") for folder in (first, other_threads))
    pd.testing.assert_frame_equal(one, two, rtol=STATED["training"][1], check_exact=False)


def test_all_that_is_computed_has_a_tolerance(first: Path) -> None:
    assert set(load_file(first / "found.safetensors")) == set(TOLERANCE)
