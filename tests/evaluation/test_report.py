"""What closing is worth, and the sentence and the code that say so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.evaluation.report import Report

NAMES = ["as it is, Euclidean", "mean shift, Euclidean", "hull projection, Euclidean"]


@pytest.mark.parametrize(
    ("items", "known"), [(10, [0.861, 0.898, 0.930]), (100, [0.693, 0.744, 0.785])]
)
def test_published_clip_has_the_known_robustness(items: int, known: list[float], published) -> None:
    e = published("liang2022-clip-coco")
    table = gu.benefits(gu.Embeddings(e.queries, e.gallery[:items]))
    np.testing.assert_allclose(table.loc[NAMES, "robustness"], known, atol=0.003)
    assert (table["unchanged"] == 1).all()
    np.testing.assert_allclose(table["gain"], table["robustness"] - table["robustness"].iloc[0])


def two_sides(gap: float, n: int = 80, m: int = 6, d: int = 24) -> gu.Embeddings:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(m, d))
    targets = rng.integers(m, size=n)
    queries = gallery[targets] + 0.7 * rng.normal(size=(n, d))
    queries[:, 0] += gap
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    return gu.Embeddings(*unit, targets)


def test_report_recommends_what_it_measured_as_best() -> None:
    e = two_sides(gap=8.0)
    found = gu.report(e, variance=0.1)
    assert isinstance(found, Report)
    assert found.benefits.loc[found.best, "robustness"] == found.benefits["robustness"].max()
    assert "Closing it helps" in found.verdict
    assert f"{found.measures['gap_norm']:.3f}" in found.verdict


def test_the_code_of_the_report_does_what_it_says() -> None:
    e = two_sides(gap=8.0)
    found = gu.report(e, variance=0.1)
    names = {"gu": gu, "torch": torch, "queries": e.queries, "gallery": e.gallery}
    exec(found.code, names)
    noise = gu.GaussianNoise(0.1)
    scoring = found.best.rsplit(" ", 1)[-1].lower()
    method = "monte-carlo" if scoring == "cosine" else "exact"
    kept = gu.robustness(names["queries"], names["gallery"], noise, method, scoring=scoring)
    assert float(kept.mean()) == pytest.approx(
        found.benefits.loc[found.best, "robustness"], abs=0.02
    )


def test_accuracy_stays_when_the_answers_do() -> None:
    table = gu.benefits(two_sides(gap=3.0))
    assert (table["unchanged"] == 1).all()
    for _, group in table.groupby(table.index.str.contains("centred|cosine|radius")):
        assert group["accuracy"].nunique() == 1
    assert (table["noisy_accuracy"] <= 1).all()


def test_sides_that_overlap_are_called_so() -> None:
    found = gu.report(two_sides(gap=0.0, m=60))
    assert "overlap" in found.verdict


def test_rows_are_drawn_with_the_seed() -> None:
    e = two_sides(gap=3.0)
    first, again, other = (gu.benefits(e, rows=20, seed=s) for s in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)
    with pytest.raises(ValueError, match="variance"):
        gu.benefits(e, variance=0)
