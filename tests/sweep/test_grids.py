"""The notebook that the project's grids execute gives a row of numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from forked_kernels import forked_kernels
from gaputils.pages.born import one_row_a_run
from gaputils.sweep.grid import Run
from gaputils.sweep.results import load_results
from gaputils.sweep.run import run_sweep
from rehearsal.data import write_coco

PAGE = Path(__file__).resolve().parents[2] / "grids" / "one_model.md"
SMALL = {"dataset": "emoji10", "items": 10, "variance": 0.1, "rows": 60}


@pytest.mark.slow
def test_one_model_is_one_row_of_the_table(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with forked_kernels():
        done = run_sweep([Run(PAGE, {"step": 50, **SMALL})], tmp_path)
    assert done["status"].tolist() == ["done"], done["error"].tolist()
    (row,) = one_row_a_run(load_results(tmp_path / "results.parquet")).to_dict("records")
    assert (row["name"], row["kind"]) == ("tiny-openmoji, step 50", "training history")
    assert 0 < row["one_robustness_original_euclidean"] < 1


@pytest.mark.slow
def test_captions_are_embedded_without_a_template(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for archive in write_coco(tmp_path, 30).values():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(tmp_path / "coco")
    given = {"step": 50, **SMALL, "dataset": "coco", "root": str(tmp_path / "coco")}
    with forked_kernels():
        done = run_sweep([Run(PAGE, given)], tmp_path / "out")
    assert done["status"].tolist() == ["done"], done["error"].tolist()
    (row,) = one_row_a_run(load_results(tmp_path / "out" / "results.parquet")).to_dict("records")
    assert row["one_gap_norm"] > 0
    assert row["one_asked"] == 30, "with ten captions a gallery, every image is asked about once"
    assert 0 <= row["one_gallery_recall_at_5"] <= 1
