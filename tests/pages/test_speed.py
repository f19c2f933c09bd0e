"""Contenders that give the same, times, memory, and the figure of their ratios."""

from __future__ import annotations

import time
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.pages.figures.speed import time_ratios
from gaputils.pages.speed import contenders, timing
from gaputils.pages.speed.memory import peak_memory
from pretended_gpu import pretended_gpu


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_ratios_have_their_bars_and_names(ax) -> None:
    table = pd.DataFrame(
        {"ratio": [4.0, 0.5], "ratio_low": [3.0, 0.4], "ratio_high": [5.0, 0.6]},
        index=pd.MultiIndex.from_tuples([("sum", "loop"), ("sum", "half")]),
    )
    time_ratios(table, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sum:\nloop", "sum:\nhalf"]
    assert [line.get_xdata().tolist() for line in ax.lines[:2]] == [[4.0], [0.5]]
    assert ax.get_xscale() == "log"
    assert time_ratios(table).figure is not ax.figure
    plt.close("all")


def test_recorded_rivals_are_among_what_was_recorded() -> None:
    found = timing.recorded_ratios()
    assert len(found) == len(time_ratios(found).get_yticklabels())
    plt.close("all")
    assert (found["ratio_low"] <= found["ratio"]).all()
    seeds = "a loop over 32 seeds beside the batch"
    every = timing.recorded().query("quantity == @seeds")["value"]
    row = found.loc[("simulation of 32 seeds", "a loop over seeds")]
    assert row["ratio"] == every.iloc[-1] == timing.last_recorded()["value"][seeds]


def test_of_what_several_machines_measured_the_last_is_taken(monkeypatch) -> None:
    table = pd.DataFrame({"quantity": ["a", "b", "a"], "value": [1.0, 2.0, 3.0]})
    monkeypatch.setattr(timing, "recorded", lambda: table)
    assert timing.last_recorded()["value"].to_dict() == {"a": 3.0, "b": 2.0}


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cpu")


def test_exact_and_sampled_robustness_agree_within_their_error() -> None:
    calls = contenders.robustness_calls(40, 6, 32, draws=400)
    exact, (sampled, _) = calls["exact"](), calls["Monte Carlo"]()
    assert abs(exact.mean() - sampled.mean) < 5 * sampled.standard_error


def test_a_curve_is_what_the_loop_gives() -> None:
    calls = contenders.curve_calls(3, 20, 8, 16, variances=(0.01, 0.1))
    curve, loop = calls["one curve"](), calls["a loop"]()
    ordered = curve.sort_values(["alpha", "variance"])["robustness"]
    np.testing.assert_allclose(ordered, loop, atol=2e-5)


@pytest.mark.parametrize("kind", ["array", "tensor", "file"])
def test_moments_are_the_librarys(kind: str, tmp_path) -> None:
    array = np.random.default_rng(0).standard_normal((5000, 7), dtype=np.float32)
    if kind == "file":
        np.save(tmp_path / "rows.npy", array)
        rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    else:
        rows = torch.from_numpy(array) if kind == "tensor" else array
    calls = contenders.moments_calls(rows)
    moments, total, (mean, covariance) = (call() for call in calls.values())
    np.testing.assert_allclose(moments.mean, mean, atol=1e-6)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-5)
    np.testing.assert_allclose(total / len(rows), moments.mean, atol=1e-12)


def test_classifiers_are_the_same(model: gu.Model) -> None:
    pytest.importorskip("clip_benchmark")
    ours, theirs = (call() for call in contenders.classifier_calls(2, model).values())
    assert ours.shape == (2, model.dim)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_images_are_embedded_as_by_the_encoder(model: gu.Model) -> None:
    ours, bare = (call() for call in contenders.image_calls(10, model, batch_size=4).values())
    assert ours.shape == (10, model.dim)
    torch.testing.assert_close(ours, torch.nn.functional.normalize(bare, dim=1), rtol=0, atol=1e-6)


