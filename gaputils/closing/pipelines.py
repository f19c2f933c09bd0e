"""The queries' side of a closing as a scikit-learn transformer."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.base import ClassNamePrefixFeaturesOutMixin as Named
from sklearn.utils.validation import check_is_fitted


class QueriesTransformer(Named, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Moves queries alone, as a step of a pipeline; see `Closing.queries_transformer`.

    Without a `gallery` the `closing` must be fitted, `fit` learns nothing and a clone shares it.
    With one, `fit(X)` fits a clone of `closing` on the queries ``X`` (n, d) and that gallery;
    ``closing__n_components`` and the like can then be searched over.
    """

    def __init__(self, closing: Any, gallery: Any = None) -> None:
        self.closing = closing
        self.gallery = gallery

    def __sklearn_clone__(self) -> QueriesTransformer:
        if self.gallery is None:
            return self
        return QueriesTransformer(clone(self.closing), self.gallery)

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Fit the closing on the queries `X` (n, d) and the gallery, if there is one."""
        if self.gallery is None:
            check_is_fitted(self.closing, "dim_")
            self.closing_ = self.closing
        else:
            self.closing_ = clone(self.closing).fit(X, self.gallery)
        moved = self.closing_.transform_queries(X[:1])
        self.n_features_in_, self._n_features_out = self.closing_.dim_, moved.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        """`X` (n, d) moved as queries."""
        check_is_fitted(self, "closing_")
        return self.closing_.transform_queries(X)
