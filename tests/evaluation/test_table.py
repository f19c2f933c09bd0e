"""Tables of closings: means, gains and their errors, each paired over the queries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from evaluation.helpers import sides
from gaputils.closing import catalogue
from gaputils.evaluation.compare import over_blocks
from gaputils.evaluation.protocol import paired_gain

ORIGINAL = {"original": None}


def test_errors_are_a_bootstrap_over_queries_paired_for_gains() -> None:
    """Against a bootstrap of our own, and the closed form that both estimate."""
    queries, gallery, targets = sides(n=60)
    noise = gu.GaussianNoise(0.4)
    row = gu.compare_closings(
        queries,
        gallery,
        {"hull projection": gu.HullProjection()},
        {"": noise},
        targets=targets,
        scorings=["euclidean"],
        bootstrap=4000,
    ).iloc[0]
    moved = gu.HullProjection().fit_transform(queries, gallery)
    values = {
        "robustness": (gu.robustness, ()),
        "right": (gu.accuracy_under_noise, (targets,)),
    }
    rng = np.random.default_rng(7)
    drawn = rng.integers(60, size=(4000, 60))
    for name, (function, more) in values.items():
        after = np.asarray(function(*moved, *more, noise))
        before = np.asarray(function(queries, gallery, *more, noise))
        gain = {"robustness": "gain"}.get(name, f"{name}_gain")
        assert row[gain] == pytest.approx((after - before).mean(), abs=1e-12)
        for column, value in ((name, after), (gain, after - before)):
            ours = value[drawn].mean(1).std()
            assert row[f"{column}_error"] == pytest.approx(ours, rel=0.08)
            assert row[f"{column}_error"] == pytest.approx(value.std() / 60**0.5, rel=0.05)
    assert row["gain_error"] < 0.5 * row["robustness_error"], "pairing must pay here"


@pytest.mark.parametrize("order", ["closing first", "noise first"])
def test_a_closing_that_does_nothing_gains_nothing_with_no_error(order: str) -> None:
    queries, gallery, targets = sides()
    frame = gu.compare_closings(
        queries,
        gallery,
        {"none": None, "nothing": gu.NaiveShift(0.0)},
        {"": gu.GaussianNoise(0.4)},
        targets=targets,
        order=order,
        draws=30,
    )
    gains = frame[[c for c in frame if "gain" in c]]
    assert (gains == 0).all(axis=None)
    assert (frame["unchanged"] == 1).all()


def test_without_bootstrap_no_errors_are_invented() -> None:
    queries, gallery, targets = sides()
    frame = gu.compare_closings(
        queries, gallery, ORIGINAL, {"": gu.GaussianNoise(0.4)}, targets=targets, bootstrap=0
    )
    assert not [name for name in frame if name.endswith("_error") and name != "standard_error"]
    assert not frame.isna().any(axis=None)


def test_gains_over_any_of_the_closings_are_paired() -> None:
    queries, gallery, targets = sides()
    e = gu.Embeddings(queries, gallery, targets)
    closings = {**ORIGINAL, "s": gu.MeanShift(), "h": gu.HullProjection()}
    found = over_blocks([e], closings, {"n": gu.GaussianNoise(0.4)}, scorings=["euclidean"])
    kept = {
        name: gu.robustness(*catalogue.moved(closing, queries, gallery), gu.GaussianNoise(0.4))
        for name, closing in catalogue.fit_all(closings, e).items()
    }
    table = found.table(against="s").set_index("closing")
    gain, error = paired_gain(kept["h"], kept["s"])
    assert table.loc["h", "gain"] == pytest.approx(gain, abs=1e-6)
    assert table.loc["h", "gain_error"] == pytest.approx(error, abs=1e-6)
    assert table.loc["s", "gain_error"] == 0
    pd.testing.assert_series_equal(
        table["unchanged"], found.table().set_index("closing")["unchanged"]
    )