def test_seeds_end_where_a_loop_and_autograd_end() -> None:
    calls = contenders.simulation_calls(3, steps=20, n=6, dim=4)
    batch, loop, one = calls["all seeds"](), calls["a loop over seeds"](), calls["one seed"]()
    for number, run in enumerate(loop):
        torch.testing.assert_close(batch.x[:, number], run.x)
    torch.testing.assert_close(one.x, loop[0].x)
    a, b = calls["one seed, autograd"]()
    torch.testing.assert_close(one.x[-1], a, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.y[-1], b, rtol=1e-4, atol=1e-5)


def test_hulls_are_the_same_and_the_randomised_one_a_part() -> None:
    directions, plain, gram, leading = (c() for c in contenders.hull_calls(60, 8).values())
    variances = directions[1]
    torch.testing.assert_close(variances, plain.S.square() / 60)
    torch.testing.assert_close(variances, gram.eigenvalues.flip(0) / 60)
    assert leading.n_components_ == 2
    np.testing.assert_allclose(leading.explained_variance_, variances[:2] * 60 / 59, rtol=1e-3)


ON_GPU = {
    "robustness": lambda: contenders.robustness_calls(20, 6, 16, device="cuda"),
    "a curve": lambda: contenders.curve_calls(3, 10, 8, 16, device="cuda"),
    "moments": lambda: contenders.moments_calls(contenders.random_rows(100, 16, device="cuda")),
    "a classifier": lambda: contenders.classifier_calls(2, _on_gpu()),
    "images": lambda: contenders.image_calls(4, _on_gpu(), batch_size=2),
    "a simulation": lambda: contenders.simulation_calls(2, 3, 8, 4, device="cuda"),
    "a hull": lambda: contenders.hull_calls(30, 16, device="cuda"),
}


def _on_gpu() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cuda", precision="fp32")


@pytest.mark.parametrize("name", ON_GPU)
def test_what_is_timed_runs_on_a_gpu(name: str) -> None:
    pytest.importorskip("clip_benchmark")
    with pretended_gpu():
        calls = ON_GPU[name]()
        calls.pop("one seed, autograd", None)  # the pretended one has no engine of gradients
        for call in calls.values():
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: contenders.classifier_calls(1001, m),
            "classes: expected at most 1000, got 1001",
        ),
        (lambda m: contenders.image_calls(10**6, m), "images: expected at most .* got 1000000"),
        (lambda m: contenders.image_calls(0, m), "images: .*got 0"),
        (lambda _: contenders.curve_calls(1), "alphas: .*got 1"),
    ],
)
def test_bad_sizes_are_named(call, message: str, model: gu.Model) -> None:
    with pytest.raises(ValueError, match=message):
        call(model)


def test_the_peak_rises_by_what_is_held_for_a_moment() -> None:
    peak = peak_memory("b'1' * 300_000_000", setup="part = bytes(1000)")
    assert 299 < peak.after - peak.before < 310
    assert peak.seconds > 0


def test_what_was_freed_before_is_in_the_peak_before() -> None:
    peak = peak_memory("b'1' * 50_000_000", setup="b'1' * 200_000_000")
    assert peak.after - peak.before < 1
    assert peak.before > 200


def test_what_the_code_prints_does_not_disturb() -> None:
    assert peak_memory("print('1 2 3', end='')").seconds < 10


def test_a_failing_process_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)code: the process ended with 1: .*no such thing"):
        peak_memory("raise LookupError('no such thing')")


def test_calls_take_turns_and_are_warmed_up() -> None:
    made: list[str] = []
    calls = {name: partial(made.append, name) for name in "abc"}
    table = timing.compare_times(calls, rounds=40)
    turns = ["".join(made[start : start + 3]) for start in range(0, len(made), 3)]
    assert turns[0] == "abc"
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"}
    assert len(set(turns)) == 6
    assert list(table.columns) == ["a", "b", "c"]
    assert len(table) == 40
    assert (table > 0).all(axis=None)


