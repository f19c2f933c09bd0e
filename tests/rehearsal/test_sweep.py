"""The paper's grid as it is, from the fetching to the page, on random weights and random images.

`GAP_REHEARSAL_FULL=1` makes the six models at their full size, which takes 17 GB of disk and three
hours on two cores.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlretrieve

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import papermill
import pytest

import gaputils as gu
import kernel_start
from gaputils.pages.born import one_row_a_run
from gaputils.pages.figures.many_models import gain_by
from gaputils.pages.many_models import with_sweep
from gaputils.sweep.results import load_results
from rehearsal import checkpoints, data, small
from rehearsal.hub import Hub, serving, sha256

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).resolve().parents[2]
GRID = ROOT / "grids" / "paper.yml"
FULL = bool(os.environ.get("GAP_REHEARSAL_FULL"))
RUNS = 54
KILLED_AFTER = 3
JOBS = str(os.cpu_count() or 1)
FETCH = (
    "import sys; from huggingface_hub import snapshot_download; "
    "snapshot_download(sys.argv[1], repo_type='dataset', local_dir=sys.argv[2])"
)
SWEEP = "from gaputils.cli.commands import app; app()"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The hub with the six models, and the mirror with the data sets, on this machine."""
    folder = tmp_path_factory.mktemp("served")
    made = Hub()
    if not FULL:
        small.register(folder / "configs")
    for name, tag in checkpoints.PAIRS:
        repository = checkpoints.repository_of(name, tag)
        file = checkpoints.write(name, tag, folder / repository)
        made.add(repository, file.name, file)
    for file in checkpoints.write_tokenizer(folder / "tokenizer"):
        made.add(checkpoints.SIGLIP, file.name, file)
    for place in data.CIFAR:
        target = folder / Path(place).name
        made.plain[place] = data.write_cifar(place, target, 100)
    made.plain |= data.write_coco(folder, 60)
    made.plain |= data.write_flickr(folder, 60)
    made.plain |= data.write_imagenet(folder)
    files, table = data.write_aokvqa(folder, 60)
    made.plain |= files
    made.add(data.AOKVQA_HUB, f"data/{table.name}", table)
    lines = [f"{sha256(made.plain[place])}  {place}\n" for place in data.CIFAR]
    (folder / "SHA256SUMS").write_text("".join(lines))
    with serving(made):
        yield made


