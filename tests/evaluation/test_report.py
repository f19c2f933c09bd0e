"""The report's table, verdict and code agree, and none says more than the numbers bear."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from evaluation.helpers import two_sides
from gaputils.evaluation import report
from gaputils.evaluation.report import candidates
from gaputils.evaluation.sample import Sample
from gaputils.evaluation.table import Comparison, Outcome
from gaputils.noise._monte_carlo import Estimate
from gaputils.scoring import SCORINGS


@pytest.mark.parametrize(
    ("items", "known"), [(10, [0.861, 0.898, 0.930]), (100, [0.693, 0.744, 0.785])]
)
def test_published_clip_has_the_known_robustness(items: int, known: list[float], published) -> None:
    e = published("liang2022-clip-coco")
    gallery = e.gallery[:items].double() / e.gallery[:items].double().norm(dim=1, keepdim=True)
    table = gu.benefits(gu.Embeddings(e.queries, gallery), scoring="euclidean")
    np.testing.assert_allclose(table["robustness"][:3], known, atol=0.003)
    assert (table["unchanged"] == 1).all()
    np.testing.assert_allclose(table["gain"], table["robustness"] - table["robustness"][0])


def plain_answers(queries, gallery, scoring: str) -> np.ndarray:
    y, x = np.asarray(queries), np.asarray(gallery)
    if scoring == "euclidean":
        return ((y[:, None] - x) ** 2).sum(-1).argmin(1)
    lengths = np.linalg.norm(x, axis=1) if scoring == "cosine" else 1
    return (y @ x.T / lengths).argmax(1)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("gap", [8.0, 0.0])
def test_best_verdict_and_code_agree_and_the_code_runs_on_arrays(scoring: str, gap: float) -> None:
    e = two_sides(gap, m=6 if gap else 60)
    found = gu.report(e, variance=0.1, scoring=scoring)
    table = found.benefits.set_index("closing")
    assert (table["scoring"] == scoring).all()
    helps = found.best != "original"
    assert ("Closing the gap helps" in found.verdict) == helps
    assert ("does not help here" in found.verdict) == (not helps)
    assert f"{table.loc['original', 'robustness']:.3f} ± " in found.verdict
    if helps:
        row = table.loc[found.best]
        assert row["gain"] > row["gain_error"]
        assert f"with the {found.best}, it is {row['robustness']:.3f}" in found.verdict
        assert any(f"a gain of {row['gain']:.{digits}f} ± " in found.verdict for digits in (3, 4))
    names = {"queries": e.queries.numpy(), "gallery": e.gallery.numpy()}
    exec(found.code, names)
    assert ("closing" in names) == helps
    after = plain_answers(names["queries"], names["gallery"], scoring)
    np.testing.assert_array_equal(np.asarray(names["answers"]), after)
    kept = (after == plain_answers(e.queries, e.gallery, scoring)).mean()
    assert kept == pytest.approx(table.loc[found.best, "unchanged"])
    if helps:
        noise = gu.GaussianNoise(0.1)
        sides = names["queries"], names["gallery"]
        again, _ = gu.estimate(*sides, noise, scoring=scoring, seed=9)
        error = np.hypot(again.standard_error, table.loc[found.best, "standard_error"])
        assert abs(again.mean - table.loc[found.best, "robustness"]) < 5 * error


def test_no_winner_is_called_inside_one_standard_error() -> None:
    """More items than dimensions: what closing gains is below the error, or nothing."""
    e = two_sides(gap=0.5, n=4, m=60)
    table = gu.benefits(e, variance=30.0)
    found = gu.report(e, variance=30.0)
    inside = (table["gain"] <= table["gain_error"].clip(lower=2e-4)) | (table["unchanged"] < 0.99)
    assert inside.all() == (found.best == "original")
    assert found.best == "original"


def test_of_closings_that_cannot_be_told_apart_the_simplest_is_named() -> None:
    """All queries off the hull by one vector: the shift removes all that the projection does."""
    rng = np.random.default_rng(1)
    gallery = np.zeros((5, 12))
    gallery[:, :6] = rng.normal(size=(5, 6))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    targets = rng.integers(5, size=50)
    basis = np.linalg.qr((gallery - gallery.mean(0))[1:].T)[0]
    inside = 0.2 * rng.normal(size=(50, 12)) @ basis @ basis.T
    queries = gallery[targets] + inside + 2 * np.eye(12)[11]
    table = gu.benefits((queries, gallery, targets), 0.5, scoring="euclidean")
    by = table.set_index("closing")
    assert by.loc["mean shift", "robustness"] == pytest.approx(
        by.loc["hull projection", "robustness"], abs=1e-6
    )
    found = gu.report((queries, gallery, targets), 0.5, scoring="euclidean")
    if found.best == "mean shift":
        assert "cannot be told apart from the hull projection" in found.verdict
    else:
        assert by.loc[found.best, "robustness"] > by.loc["mean shift", "robustness"]


def outcome(kept: np.ndarray) -> Outcome:
    values = torch.as_tensor(kept)
    return Outcome(torch.zeros(len(values), dtype=torch.int64), Estimate.exact(values))


def test_what_is_called_level_with_the_recommended_is_level_with_it() -> None:
    """Three closings, each within an error of the most robust, and two of them not of each other:
    their difference is small and the same for all queries."""
    rng = np.random.default_rng(0)
    base, noise = rng.uniform(0.2, 0.3, 400), 0.1 * rng.normal(size=400)
    noise -= noise.mean()
    kept = {None: base, "a": base + 0.2, "b": base + 0.202, "c": base + 0.204 + noise}
    outcomes = {(label, "cosine", ""): outcome(values) for label, values in kept.items()}
    labels = {"original": None, "a": "a", "b": "b", "c": "c"}
    found = Comparison(outcomes, labels, None)
    sample = Sample.of(two_sides(gap=1.0), 10, 10, 0)
    table = found.table(500, 0)
    findings = report._Findings(sample, table, found, {}, False, ("cosine", ""), 500, 0)
    assert report._recommend(findings) == ("a", ["c"])


def test_gains_and_errors_are_told_in_digits_that_show_them() -> None:
    """Three digits would have the error of a gain of some thousandths as 0.000."""
    found = gu.report(two_sides(gap=0.0, m=60), variance=0.1, scoring="euclidean")
    row = found.benefits.set_index("closing").loc[found.best]
    assert 0 < row["gain_error"] < 1e-3 < row["gain"]
    assert f"{row['gain']:.4f} ± {max(row['gain_error'], 1e-4):.4f}" in found.verdict


def test_the_greatest_gain_told_is_that_of_a_closing_that_keeps_answers() -> None:
    rows = [("mean shift", 0.0001, 0.0001, 1.0), ("hull projection", 0.5, 0.01, 0.9)]
    names = ["closing", "gain", "gain_error", "unchanged"]
    told = report._not_worth(pd.DataFrame(rows, columns=names).set_index("closing"))
    assert "does not help here" in told
    assert "+0.0001 ± 0.0001" in told
    assert "0.5" not in told


def test_where_no_closing_keeps_answers_it_says_so_and_of_items_stored_twice() -> None:
    """Of two items that are a rounding apart now one is first and now the other."""
    e = two_sides(gap=3.0, m=8)
    generator = torch.Generator().manual_seed(0)
    twins = e.gallery + 1e-16 * torch.randn(e.gallery.shape, generator=generator).double()
    found = gu.report((e.queries, torch.cat([e.gallery, twins])), 0.1)
    unchanged = found.benefits["unchanged"][1:]
    assert (unchanged < 0.99).all()
    assert "none keeps 99% of the answers" in found.verdict
    assert "16 of the 16 items are stored more than once" in found.verdict
    assert "stored more than once" not in gu.report(e, 0.1).verdict


def test_what_one_has_to_know_is_told() -> None:
    full = gu.report(two_sides(gap=3.0, m=60)).verdict
    assert "fills all 24 dimensions" in full
    assert "center or scale" in full
    thin = gu.report(two_sides(gap=3.0)).verdict
    assert "fills all" not in thin
    assert "norms" not in thin
    long = gu.report(two_sides(gap=3.0, scale=10.0)).verdict
    assert "Rows of the queries have norms from 10 to 10 (median 10), not 1" in long
    assert "Rows of the gallery" in long
    e = two_sides(gap=3.0)
    unknown = gu.report((e.queries, e.gallery))
    assert "Which item is right is not known" in unknown.verdict
    assert "matched_cosine" not in unknown.measures
    assert "right answer wins" in gu.report(e, variance=0.1).verdict
    uneven = e.gallery * torch.linspace(1, 3, 6)[:, None]
    left_out = gu.report((e.queries, uneven), scoring="euclidean").verdict
    assert ("scaled was left out" in left_out) == (
        "hull projection, scaled"
        not in set(gu.benefits((e.queries, uneven), scoring="euclidean")["closing"])
    )


def test_sides_that_overlap_are_called_so() -> None:
    assert "overlap" in gu.report(two_sides(gap=0.0, m=60)).verdict


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"variance": 0}, ValueError, "variance"),
        ({"scoring": "dot"}, ValueError, "scoring: .* got 'dot'"),
        ({"rows": 0}, ValueError, "rows: .* got 0"),
        ({"items": 1}, ValueError, "items: .* got 1"),
        ({"bootstrap": 0}, ValueError, "bootstrap: .* got 0"),
        ({"embeddings": np.eye(3)}, TypeError, "embeddings: expected Embeddings"),
        ({"embeddings": (np.eye(3),)}, ValueError, "embeddings: .* got a tuple of 1"),
        ({"embeddings": (np.eye(3), [1.0])}, TypeError, "gallery"),
        ({"embeddings": (np.eye(3), np.eye(3)[:1])}, ValueError, "gallery: expected at least 2"),
        ({"embeddings": (np.eye(3), np.eye(3), [0, 1, 5])}, ValueError, "targets"),
    ],
)
def test_bad_arguments_are_named(change: dict, error: type[Exception], message: str) -> None:
    given = {"embeddings": two_sides(gap=3.0)} | change
    for function in (gu.report, gu.benefits):
        with pytest.raises(error, match=message):
            function(given["embeddings"], **{k: v for k, v in given.items() if k != "embeddings"})


def test_every_candidate_has_its_name_and_its_colour() -> None:
    from gaputils.plots import CLOSING_COLOR

    for scoring in SCORINGS:
        assert set(candidates(scoring)) <= set(CLOSING_COLOR)