def test_a_call_that_sleeps_is_timed_as_long_as_it_sleeps() -> None:
    assert timing.seconds_of(lambda: time.sleep(0.02)) >= 0.02


def test_ratios_are_taken_within_each_round() -> None:
    seconds = pd.DataFrame({"fast": [1.0, 2.0, 10.0], "slow": [3.0, 6.0, 20.0]})
    found = timing.ratios(seconds, to="fast").loc["slow"]
    assert found["ratio"] == 3.0
    assert found["ratio_low"] == 2.5
    assert found["ratio_high"] == 3.0
    assert found["median_s"] == 6.0
    with pytest.raises(ValueError, match=r"to: .*got 'other'"):
        timing.ratios(seconds, to="other")


def test_a_spread_is_the_median_between_its_quartiles() -> None:
    assert timing.quartiles([4.0, 0.0, 2.0, 1.0, 3.0]) == (1.0, 2.0, 3.0)
    assert timing.spread(pd.Series([4.0, 0.0, 2.0, 1.0, 3.0]), "{:.2f}") == "2.00 [1.00–3.00]"


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_slope_of_a_power_law_is_its_exponent(power: float) -> None:
    rows = [
        {"size": size, "call": "it", "round": n, "seconds": (n + 1) * size**power}
        for size in (10, 100, 1000)
        for n in range(3)
    ]
    found = timing.slopes(pd.DataFrame(rows)).loc["it"]
    np.testing.assert_allclose(found.to_numpy(dtype=float), power)


def test_growth_measures_every_size_call_and_round() -> None:
    sizes: list[int] = []
    table = timing.growth(lambda n: {"it": lambda: sizes.append(n)}, [4, 8], rounds=2)
    assert sizes == [4] * 3 + [8] * 3
    assert table.groupby("size").size().to_dict() == {4: 2, 8: 2}


def test_the_machine_has_a_name_and_peaks() -> None:
    about = timing.machine()
    assert about["cpu"]
    assert about["cores"] >= 1
    assert timing.machine_name() == f"{about['cpu']}, {about['cores']} cores"
    assert timing.machine_name("cuda:0").endswith(f" cores, {about['gpu']}")
    peaks = timing.machine_peaks(rounds=1)
    assert peaks["flops"] > 1e8
    assert peaks["flops_double"] > 1e8
    assert peaks["bytes"] > 1e7


def test_products_and_convolutions_are_counted_and_nothing_else() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    image, kernel = torch.ones(1, 2, 6, 6), torch.ones(4, 2, 3, 3)
    assert timing.operations(lambda: a @ b) == 2 * 3 * 5 * 7
    assert timing.operations(lambda: torch.exp(a).sum()) == 0
    with torch.inference_mode():
        assert timing.operations(lambda: torch.conv2d(image, kernel)) == 2 * 4 * 4 * 4 * 2 * 3 * 3


def test_what_is_shipped_has_its_spread() -> None:
    shipped = timing.recorded()
    assert list(shipped) == ["quantity", "value", "low", "high", "unit", "machine"]
    assert (shipped["low"] <= shipped["value"]).all()
    assert (shipped["value"] <= shipped["high"]).all()
    assert not shipped.isna().drop(columns="unit").any(axis=None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: timing.compare_times({}), "calls: expected at least one"),
        (lambda: timing.compare_times({"a": int}, rounds=0), "rounds: .*got 0"),
        (lambda: timing.growth(lambda _: {"a": int}, []), "sizes: expected at least one"),
        (lambda: timing.growth(lambda _: {"a": int}, [0]), "sizes: .*got 0"),
        (
            lambda: timing.slopes(pd.DataFrame({"size": [1], "call": "a", "seconds": 1.0})),
            "table: expected at least two sizes",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
