"""Rephrasing beside the plain calls that it stands for."""

from __future__ import annotations

import matplotlib as mpl
import pytest

import gaputils as gu
from gaputils.pages import rephrasing
from gaputils.scoring import nearest

mpl.use("agg")
from pages.helpers import QUICK, phrasings, row


def test_rephrasing_the_original_counts_answers():
    e, galleries = phrasings()
    frame = rephrasing.rephrase(e.queries, galleries, e.targets, {"original": None})
    assert sorted(frame["template"].unique()) == [1, 2, 3]
    for template in (1, 2, 3):
        answers = nearest(e.queries, galleries[template])
        found = row(frame, template=template, scoring="euclidean")
        same = (answers == nearest(e.queries, galleries[0])).double().mean()
        assert found["unchanged"] == pytest.approx(float(same))
        assert found["accuracy"] == pytest.approx(float((answers == e.targets).double().mean()))


def test_refitted_rank_preserving_methods_answer_as_the_original():
    e, galleries = phrasings()
    frame = rephrasing.rephrase(
        e.queries, galleries, e.targets, QUICK, refit=True, scorings=["euclidean"]
    )
    for _, part in frame.groupby("template"):
        assert part["unchanged"].nunique() == 1
        assert part["accuracy"].nunique() == 1


def test_fitted_once_the_queries_stay_where_the_base_put_them():
    e, galleries = phrasings()
    fitted = gu.HullProjection(radius="auto").fit(e.queries, galleries[0])
    queries, base = fitted.transform(e.queries, galleries[0])
    expected = (nearest(queries, galleries[2]) == nearest(queries, base)).double().mean()
    frame = rephrasing.rephrase(e.queries, galleries, e.targets, QUICK)
    found = row(frame, closing="hull", template=2, scoring="euclidean")
    assert found["unchanged"] == pytest.approx(float(expected))
