"""The wheel works without the repository; importing it is quick, quiet and touches no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "torchvision", "open_clip", "matplotlib", "seaborn", "faiss", "papermill", "datasets",
    "IPython", "sklearn", "pooch",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    (built,) = builders.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone, away from the repository; what it needs comes from this environment."""
    target = tmp_path_factory.mktemp("elsewhere") / "site"
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return target


def python(code: str, cwd: Path, *path: Path) -> str:
    """What `code` prints in a fresh interpreter in `cwd` that finds `path` first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked() -> set[str]:
    """The package's files as the repository has them."""
    asked = ["git", "ls-files", "gaputils"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    own = {name for name in names(wheel) if ".dist-info/" not in name}
    assert tracked() <= own
    assert {name.split("/")[0] for name in own} == {"gaputils"}
    assert not [name for name in own if "__pycache__" in name or name.endswith(".part")]
    assert wheel.stat().st_size < 16e6


def test_the_wheel_carries_types_licences_and_attribution(wheel: Path) -> None:
    inside = names(wheel)
    assert {"gaputils/py.typed", "gaputils/__init__.pyi"} <= inside
    assert [name for name in inside if name.endswith(".dist-info/licenses/LICENSE")]
    with zipfile.ZipFile(wheel) as archive:
        attribution = archive.read("gaputils/data/ATTRIBUTION.md").decode()
        card = archive.read("gaputils/data/MODEL_CARD.md").decode()
    assert "OpenMoji" in attribution
    assert "CC BY-SA 4.0" in attribution
    assert "OpenMoji" in card


def test_the_wheel_describes_itself(wheel: Path) -> None:
    (listed,) = (name for name in names(wheel) if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(listed).decode())
        commands = archive.read(listed.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "gaputils = gaputils.cli:app" in commands


WORKS = """
import gaputils as gu
from gaputils.pages.born import recorded
from gaputils.pages.example import shipped
model = gu.load_model("tiny-openmoji", step=0, device="cpu")
assert gu.models.training_steps()[0] == 0
assert len(recorded()) > 0
assert len(gu.sweep.load_results()) > 0
assert len(gu.datasets.published_sources()) > 0
assert gu.embed(model, gu.datasets.load("emoji10", copies=1)).dim == model.dim
print(gu.__file__)
"""


def test_the_wheel_works_without_the_repository(installed: Path, tmp_path: Path) -> None:
    assert python(WORKS, tmp_path, installed).startswith(str(installed))


def test_the_command_works_without_the_repository(installed: Path, tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['gaputils', '--help'];"
        f"runpy.run_path({str(installed / 'bin' / 'gaputils')!r}, run_name='__main__')"
    )
    assert "Usage: gaputils" in python(code, tmp_path, installed)


@pytest.mark.nightly
def test_a_build_from_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("build", reason="build is not installed")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (through_source,) = tmp_path.glob("*.whl")
    assert names(through_source) == names(wheel)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        inside = {Path(name).name for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "ATTRIBUTION.md"} <= inside


REFUSING = """
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError(f"the network was asked: {arguments}")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
"""
LOADED = f"print(*[name for name in {HEAVY!r} if name in sys.modules])"


def test_import_is_quiet_and_asks_no_network(tmp_path: Path) -> None:
    code = f"{REFUSING}\nimport gaputils\n{LOADED}\nprint('torch' in sys.modules)"
    assert python(code, tmp_path, ROOT).split() == ["False"]


def test_every_public_name_is_there_without_network(tmp_path: Path) -> None:
    code = f"{REFUSING}\nimport gaputils\nfor name in dir(gaputils): getattr(gaputils, name)"
    assert python(code, tmp_path, ROOT) == ""


CORE = (
    "from gaputils import Embeddings, GaussianNoise, MeanShift, gap_vector, measure_gap, "
    "read_pair, robustness, robustness_curve, theory, zero_shot"
)


def test_the_core_loads_no_models_and_no_figures(tmp_path: Path) -> None:
    code = f"import sys\n{CORE}\n{LOADED}"
    assert set(python(code, tmp_path, ROOT).split()) <= {"sklearn"}


OTHERS = [version for version in ("3.11", "3.12", "3.13") if not sys.version.startswith(version)]


@pytest.fixture(scope="module", params=OTHERS)
def elsewhere(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The commands of a fresh environment of another Python, with the wheel and what it needs."""
    command = shutil.which(f"python{request.param}")
    # What pyenv puts on the path asks this which Python is meant.
    environment = {**os.environ, "PYENV_VERSION": request.param}
    probe = [str(command), "-c", "import ensurepip, venv"]
    if command is None or subprocess.run(probe, env=environment, capture_output=True).returncode:
        pytest.skip(f"there is no Python {request.param} on the PATH")
    folder = tmp_path_factory.mktemp("elsewhere") / request.param
    try:
        subprocess.run([command, "-m", "venv", str(folder)], env=environment, check=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
        done = subprocess.run(install, capture_output=True, text=True)
        if "connection broken" in done.stderr:
            pytest.skip("what the package needs cannot be fetched")
        assert done.returncode == 0, done.stderr
        yield folder / "bin"
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # gigabytes


BEFORE = """
import warnings
import numpy as np
warnings.simplefilter("error")
rng = np.random.default_rng(0)
texts = rng.normal(size=(30, 64))
for name, rows in (("images", texts + 0.3 * rng.normal(size=texts.shape) + 2), ("captions", texts)):
    np.save(name, rows.astype(np.float16))
"""
AFTER = """
before = gu.scoring.nearest(e.queries, e.gallery, "cosine")
assert (gu.scoring.nearest(queries, gallery, "cosine") == before).all()
from gaputils import serving
light = serving.load(closing.save("kept.safetensors"))
moved = light.transform_queries(e.queries.numpy())
np.testing.assert_allclose(moved, queries, atol=1e-5)
print(gu.__version__, gu.report(e).best)
"""
FIRST_DAY = (
    (["--version"], 0, "gaputils "),
    (["report", "images.npy", "captions.npy"], 0, "Closing the gap helps"),
    (["robustness", "images.npy", "captions.npy", "--closing", "MeanShift"], 0, "MeanShift()"),
    (["close", "images.npy", "captions.npy", "-o", "closed.npy"], 0, "closed.npy: MeanShift()"),
    (["close", "images.npy", "captions.npy", "-o", "c.npz", "--load", "kept.safetensors"],
     0, "c.npz: HullProjection(center=True)"),
    (["robustness", "images.npy", "captions.npy", "--scoring", "dot"], 1, "'inner-product' here"),
    (["embed", "tiny-openmoji", "emoji10", "-o", "e.safetensors"], 1, "gaputils[models]"),
    (["sweep", "grid.yml", "-o", "runs"], 1, "gaputils[sweep]"),
    (["report", "images.npy", "captions.npy", "--figure", "a.png"], 1, "gaputils[plots]"),
)  # fmt: skip


@pytest.mark.nightly
def test_a_first_day_on_another_python(elsewhere: Path, tmp_path: Path) -> None:
    """README's lines for own arrays and the commands, with the newest of what they need."""
    own = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "day.py").write_text(BEFORE + own + AFTER)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*command: str) -> tuple[int, str]:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    code, told = run(str(elsewhere / "python"), "day.py")
    assert code == 0, told
    assert "hull projection" in told
    for arguments, wanted, words in FIRST_DAY:
        code, told = run(str(elsewhere / "gaputils"), *arguments)
        assert (code, words in told) == (wanted, True), f"{arguments}: {code}, {told}"
