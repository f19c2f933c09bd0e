"""Thirty real models: the sentences' numbers, their checks, the tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaputils.embeddings import Embeddings
from gaputils.pages import many_models
from gaputils.pages.figures import many_models as figures
from gaputils.pages.gains import CLOSINGS
from gaputils.scoring import SCORINGS
from gaputils.sweep.results import tidy


@pytest.fixture
def frame() -> pd.DataFrame:
    """A table in which the gain is a tenth of the squared gap, or three tenths for ours."""
    share = dict(zip(CLOSINGS, (0.0, 0.1, 0.3), strict=True))
    rows = []
    for number in range(8):
        gap = 0.2 + 0.1 * number
        loss, hopfield = ("InfoNCE", "InfoLOOB")[number % 2], number % 4 > 1
        on = ("YFCC, epoch 28", "CC3M, epoch 31")[number < 4]
        about = {"set": f"amumo-{number}", "model": f"m{number}", "data": "d", "trained": True}
        about |= {"loss": loss, "hopfield": hopfield, "trained_on": on, "pairs": 100, "gap": gap}
        for closing, part in share.items():
            for scoring in SCORINGS:
                gain = (
                    0.0 if (scoring, closing) == ("inner-product", "mean shift") else part * gap**2
                )
                rows.append(
                    {
                        **about,
                        "closing": closing,
                        "scoring": scoring,
                        "outside": 0.9 * gap,
                        "robustness": 0.6 + gain,
                        "right": 0.5 + gain / 4,
                        "accuracy": 0.65,
                        "unchanged": 1.0,
                        "gain": gain,
                        "gain_error": 0.001,
                        "right_gain": gain / 4,
                        "right_gain_error": 0.001,
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def record(run: str, given: dict[str, Any], gains: dict[str, float]) -> dict[str, Any]:
    """What a sweep keeps of a run of `one_model.md` with the parameters `given`."""
    values = {"one_name": f"{given['model']}, {run}", "one_gap_norm": 0.8}
    values |= {f"one_gain_{key}": gain for key, gain in gains.items()}
    values |= {f"one_gain_error_{key}": 0.01 for key in gains}
    about = {"run": run, "notebook": "grids/one_model.md", "parameters": given}
    return {**about, "values": values}


def test_pretrained_models_of_a_sweep_join_the_figure(frame, tmp_path: Path) -> None:
    one = {"model": "ViT-B-32", "pretrained": "a", "dataset": "coco", "variance": 0.04}
    gains = {"mean_shift_euclidean": 0.1, "hull_projection_centred_cosine": 0.2}
    records = [
        record("one", one, gains),
        record("other", {**one, "variance": 0.005}, gains),
        record("usual", {"model": "ViT-H-14", "pretrained": "b"}, gains),
        record("less", {**one, "pretrained": "c"}, {"mean_shift_euclidean": 0.3}),
        record("tiny", {"model": "tiny-openmoji", "variance": 0.04}, gains),
    ]
    tidy(records).to_parquet(tmp_path / "results.parquet")
    joined = many_models.with_sweep(frame, tmp_path / "results.parquet", 0.04)
    new = joined[len(frame) :].set_index(["set", "closing", "scoring"])["gain"]
    assert new.to_dict() == {
        ("ViT-B-32, one", "mean shift", "euclidean"): 0.1,
        ("ViT-B-32, one", "hull projection, centred", "cosine"): 0.2,
        ("ViT-H-14, usual", "mean shift", "euclidean"): 0.1,
        ("ViT-H-14, usual", "hull projection, centred", "cosine"): 0.2,
        ("ViT-B-32, less", "mean shift", "euclidean"): 0.3,
    }
    assert set(joined["data"]) == {"d", "coco", "openmoji"}
    drawn = [len(line.get_xdata()) for ax in figures.gain_by(joined).axes for line in ax.lines]
    assert 8 + 3 in drawn
    assert many_models.with_sweep(frame, "", 0.04) is frame
    with pytest.raises(ValueError, match="no pretrained model at variance 7"):
        many_models.with_sweep(frame, tmp_path / "results.parquet", 7)


def test_numbers_are_the_tables(frame) -> None:
    found = many_models.numbers(frame)
    assert (found["sets"], found["models"], found["from_amumo"]) == (8, 8, 8)
    assert found["shift_raised_cosine"] == found["ours_raised_euclidean"] == 8
    assert found["shift_lowered_cosine"] == 0
    assert found["shift_most_cosine_error"] == 0.001
    assert found["shift_most_cosine"] == pytest.approx(0.1 * 0.9**2)
    assert found["r_outside_cosine"] == pytest.approx(1)
    assert found["r_gap_cosine_low"] < found["r_gap_cosine"] < 1
    assert found["ablation"] == 8
    assert found["shift_narrow_cosine"] == pytest.approx(0.1 * 0.4**2)
    assert found["stuck_gap"] == pytest.approx(0.2)


def test_the_part_outside_is_held_against_the_whole_gap_squared_as_well(frame) -> None:
    alike = many_models.numbers(frame.assign(outside=0.9 * frame["gap"]))
    for scoring in ("cosine", "euclidean"):
        assert alike[f"r_square_{scoring}"] == pytest.approx(alike[f"r_outside_{scoring}"])
        assert alike[f"r_more_{scoring}"] == pytest.approx(0, abs=1e-12)


def test_a_sentence_that_the_run_does_not_bear_out_fails_the_build(frame) -> None:
    found = many_models.numbers(frame) | many_models.recall_by_loss(ablated(lost=30))
    found |= {"ablation_ratio_most": 0.9, "ablation_gap_recall": 0.8, "shift_narrow_cosine": 1e-3}
    found |= {"stuck_gap": 0.4, "stuck_gain": 0.0}
    found |= {f"r_more_{scoring}_low": -0.01 for scoring in ("cosine", "euclidean")}
    many_models.check(found)
    with pytest.raises(AssertionError, match="the shift lowers the robustness of no model"):
        many_models.check({**found, "shift_lowered_cosine": 1})
    with pytest.raises(AssertionError, match="grows with the gap"):
        many_models.check({**found, "r_gap_euclidean_low": -0.1})
    with pytest.raises(AssertionError, match="the wider gaps of the ablation go with the better"):
        many_models.check({**found, "ablation_gap_recall": 0.0})
    with pytest.raises(AssertionError, match="cannot tell the part outside"):
        many_models.check({**found, "r_more_cosine_low": 0.01})
    with pytest.raises(AssertionError, match="hardly gains"):
        many_models.check({**found, "shift_narrow_cosine": 0.01})


def ablated(lost: int, n: int = 100) -> dict[str, Embeddings]:
    """Two training sets; without the retrieval InfoLOOB takes `lost` answers for the next item."""
    sets = {}
    for on in ("CC3M", "YFCC"):
        for hopfield in (False, True):
            for loss in ("InfoNCE", "InfoLOOB"):
                wrong = lost * (loss == "InfoLOOB" and not hopfield)
                found = np.arange(n)
                found[:wrong] = (found[:wrong] + 1) % n
                info = {"trained_on": on, "hopfield": hopfield, "loss": loss}
                sets[f"{on}, {loss}, {hopfield}"] = Embeddings(
                    np.eye(n)[found], np.eye(n), info=info
                )
    return sets


def test_recall_of_the_losses_is_compared_query_by_query() -> None:
    sets = ablated(lost=30)
    found = many_models.recall_by_loss(sets)
    assert found["ablation_recall"] == pytest.approx(-0.3)
    assert found["ablation_recall_error"] == pytest.approx((0.3 * 0.7 / 100) ** 0.5, rel=0.1)
    assert found["ablation_recall_hopfield"] == 0
    assert many_models.recall_by_loss({"one": sets["CC3M, InfoNCE, True"]}) == {}
    assert many_models.recall_by_loss({"none": Embeddings(np.eye(3), np.eye(3))}) == {}


def test_one_correlation_over_another_is_their_difference_on_the_same_draws() -> None:
    x, over, y, groups = [0, 1, 2, 4], [1, 0, 2, 4], [0, 1, 2, 4], ["a", "b", "c", "d"]
    more, low, high = many_models.correlation(x, y, groups, over=over)
    assert more == pytest.approx(1 - np.corrcoef(over, y)[0, 1])
    assert 0 <= low < more < high
    assert many_models.correlation(x, y, groups, over=x) == (0, 0, 0)


def test_the_table_has_a_row_a_set_and_fits_a_page(frame) -> None:
    whole = many_models.table(frame)
    assert whole.shape == (8, 6)
    assert whole["+ mean shift"].iloc[0] == "+0.004 ± 0.001"
    some = many_models.table(frame, ["amumo-3", "not measured"])
    assert list(some.index) == ["m3, d"]
    assert len(many_models.SHOWN) <= 8


def test_the_ablation_has_gap_and_recall_by_loss(frame) -> None:
    table = many_models.ablation_table(frame)
    assert table.loc["InfoNCE", "CC3M, epoch 31"] == "0.20 (0.65)"
    assert list(table.columns) == ["CC3M, epoch 31", "YFCC, epoch 28"]


def test_without_the_ablation_a_dash_stands_for_its_numbers(frame, monkeypatch) -> None:
    kept = {}

    def once(key, value) -> None:
        assert key not in kept
        kept[key] = value

    monkeypatch.setattr(many_models, "glue", once)
    many_models.glue_numbers(many_models.numbers(frame.assign(trained_on=None)))
    assert kept["many_ablation_gap_least"] == "–"
    assert kept["many_r_outside_cosine"] == "1.00"
    assert kept["many_sets"] == 8
    kept.clear()
    many_models.glue_numbers(many_models.numbers(frame))
    assert kept["many_ablation_gap_least"] == "0.20"


def test_what_is_missing_is_said_with_the_way_to_get_it() -> None:
    assert many_models.describe({"a": None}, {}) == ""
    partly = many_models.describe({"a": None}, {"b": "put it there."})
    assert partly.startswith("1 of 2 published sets are not at hand (put it there.)")
    assert "small model" in many_models.describe({}, {"b": "put it there."})


def test_points_stand_at_gap_and_gain_with_two_errors(frame) -> None:
    figure = figures.gain_by(frame)
    cosine = figure.axes[0]
    assert [ax.get_title() for ax in figure.axes] == ["cosine", "Euclidean distance"]
    shift = cosine.containers[0]
    assert shift.lines[0].get_ydata()[-1] == pytest.approx(0.1 * 0.9**2)
    low, high = shift.lines[2][0].get_segments()[0][:, 1]
    assert high - low == pytest.approx(4 * 0.001)


def test_each_way_of_training_is_a_colour_or_a_filling(frame) -> None:
    _, ax = plt.subplots()
    figures.gap_by_loss(many_models.ablation(frame), ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["InfoLOOB", "InfoLOOB and Hopfield", "InfoNCE", "InfoNCE and Hopfield"]
    empty = many_models.ablation(frame.assign(trained_on=None))
    assert figures.gap_by_loss(empty, plt.subplots()[1]).get_legend() is None


@given(n=st.integers(4, 40), seed=st.integers(0, 30))
def test_correlation_is_pearsons_and_within_its_interval(n: int, seed: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, n))
    r, low, high = many_models.correlation(x, y + x, np.arange(n), resamples=200)
    assert r == pytest.approx(np.corrcoef(x, x + y)[0, 1], abs=1e-9)
    assert -1 - 1e-9 <= low <= high <= 1 + 1e-9


def test_points_of_one_group_are_no_independent_evidence() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 20))
    y = y + x
    twice = np.concatenate([x, x]), np.concatenate([y, y])
    alone = many_models.correlation(x, y, np.arange(20))
    grouped = many_models.correlation(*twice, np.tile(np.arange(20), 2))
    apart = many_models.correlation(*twice, np.arange(40))
    assert grouped == pytest.approx(alone, abs=1e-9)
    assert apart[2] - apart[1] < 0.85 * (alone[2] - alone[1])


def test_a_partial_correlation_is_that_of_what_a_line_leaves() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=30)
    x, y = given + rng.normal(size=30), 2 * given + rng.normal(size=30)
    left = [side - np.polyval(np.polyfit(given, side, 1), given) for side in (x, y)]
    r, low, high = many_models.correlation(x, y, np.arange(30), given=given)
    assert r == pytest.approx(np.corrcoef(*left)[0, 1])
    assert low < r < high
