"""Saved closings without PyTorch: equal to the full package, light, and clear about its limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gaputils as gu
from closing.helpers import named
from gaputils import serving

CLOSINGS = [
    gu.MeanShift(),
    gu.HullProjection(),
    gu.HullProjection(radius=2),
    gu.HullProjection(radius=2, center=True),
    gu.HullProjection(3, center=True),
    gu.HullProjection(covariance=np.diag(np.arange(1.0, 13))),
    gu.NaiveShift(0.5, side="both", renormalize=True),
    gu.Centering(),
    gu.GRCLIP(),
    gu.Standardizing(),
    gu.Standardizing("coordinate"),
    gu.ReAlign(renormalize=True),
    gu.DimensionAblation(),
    gu.DimensionAblation(3, renormalize=False),
    gu.Procrustes(scale=True),
    gu.Whitening(),
    gu.Coral(),
    gu.NearestNeighborNormalization(3),
    gu.HullProjection(radius="auto"),
]
CLOSINGS += [
    kind()
    for name, kind in sorted(gu.closing.registered().items())
    if name in set(gu.closing.__all__) - {"MixedGallery"}
    and kind not in {type(listed) for listed in CLOSINGS}
]


def sides(dtype=np.float64):
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(8, 12)) + 1
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return (rng.normal(size=(8, 12)) - 0.5).astype(dtype), gallery.astype(dtype)


@pytest.mark.parametrize("closing", CLOSINGS, ids=named)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_served_equals_the_full_package(closing, dtype, tmp_path: Path) -> None:
    queries, gallery = sides(dtype)
    fitted = closing.fit(queries, gallery)
    served = serving.load(fitted.save(tmp_path / "closing.safetensors"))
    assert served.name == type(closing).__name__
    for side, rows in (("queries", queries), ("gallery", gallery)):
        if getattr(served, side) is None:
            with pytest.raises(ValueError, match=f"^{side}: {served.name} cannot move them"):
                getattr(served, f"transform_{side}")(rows)
            continue
        found = getattr(served, f"transform_{side}")(rows)
        expected = getattr(fitted, f"transform_{side}")(rows)
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=2 * np.finfo(dtype).eps * 8)


def test_only_what_needs_the_other_side_is_not_served(tmp_path: Path) -> None:
    missing = set()
    for closing in CLOSINGS:
        served = serving.load(closing.fit(*sides()).save(tmp_path / "closing.safetensors"))
        missing |= {(served.name, s) for s in ("queries", "gallery") if getattr(served, s) is None}
    assert missing == {("HullProjection", "queries"), ("NearestNeighborNormalization", "gallery")}


SCRIPT = r"""
import json, re, sys
from gaputils import serving
import numpy as np
served = serving.load(sys.argv[1])
moved = served.transform_queries(np.load(sys.argv[2]))
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1024
heavy = sorted({"torch", "sklearn", "scipy", "pandas"} & set(sys.modules))
print(json.dumps({"peak": peak, "heavy": heavy, "moved": moved.tolist()}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_serving_is_light(tmp_path: Path) -> None:
    queries, gallery = sides()
    fitted = gu.HullProjection(radius=2).fit(queries, gallery)
    path = fitted.save(tmp_path / "closing.safetensors")
    np.save(tmp_path / "queries.npy", queries)
    command = [sys.executable, "-c", SCRIPT, str(path), str(tmp_path / "queries.npy")]
    run = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert run["heavy"] == []
    np.testing.assert_allclose(run["moved"], fitted.transform_queries(queries), atol=1e-12)
    assert run["peak"] < 60


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
@pytest.mark.parametrize("options", [{"radius": 2}, {"center": True}], ids=str)
def test_what_is_kept_for_a_query_does_not_grow_with_the_gallery(
    options: dict[str, object], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    sizes = set()
    for items in (1000, 20_000):
        statistics = gu.GapStatistics(64)
        for start in range(0, items, 1000):
            statistics.update(rows[:100], rows[start : start + 1000])
        closing = gu.fit_hull_projection(statistics, **options)
        sizes.add(closing.save(tmp_path / "closing.safetensors").stat().st_size)
        served = serving.load(tmp_path / "closing.safetensors")
        np.testing.assert_allclose(
            served.transform_queries(rows[:1]), closing.transform_queries(rows[:1]), atol=1e-6
        )
    assert max(sizes) - min(sizes) < 64


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (np.zeros(12), ValueError, r"queries: expected shape \(rows, 12\), got \(12,\)"),
        (np.zeros((2, 11)), ValueError, r"queries: expected shape \(rows, 12\), got \(2, 11\)"),
        (np.full((2, 12), np.nan), ValueError, "queries: expected finite values"),
        (np.full((2, 12), "a"), TypeError, "queries: expected an array of real numbers"),
        ([[0.0] * 12], TypeError, "queries: expected an array of real numbers, got list"),
    ],
)
def test_rows_that_cannot_be_moved_are_named(rows, error, message: str, tmp_path: Path) -> None:
    served = serving.load(gu.Centering().fit(*sides()).save(tmp_path / "closing.safetensors"))
    with pytest.raises(error, match=message):
        served.transform_queries(rows)


@pytest.mark.parametrize("closing", [gu.MeanShift(), gu.HullProjection()], ids=named)
@pytest.mark.parametrize("rows", [np.ma.masked_less(sides()[0], 0), np.zeros((0, 12))])
def test_what_the_full_package_refuses_is_refused_in_its_words(
    closing, rows, tmp_path: Path
) -> None:
    fitted = closing.fit(*sides())
    served = serving.load(fitted.save(tmp_path / "closing.safetensors"))
    for side in ("queries", "gallery"):
        told = []
        for way in (fitted, served):
            with pytest.raises((TypeError, ValueError)) as caught:
                getattr(way, f"transform_{side}")(rows)
            told.append((caught.type, str(caught.value)))
        assert told[0] == told[1]
        assert told[0][1].startswith(f"{side}: expected")


def test_a_row_of_zeros_is_refused_where_a_direction_is_needed(tmp_path: Path) -> None:
    fitted = gu.Standardizing().fit(*sides())
    served = serving.load(fitted.save(tmp_path / "closing.safetensors"))
    for way in (fitted, served):
        with pytest.raises(ValueError, match="queries: expected rows of norm above zero"):
            way.transform_queries(np.zeros((1, 12)))


def test_rows_that_their_dtype_cannot_hold_are_refused_once_moved(tmp_path: Path) -> None:
    fitted = gu.NaiveShift(alpha=1e5).fit(*sides())
    served = serving.load(fitted.save(tmp_path / "closing.safetensors"))
    assert np.isfinite(served.transform_gallery(sides(np.float32)[1])).all()
    for way in (fitted, served):
        with pytest.raises(ValueError, match=r"^gallery: expected rows that are finite .* float16"):
            way.transform_gallery(sides(np.float16)[1])


def test_files_that_are_no_closing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path: there is no file .*nowhere"):
        serving.load(tmp_path / "nowhere")
    gu.Embeddings(*sides()).save(tmp_path / "embeddings")
    with pytest.raises(ValueError, match=r"path: expected a saved closing .* in .*embeddings"):
        serving.load(tmp_path / "embeddings")
    whole = gu.MeanShift().fit(*sides()).save(tmp_path / "good").read_bytes()
    for keep in (0, 7, 60, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=r"path: .*cut is not a whole saved closing"):
            serving.load(tmp_path / "cut")
