"""Every page runs under papermill with other parameters: another model, data set, size or seed.

A run takes every third page, another third each day; the nightly run takes all.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import papermill
import pytest

from forked_kernels import forked_kernels
from gaputils.models.loading import export_checkpoint
from siblings import sibling

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LOCAL = "a folder that open_clip reads"

OTHER: dict[str, dict[str, Any]] = {
    "_template": {"model": LOCAL, "seed": 1, "guard": False},
    "all_methods": {"model": LOCAL, "items": 20, "draws": 2, "variance": 0.1, "guard": False},
    "born": {"variance": 0.1, "copies": 10, "seed": 1, "guard": False},
    "closing_it": {
        "model": LOCAL,
        "variances": [0.01, 0.1],
        "closing": "HullProjection",
        "draws": 5,
        "seed": 1,
        "guard": False,
    },
    "compressed_indexes": {
        "model": LOCAL,
        "items": 20,
        "sizes": [25, 40],
        "dim": 32,
        "bins": [16, 64],
        "compared": 16,
        "seed": 1,
        "guard": False,
    },
    "double_stochasticity": {
        "n": 16,
        "d": 8,
        "tau": 0.3,
        "steps": 150,
        "seeds": 20,
        "pairs": 64,
        "guard": False,
    },
    "exact_robustness": {
        "model": LOCAL,
        "items": 20,
        "variance": 0.1,
        "seed": 1,
        "guard": False,
    },
    "explorer": {"seed": 1, "guard": False},
    "groups": {
        "model": LOCAL,
        "count": 5,
        "draws": 2,
        "shares": [0.0, 1.0],
        "seed": 1,
        "guard": False,
    },
    "hull_projection": {
        "model": LOCAL,
        "variance": 0.1,
        "sizes": [5, 20, 40],
        "draws": 5,
        "guard": False,
    },
    "intro": {"variance": 0.1, "captions": 20, "guard": False},
    "many_models": {"variance": 0.1, "seed": 1, "guard": False},
    "mixed_galleries": {
        "model": LOCAL,
        "halves": 2,
        "emoji_halves": 1,
        "sizes": [25, 50],
        "sample": [20, 40],
        "seed": 1,
        "guard": False,
    },
    "moving_the_gap": {"model": LOCAL, "items": 20, "variance": 0.1, "seed": 1, "guard": False},
    "multiple_choice": {"model": LOCAL, "questions": 60, "options": 3, "guard": False},
    "real_models": {"dataset": "emoji10", "steps": [50, 400], "rows": 60, "seed": 1},
    "real_changes": {
        "model": LOCAL,
        "items": 60,
        "size": 20,
        "templates_each": 4,
        "qualities": [50],
        "variances": [1e-3, 1e-2],
        "guard": False,
    },
    "relative_alignment": {
        "tau": 0.3,
        "gap": 1.0,
        "n": 12,
        "d": 6,
        "steps": 100,
        "seeds": 20,
        "guard": False,
    },
    "same_numbers": {"model": LOCAL, "captions": 2, "images": 40, "classes": 10, "guard": False},
    "scores": {"model": LOCAL, "labels": 3, "counts": [2, 10], "seed": 1, "guard": False},
    "sigmoid_gap": {
        "n": 12,
        "d": 8,
        "tau": 0.4,
        "steps": 200,
        "seeds": 3,
        "rows": 6,
        "guard": False,
    },
    "speed": {
        "queries": 60,
        "dim": 64,
        "rows": 3000,
        "steps": 10,
        "classes": 4,
        "rounds": 2,
        "gallery": 600,
        "guard": False,
    },
    "trade_off": {
        "model": LOCAL,
        "items": 30,
        "sizes": [10, 40, 80],
        "dim": 32,
        "draws": 3,
        "variance": 0.1,
        "guard": False,
    },
    "two_clusters": {
        "n": 12,
        "d": 20,
        "long_steps": 300,
        "long_seeds": 3,
        "tau": 0.3,
        "steps": 200,
        "seeds": 20,
        "sweep_steps": 100,
        "guard": False,
    },
    "variance_along_gap": {"n": 16, "d": 8, "tau": 0.2, "steps": 80, "seeds": 20, "guard": False},
    "why_distance_hurts": {"n": 30, "m": 5, "d": 16, "seeds": 20, "draws": 200, "guard": False},
    "your_own_embeddings": {
        "model": LOCAL,
        "variance": 0.1,
        "items": 20,
        "rows": 60,
        "scoring": "euclidean",
        "seed": 1,
        "guard": False,
    },
}

# Parameters that take minutes.
NIGHTLY: dict[str, dict[str, Any]] = {"closing_it": {"dataset": "openmoji"}}

THIRD = datetime.datetime.now(tz=datetime.UTC).toordinal() % 3


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    export_checkpoint(folder, step=400)
    return folder


WRITTEN = {page.stem for page in NOTEBOOKS.glob("*.md")}


@pytest.mark.parametrize("page", sorted(WRITTEN | set(OTHER)))
def test_every_page_has_other_parameters_and_a_sibling(page: str) -> None:
    assert page in WRITTEN, f"{page}: OTHER names a page that is gone"
    assert page in OTHER, f"{page}: give it other parameters in OTHER of tests/book/test_pages.py"
    written = NOTEBOOKS / f"{page}.ipynb"
    text = written.read_text(encoding="utf-8") if written.is_file() else ""
    stale = f"{written.name} is not what {page}.md says: run `make notebooks`"
    assert text == sibling(NOTEBOOKS / f"{page}.md"), stale


@pytest.mark.parametrize("page", OTHER)
def test_prose_that_may_not_hold_elsewhere_can_be_let_be(page: str) -> None:
    text = (NOTEBOOKS / f"{page}.md").read_text(encoding="utf-8")
    if re.search(r"\bown=(?!True)", text):
        assert "\nguard: bool = True" in text
        assert OTHER[page]["guard"] is False


@pytest.mark.slow
@pytest.mark.parametrize("page", OTHER)
def test_page_runs_with_other_parameters(
    page: str,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    nightly = pytestconfig.getoption("--nightly")
    if list(OTHER).index(page) % 3 != THIRD and not nightly:
        pytest.skip("another third of the pages has its turn today")
    other = OTHER[page] | (NIGHTLY.get(page, {}) if nightly else {})
    chosen = {k: str(checkpoint) if v == LOCAL else v for k, v in other.items()}
    execute(page, chosen, tmp_path / "out.ipynb", monkeypatch)


# Those that load a model, which goes to a GPU; the runtimes of real changes are on the processor.
ON_GPU = [
    page
    for page in sorted(set(OTHER) - {"real_changes"})
    if re.search(r"load_model|^model: str", (NOTEBOOKS / f"{page}.md").read_text("utf-8"), re.M)
]


@pytest.mark.nightly
@pytest.mark.parametrize("page", ON_GPU)
def test_page_runs_on_a_gpu(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kernel_start  # not above: `tools/clean_run.py` takes the parameters from this file
    import pretended_gpu

    begun = tmp_path / "begun"
    lines = (
        "import pretended_gpu as p; kept = p.pretended_gpu(); kept.__enter__(); "
        f"open({str(begun)!r}, 'w').close()"
    )
    start = kernel_start.write(tmp_path / "ipython", [Path(pretended_gpu.__file__).parent], lines)
    monkeypatch.setenv("IPYTHONDIR", str(start))
    chosen = {name: value for name, value in OTHER[page].items() if value != LOCAL}
    execute(page, chosen, tmp_path / "out.ipynb", monkeypatch)
    assert begun.exists()


def execute(page: str, chosen: dict[str, Any], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a page with the parameters `chosen`."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = NOTEBOOKS / f"{page}.ipynb"
    assert set(chosen) <= set(papermill.inspect_notebook(str(notebook)))
    with forked_kernels():
        papermill.execute_notebook(
            str(notebook),
            str(out),
            parameters=chosen,
            cwd=str(NOTEBOOKS),
            progress_bar=False,
            log_output=False,
        )
    assert out.stat().st_size > 0
