"""kill -9 at random moments, a full disk, two writers at once: the end is that of a quiet run.

Each campaign starts its work, kills it after a random share of the time that it needs, and looks
that no whole file is lost; after the last kill the work is let finish and compared. Five kills in
the ordinary run, fifty with ``--nightly``. A disk is full from a size on that one file exceeds.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pandas as pd
import pytest

from forked_kernels import fork_server

IMPORTED = ["gaputils.encoding.to_folder", "gaputils.tiny_openmoji.training", "gaputils.sweep.run"]

EMBED = """
import gaputils as gu
model = gu.load_model("tiny-openmoji", step=0, device="cpu")
data = gu.datasets.load("emoji10", copies=8)
gu.embed_to_folder(model, data, target, shard_size=8, batch_size=4, progress=False)
"""
TRAIN = """
from gaputils.tiny_openmoji.training import TrainingSettings, train
train(TrainingSettings(steps=8, batch_size=16, warm_up=2, keep=(0, 3), save_every=2), target)
"""
SWEEP = """
from gaputils.sweep.grid import plan
from gaputils.sweep.run import run_sweep
runs = run_sweep(plan(source), target, echo=lambda _: None)
raise SystemExit(int((runs["status"] == "failed").any()))
"""
BUILD = """
import sys
from jupyter_book.cli.main import main
sys.argv = ["jupyter-book", "build", source, "--path-output", target, "-n", "-W"]
main()
"""
PAGE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

```{code-cell} ipython3
:tags: [parameters]
a: int = 1
```

```{code-cell} ipython3
from IPython.display import display

data = {"application/papermill.record/text/plain": repr(a * a)}
display(data, raw=True, metadata={"scrapbook": {"name": "square"}})
print("the square is", a * a)
```
"""


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
"""

# What a started process does, in a group of its own so that all of it can be killed.
WORK = """
import os
os.setsid()
import torch
torch.set_num_threads(1)
exec(compile(code, "campaign", "exec"), dict(names))
"""


def start(code: str, names: dict[str, str]) -> BaseProcess:
    process = fork_server(IMPORTED).Process(
        target=exec, args=(WORK, {"code": code, "names": names})
    )
    process.start()
    return process


def finish(code: str, names: dict[str, str]) -> float:
    """Let the work end; its seconds."""
    started = time.monotonic()
    process = start(code, names)
    process.join(300)
    assert process.exitcode == 0
    return time.monotonic() - started


def kill_after(code: str, names: dict[str, str], seconds: float) -> bool:
    """Start, wait, and kill the whole group; whether it was still at work."""
    process = start(code, names)
    process.join(seconds)
    running = process.exitcode is None
    if running:
        try:
            os.killpg(process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:  # it has not made its group yet
            process.kill()
    process.join(60)
    return running


@dataclass
class Campaign:
    code: str
    names: dict[str, str]
    whole: Callable[[Path], dict[str, bytes]]
    content: Callable[[Path], object]

    def run(self, folder: Path, kills: int, seed: int) -> None:
        """Kill `kills` runs at random moments; the last run's content is that of a quiet one."""
        quiet, disturbed = folder / "quiet", folder / "disturbed"
        seconds = finish(self.code, {**self.names, "target": str(quiet)})
        names = {**self.names, "target": str(disturbed)}
        chance, killed = random.Random(seed), 0
        kept: dict[str, bytes] = {}
        for _ in range(20 * kills):
            fresh, started = not disturbed.exists(), time.monotonic()
            stopped = kill_after(self.code, names, chance.uniform(0, seconds))
            killed += stopped
            if fresh and not stopped:  # the quiet run was slowed by something else
                seconds = min(seconds, time.monotonic() - started)
            now = self.whole(disturbed)
            assert kept.items() <= now.items(), "a whole file was lost or changed"
            kept = now
            if killed == kills:
                break
            if self.content(disturbed) == self.content(quiet):
                shutil.rmtree(disturbed)
                kept = {}
        assert killed == kills
        finish(self.code, names)
        assert self.content(disturbed) == self.content(quiet)


