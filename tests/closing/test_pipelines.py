"""Closings in scikit-learn: one side in a pipeline, a search over queries, clear errors."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import gaputils as gu
from gaputils.closing import QueriesTransformer


def sides(n: int = 60, m: int = 6, d: int = 9):
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(m, d))
    labels = np.arange(n) % m
    return gallery[labels] + 0.2 * rng.normal(size=(n, d)) + 1, gallery, labels


def test_a_fitted_closing_moves_the_queries_of_a_pipeline() -> None:
    queries, gallery, _ = sides()
    closing = gu.HullProjection().fit(queries, gallery)
    model = make_pipeline(closing.queries_transformer(), KNeighborsClassifier(1))
    model.fit(gallery, np.arange(6))
    own = cdist(queries, gallery).argmin(axis=1)
    assert np.array_equal(model.predict(queries), own)
    moved = closing.queries_transformer().fit_transform(queries)
    assert np.array_equal(moved, closing.transform_queries(queries))
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(queries), model.predict(queries))


def test_a_search_splits_the_queries_and_leaves_the_gallery_whole() -> None:
    queries, gallery, labels = sides()
    step = gu.HullProjection().queries_transformer(gallery)
    search = GridSearchCV(
        make_pipeline(step, KNeighborsClassifier(3)),
        {"queriestransformer__closing__n_components": [1, 5]},
        cv=3,
    ).fit(queries, labels)
    chosen = search.best_estimator_[0].closing_
    assert chosen.count_ == 6
    assert len(chosen.components_) == search.best_params_[next(iter(search.best_params_))] == 5
    assert not hasattr(step, "closing_")


CHECKS = (
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_no_attributes_set_in_init",
    "check_estimator_repr",
    "check_estimator_cloneable",
    "check_mixin_order",
)


@pytest.mark.parametrize("name", sorted(set(gu.closing.registered()) & set(gu.closing.__all__)))
@pytest.mark.parametrize("check", CHECKS)
def test_closings_pass_scikit_learns_own_checks(name: str, check: str) -> None:
    """Those of one table alone do not apply: a closing is fitted on two sides."""
    getattr(estimator_checks, check)(name, getattr(gu.closing, name)())


class OfAnyWidth(QueriesTransformer):
    """With a gallery as wide as the tables that the checks make up."""

    def __init__(self) -> None:
        super().__init__(gu.HullProjection(), np.empty(0))

    def __sklearn_clone__(self) -> OfAnyWidth:
        return OfAnyWidth()

    def fit(self, X, y=None):
        rows = np.random.default_rng(0).normal(size=(3, np.shape(X)[1]))
        self.__dict__ |= QueriesTransformer(self.closing, rows).fit(X, y).__dict__
        self.gallery = np.empty(0)
        return self


@pytest.mark.parametrize(
    "check",
    [
        *("check_estimators_pickle", "check_fit_idempotent", "check_transformer_preserve_dtypes"),
        *("check_fit2d_1sample", "check_estimators_unfitted", "check_fit_score_takes_y"),
        *("check_readonly_memmap_input", "check_n_features_in", "check_set_output_transform"),
        "check_transformer_get_feature_names_out",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_the_transformer_of_queries_passes_scikit_learns_own_checks(check: str) -> None:
    getattr(estimator_checks, check)("OfAnyWidth", OfAnyWidth())


def test_features_have_names_and_a_number() -> None:
    queries, gallery, _ = sides()
    closing = gu.NearestNeighborNormalization().fit(queries, gallery)
    step = closing.queries_transformer().set_output(transform="pandas").fit(queries)
    assert (closing.n_features_in_, step.n_features_in_) == (9, 9)
    moved = step.transform(queries)
    assert isinstance(moved, pd.DataFrame)
    assert list(moved.columns) == [f"queriestransformer{i}" for i in range(11)]
    assert not hasattr(gu.MeanShift(), "n_features_in_")


def test_the_transformer_of_an_unfitted_closing_asks_for_a_fit_or_a_gallery() -> None:
    queries, gallery, _ = sides()
    with pytest.raises(NotFittedError):
        gu.MeanShift().queries_transformer().fit(queries)
    fitted = gu.MeanShift().fit(queries, gallery)
    assert clone(fitted.queries_transformer()).closing is fitted
    assert clone(fitted.queries_transformer(gallery)).closing is not fitted


def test_a_closing_itself_is_no_transformer_of_one_side_and_says_what_is() -> None:
    queries, gallery, labels = sides()
    knn = KNeighborsClassifier(1)
    for target, error in ((labels, ValueError), (None, TypeError)):
        with pytest.raises(error, match=r"^gallery: .* two sides, .*queries_transformer\(\)"):
            make_pipeline(gu.MeanShift(), knn).fit(queries, target)
    with pytest.raises(TypeError, match=r"two sides, .*queries_transformer\(\)"):
        make_pipeline(gu.MeanShift(), knn).fit(queries[:6], gallery)
    moved = gu.MeanShift().fit_transform(queries, gallery)
    assert moved.queries is moved[0]
    assert moved.gallery is moved[1]
