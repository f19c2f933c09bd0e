"""The wheel works without the repository; importing it is quick, quiet and touches no network."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
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


@pytest.mark.nightly
def test_import_takes_less_than_a_second(tmp_path: Path) -> None:
    code = "import time; t = time.perf_counter(); import gaputils; print(time.perf_counter() - t)"
    assert min(float(python(code, tmp_path, ROOT)) for _ in range(3)) < 1