def visible(folder: Path) -> dict[str, bytes]:
    """Every file but the hidden ones, which a kill may leave and nobody reads."""
    paths = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def with_ending(*endings: str) -> Callable[[Path], dict[str, bytes]]:
    return lambda folder: {k: v for k, v in visible(folder).items() if k.endswith(endings)}


def results(folder: Path) -> object:
    """What a sweep found, without its times."""
    file = folder / "results.parquet"
    if not file.is_file():
        return None
    table = pd.read_parquet(file).drop(columns="seconds", errors="ignore")
    return table.sort_values(["run", "name"]).to_csv(index=False)


def records(folder: Path) -> dict[str, bytes]:
    found = with_ending(".json")(folder)
    for name, record in found.items():
        assert json.loads(record)["status"] == "done", name
    return found


def html(folder: Path) -> object:
    """The pages as built, without what names the folder or the moment."""
    built = folder / "_build" / "html"
    if not (built / "index.html").is_file():
        return None
    pages = sorted(built.glob("*.html"))
    return {page.name: re.sub(r"\?(v|digest)=\w+", "", page.read_text()) for page in pages}


@pytest.fixture
def campaigns(tmp_path: Path) -> dict[str, Campaign]:
    grid, book = tmp_path / "grid.yml", tmp_path / "book"
    (tmp_path / "page.md").write_text(PAGE)
    grid.write_text("sweeps:\n  - page: page.md\n    grid: {a: [1, 2, 3]}\n")
    book.mkdir()
    (book / "page.md").write_text(re.sub(r"^(data = |display\(data).*\n", "", PAGE, flags=re.M))
    (book / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (book / "_config.yml").write_text("title: A book\nexecute: {execute_notebooks: cache}\n")
    return {
        "embedding": Campaign(EMBED, {}, with_ending(".safetensors"), visible),
        "training": Campaign(TRAIN, {}, lambda _: {}, visible),
        "sweeping": Campaign(SWEEP, {"source": str(grid)}, records, results),
        "building": Campaign(BUILD, {"source": str(book)}, lambda _: {}, html),
    }


@pytest.mark.parametrize(
    ("what", "kills", "nightly"),
    [("embedding", 2, 20), ("training", 1, 14), ("sweeping", 1, 10), ("building", 1, 6)],
)
def test_killed_at_random_moments(
    what: str, kills: int, nightly: int, campaigns, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    often = nightly if request.config.getoption("--nightly") else kills
    campaigns[what].run(tmp_path / "runs", often, seed=often)


@pytest.mark.parametrize(
    "what",
    ["embedding", pytest.param("training", marks=pytest.mark.nightly), "sweeping", "building"],
)
def test_a_disk_that_fills(what: str, campaigns, tmp_path: Path) -> None:
    campaign = campaigns[what]
    quiet, cramped = tmp_path / "quiet", tmp_path / "cramped"
    finish(campaign.code, {**campaign.names, "target": str(quiet)})
    largest = max(file.stat().st_size for file in quiet.rglob("*") if file.is_file())
    names = {**campaign.names, "target": str(cramped)}
    stopped = start(FULL + campaign.code, {**names, "limit": str(int(0.9 * largest))})
    stopped.join(300)
    assert stopped.exitcode not in (0, None)
    for notebook in cramped.glob("*.ipynb"):
        json.loads(notebook.read_text())
    if what == "embedding":
        assert campaign.whole(cramped).items() < campaign.whole(quiet).items()
    finish(campaign.code, names)
    assert campaign.content(cramped) == campaign.content(quiet)


@pytest.mark.parametrize(
    "what", ["embedding", pytest.param("training", marks=pytest.mark.nightly), "sweeping"]
)
def test_two_writers_at_once(what: str, campaigns, tmp_path: Path) -> None:
    campaign = campaigns[what]
    quiet, shared = tmp_path / "quiet", tmp_path / "shared"
    finish(campaign.code, {**campaign.names, "target": str(quiet)})
    names = {**campaign.names, "target": str(shared)}
    two = [start(campaign.code, names) for _ in range(2)]
    for process in two:
        process.join(300)
    assert sorted(process.exitcode or 0 for process in two) in ([0, 0], [0, 1])
    assert campaign.content(shared) == campaign.content(quiet)