@pytest.fixture(scope="module")
def named(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the environment says: where the server is, and where what is fetched is kept."""
    home = tmp_path_factory.mktemp("home")
    told = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "0",
        "GAPUTILS_CACHE": str(home / "cache"),
        "GAPUTILS_MIRROR": f"{hub.url}/mirror/good",
        "GAPUTILS_MIRROR_CHECKSUMS": str(next(iter(hub.plain.values())).parent / "SHA256SUMS"),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    if FULL:
        return told
    # Kernels know the small architectures by the real names.
    configs = str(home / "ipython" / "configs")
    lines = f"from pathlib import Path; import small; small.register(Path({configs!r}))"
    start = kernel_start.write(home / "ipython", [Path(small.__file__).parent], lines)
    return {**told, "IPYTHONDIR": str(start)}


@pytest.fixture(scope="module")
def cache(named: dict[str, str]) -> Path:
    """The data sets, fetched as their pages say: by the loader, from the hub, or by hand."""
    folder = Path(named["GAPUTILS_CACHE"])
    (folder / "imagenet").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in named.items():
            patch.setenv(key, value)
        for name in ("cifar10", "cifar100"):
            gu.datasets.load(name, download=True)
    by_hand = {
        data.COCO_IMAGES: "coco",
        data.COCO_TEXTS: "coco",
        data.FLICKR: "flickr30k",
        data.KARPATHY: "flickr30k",
        data.IMAGENET: "imagenet",
        data.AOKVQA: "aokvqa",
    }
    for place, below in by_hand.items():
        archive, _ = urlretrieve(f"{named['GAPUTILS_MIRROR']}/{place}")
        opened = tarfile.open if place.endswith(".gz") else zipfile.ZipFile
        with opened(archive) as packed:
            packed.extractall(folder / below)
        Path(archive).unlink()
    from_hub = [data.AOKVQA_HUB.removeprefix("datasets/"), str(folder / "aokvqa-hub")]
    command = [sys.executable, "-c", FETCH, *from_hub]
    subprocess.run(command, env={**os.environ, **named}, check=True)
    return folder


def test_every_data_set_is_read_as_its_source_packs_it(cache: Path) -> None:
    counts = {"cifar10": 100, "cifar100": 100, "coco": 60, "flickr30k": 60, "imagenet": 1000}
    for name, count in counts.items():
        below = cache / ("cifar" if name.startswith("cifar") else name)
        found = gu.datasets.load(name, below)
        assert len(found.images) == count
        assert found.images[count - 1].mode == "RGB"
    assert gu.datasets.load("cifar10", cache / "cifar").info["as_published"] is False
    authors = gu.datasets.load("aokvqa", cache / "aokvqa", images=cache / "coco")
    hubs = gu.datasets.load("aokvqa", cache / "aokvqa-hub")
    assert authors.questions == hubs.questions
    assert len(authors.images) == len(hubs.images) == 60
    assert authors.images[59].size == (640, 480)


def sweep(out: Path, named: dict[str, str]) -> subprocess.Popen[str]:
    """The command, started in a session of its own."""
    command = [sys.executable, "-c", SWEEP, "sweep", str(GRID), "--out", str(out), "--jobs", JOBS]
    return subprocess.Popen(
        command,
        env={**os.environ, **named},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def swept(
    named: dict[str, str],
    cache: Path,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, set[str], str]:
    """The folder of a sweep that was killed and run again; what was done by then; what it said."""
    out = tmp_path_factory.mktemp("sweep") / "paper"
    first = sweep(out, named)
    while len(list(out.glob("*.json"))) < KILLED_AFTER:
        assert first.poll() is None, first.communicate()
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    done = {file.stem for file in out.glob("*.json") if _done(file)}
    assert KILLED_AFTER <= len(done) < RUNS
    assert not (out / "results.parquet").exists()
    second = sweep(out, named)
    said, wrong = second.communicate()
    assert second.returncode == 0, wrong[-3000:]
    return out, done, said


def _done(file: Path) -> bool:
    record: dict[str, Any] = json.loads(file.read_text())
    return record["status"] == "done"


def test_the_second_run_does_what_the_first_had_not(swept: tuple[Path, set[str], str]) -> None:
    out, done, said = swept
    assert f"{RUNS} runs, {len(done)} of them done and unchanged" in said
    assert f"{RUNS - len(done)} done" in said
    assert f"{len(done)} skipped" in said
    assert len(list(out.glob("*.json"))) == len(list(out.glob("*.ipynb"))) == RUNS


def test_runs_that_differ_in_noise_alone_embed_once(
    swept: tuple[Path, set[str], str], cache: Path
) -> None:
    assert swept
    assert len(list((cache / "embedded").iterdir())) == 6 * 2


def test_its_results_are_whole(swept: tuple[Path, set[str], str]) -> None:
    runs = one_row_a_run(load_results(swept[0] / "results.parquet"))
    assert len(runs) == RUNS
    assert set(runs["kind"]) == {"pretrained"}
    assert set(zip(runs["model"], runs["pretrained"], strict=True)) == set(checkpoints.PAIRS)
    assert runs["name"].nunique() == 6 * 5
    values = runs.filter(regex="one_(gap_norm|queries_recall|robustness_original|gain_)")
    assert values.notna().all().any()
    assert (runs["one_gap_norm"] > 0).all()
    assert runs["one_robustness_original_cosine"].between(0, 1).all()
    noise = runs[runs["dataset"] == "cifar10"].pivot(
        index=["model", "pretrained"], columns="variance", values="one_robustness_original_cosine"
    )
    assert (noise[0.005] >= noise[0.04]).all(), "more noise leaves fewer answers"


def test_they_reach_the_page(swept: tuple[Path, set[str], str]) -> None:
    kept = pd.DataFrame({"set": [], "closing": [], "scoring": [], "trained": [], "gap": []})
    frame = with_sweep(kept, swept[0] / "results.parquet", 0.04)
    assert frame["set"].nunique() == 6 * 5
    assert {"cosine", "euclidean"} == set(frame["scoring"])
    axes = gain_by(frame).axes
    points = [len(line.get_xdata()) for ax in axes for line in ax.lines]
    assert sum(points) >= len(frame)
    plt.close("all")


def test_the_page_runs_with_them(
    swept: tuple[Path, set[str], str],
    named: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key, value in named.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the tests' own shows no figure on a page
    papermill.execute_notebook(
        str(ROOT / "notebooks" / "many_models.ipynb"),
        str(tmp_path / "page.ipynb"),
        parameters={"sweep": str(swept[0] / "results.parquet"), "guard": False},
        cwd=str(ROOT / "notebooks"),
        progress_bar=False,
        log_output=False,
    )
    cells = nbformat.read(tmp_path / "page.ipynb", 4).cells
    drawn = [out for cell in cells if "with_sweep" in cell.source for out in cell.outputs]
    assert any("image/png" in out.get("data", {}) for out in drawn)


def test_all_six_were_fetched_from_the_hub(swept: tuple[Path, set[str], str], hub: Hub) -> None:
    assert swept
    weights = [one for one in hub.requests if re.match("GET /large/.*safetensors", one)]
    assert set(weights) == {
        f"GET /large/{checkpoints.repository_of(name, tag)}/open_clip_model.safetensors"
        for name, tag in checkpoints.PAIRS
    }
