"""Streaming statistics equal those of all rows at once, however the rows arrive."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from gaputils.closing.mean_shift import fit_mean_shift
from gaputils.geometry import Moments, moment_measures, streaming, sums
from gaputils.geometry.streaming import GapStatistics, folder_statistics


def rows(n: int, d: int = 12, offset: float = 0.3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator) * torch.linspace(0.05, 1, d) + offset


def in_memory(queries: torch.Tensor, gallery: torch.Tensor) -> dict[str, float]:
    return moment_measures(Moments.of(queries), Moments.of(gallery))


def assert_same(statistics: GapStatistics, expected: dict[str, float], rel: float = 1e-6) -> None:
    found = {name: float(value) for name, value in statistics.compute().items()}
    assert found == pytest.approx(expected, rel=rel)


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(1, 299), max_size=6), seed=st.integers(0, 99))
def test_any_split_of_the_rows_gives_the_same(cuts: list[int], seed: int) -> None:
    x, y = rows(300, seed=seed), rows(200, offset=-0.2, seed=seed + 1)
    statistics = GapStatistics(12)
    edges = [0, *sorted(set(cuts)), 300]
    for start, stop in itertools.pairwise(edges):
        statistics.update(queries=x[start:stop])
    statistics.update(gallery=y)
    assert_same(statistics, in_memory(x, y), rel=1e-9)


def test_the_names_are_rows_of_measure_gap_with_the_same_values(published) -> None:
    e = published("liang2022-clip-coco")
    statistics = GapStatistics(512)
    for start in range(0, 500, 130):
        part = slice(start, start + 130)
        statistics.update(queries=e.queries[part], gallery=e.gallery[part])
    computed = statistics.compute()
    measured = gu.measure_gap(e, list(computed))
    for name, value in computed.items():
        assert float(value) == pytest.approx(measured[name], rel=1e-6), name


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("kind", ["array", "mapped"])
def test_blocks_shared_among_threads_give_the_same_each_time(kind: str, tmp_path: Path) -> None:
    x, y = rows(9000), rows(5000, offset=-0.2, seed=1)
    given: list[object] = [x, y]
    if kind == "mapped":
        for name, side in (("x", x), ("y", y)):
            np.save(tmp_path / f"{name}.npy", side.numpy())
        given = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("x", "y")]
    found = [GapStatistics(12) for _ in range(2)]
    for statistics in found:
        statistics.update(*given)
    assert_same(found[0], in_memory(x, y), rel=1e-9)
    assert torch.equal(found[0].queries_state, found[1].queries_state)


@pytest.mark.usefixtures("three_threads")
def test_threads_that_find_a_value_that_is_not_finite_leave_the_state_alone() -> None:
    x = rows(9000)
    x[7000, 3] = torch.inf
    statistics = GapStatistics(12)
    with pytest.raises(ValueError, match=r"^queries: .*inf"):
        statistics.update(queries=x)
    assert float(statistics.queries_state.abs().sum()) == 0


def test_a_far_offset_loses_no_variance() -> None:
    x = rows(4000, offset=0.0).double() + 1e7
    statistics = GapStatistics(12)
    for part in x.split(700):
        statistics.update(queries=part, gallery=part)
    expected = x.var(0, correction=0).sum()
    assert float(statistics.compute()["variance_queries"]) == pytest.approx(float(expected), 1e-9)


def test_single_precision_products_average_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_DOUBLE_ROWS", 1000)
    x, y = rows(30_000, d=150), rows(30_000, d=150, offset=-0.1, seed=1)
    statistics = GapStatistics(150)
    for a, b in zip(x.split(5000), y.split(5000), strict=True):
        statistics.update(queries=a, gallery=b)
    assert_same(statistics, in_memory(x, y))


@pytest.mark.parametrize("n_components", [None, 5, 0.9])
def test_fitted_mean_shift_equals_the_one_in_memory(n_components: int | float | None) -> None:
    x, y = rows(400), rows(300, seed=1)
    y[:, 8:] = 0.25
    statistics = GapStatistics(12)
    for a, b in zip(x.split(100), y.split(75), strict=True):
        statistics.update(queries=a, gallery=b)
    streamed = fit_mean_shift(statistics, n_components, alpha=0.7)
    fitted = gu.MeanShift(n_components=n_components, alpha=0.7).fit(x, y)
    assert streamed.get_params() == fitted.get_params()
    assert streamed.n_components_ == fitted.n_components_
    torch.testing.assert_close(streamed.shift_, fitted.shift_, rtol=1e-6, atol=1e-7)
    for a, b in zip(streamed.transform(x, y), fitted.transform(x, y), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_a_streamed_mean_shift_asks_for_what_one_in_memory_does() -> None:
    statistics = GapStatistics(12)
    statistics.update(rows(40), rows(8, seed=1))
    assert fit_mean_shift(statistics).get_params() == gu.MeanShift().get_params()
    with pytest.raises(ValueError, match=r"^n_components: .* got -1"):
        fit_mean_shift(statistics, -1)
    with pytest.raises(ValueError, match=r"^n_components: 'auto' needs the rows"):
        fit_mean_shift(statistics, "auto")


def test_mean_shift_of_published_embeddings(published) -> None:
    e = published("liang2022-clip-coco")
    statistics = GapStatistics(512)
    statistics.update(e.queries, e.gallery[:100])
    fitted = gu.MeanShift().fit(e.queries, e.gallery[:100])
    streamed = fit_mean_shift(statistics)
    assert streamed.n_components_ == fitted.n_components_ == 99
    torch.testing.assert_close(streamed.shift_, fitted.shift_, rtol=1e-6, atol=1e-7)


def test_merge_state_and_reset() -> None:
    x, y = rows(100), rows(80, seed=1)
    first, second, empty = GapStatistics(12), GapStatistics(12), GapStatistics(12)
    first.update(x[:40], y[:10])
    second.update(x[40:], y[10:])
    first.merge_state(second)
    first.merge_state(empty)
    assert_same(first, in_memory(x, y), rel=1e-9)
    first.reset()
    with pytest.raises(ValueError, match="queries: no rows yet"):
        first.moments("queries")


def test_statistics_of_another_dimension_are_not_merged() -> None:
    statistics = GapStatistics(12)
    statistics.update(rows(9), rows(9, seed=1))
    with pytest.raises(ValueError, match="incoming_state: expected rows of 12 dimensions, got 3"):
        statistics.merge_state(GapStatistics(3))
    assert_same(statistics, in_memory(rows(9), rows(9, seed=1)), rel=1e-9)


@pytest.mark.parametrize(("folder", "error"), [("", ValueError), (None, TypeError)])
def test_a_folder_that_is_none_is_named(folder, error) -> None:
    with pytest.raises(error, match=r"^folder: expected"):
        folder_statistics(folder)


def test_all_rows_of_the_sides_are_taken_in_with_a_bar_for_each(monkeypatch) -> None:
    asked: list[tuple[int, dict]] = []

    def bar(starts, **options):
        asked.append((len(starts), options))
        return starts

    monkeypatch.setattr(sums, "bar", bar)
    monkeypatch.setattr(sums, "_AT_ONCE", 70)
    x, y = rows(150), rows(140, offset=-0.2, seed=1)
    statistics = GapStatistics(12)
    streaming.take_in(statistics, queries=x, gallery=y)
    assert_same(statistics, in_memory(x, y), rel=1e-9)
    names = ("queries", "gallery")
    expected = [{"desc": f"statistics of the {name}", "leave": False} for name in names]
    assert asked == [(3, expected[0]), (2, expected[1])]


def test_memory_mapped_halves_and_integers(tmp_path: Path) -> None:
    x = rows(10_000).half()
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", (rows(9_000, seed=1) * 50).round().numpy().astype(np.int16))
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    statistics = GapStatistics(12)
    statistics.update(*mapped)
    assert_same(statistics, in_memory(x.float(), torch.tensor(mapped[1]).float()))


def test_forward_gives_the_measures_of_the_batch() -> None:
    statistics = GapStatistics(12)
    x, y = rows(50), rows(50, seed=1)
    statistics(x[:20], y[:20])
    batch = statistics(x[20:], y[20:])
    expected = in_memory(x[20:], y[20:])
    assert float(batch["gap_norm"]) == pytest.approx(expected["gap_norm"])
    assert_same(statistics, in_memory(x, y), rel=1e-9)


@pytest.mark.parametrize(
    ("update", "error", "message"),
    [
        ({}, ValueError, "queries, gallery: expected at least one"),
        ({"queries": np.zeros((3, 5))}, ValueError, "queries: expected dimension 12, got 5"),
        ({"gallery": np.zeros(12)}, ValueError, "gallery: expected shape"),
        ({"gallery": [[0.0] * 12]}, TypeError, "gallery: expected a NumPy array"),
        ({"gallery": np.full((3, 12), math.nan)}, ValueError, "gallery: expected finite values"),
        ({"queries": np.full((3, 12), "a")}, TypeError, "queries: expected real numbers"),
        ({"gallery": torch.eye(3, 12).to_sparse()}, TypeError, "gallery: .* layout torch.sparse"),
        ({"queries": torch.empty(3, 12, device="meta")}, TypeError, "queries: .* meta device"),
    ],
)
def test_bad_rows_are_named_and_change_nothing(update, error, message) -> None:
    statistics = GapStatistics(12)
    statistics.update(rows(10), rows(10, seed=1))
    before = {name: value.clone() for name, value in statistics.metric_state.items()}
    with pytest.raises(error, match=message):
        statistics.update(**update)
    for name, value in statistics.metric_state.items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def _worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    x, y = rows(101), rows(64, seed=1)
    statistics = GapStatistics(12)
    statistics.update(x[rank::2], y[:10] if rank == 0 else y[10:])
    result = {name: float(value) for name, value in statistics.compute().items()}
    torch.save(
        {"measures": result, "shift": fit_mean_shift(statistics).shift_}, f"{folder}/{rank}.pt"
    )
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_two_processes_merge_to_the_whole(tmp_path: Path) -> None:
    mp.start_processes(_worker, args=(str(tmp_path),), nprocs=2, start_method="fork")
    x, y = rows(101), rows(64, seed=1)
    for rank in range(2):
        saved = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert saved["measures"] == pytest.approx(in_memory(x, y), rel=1e-9)
        expected = gu.MeanShift().fit(x, y).shift_
        torch.testing.assert_close(saved["shift"], expected, rtol=1e-6, atol=1e-7)
