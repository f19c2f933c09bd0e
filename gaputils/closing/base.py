"""What every closing method shares: scikit-learn's manners, checks, and a file format."""

from __future__ import annotations

import json
import os
import warnings
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gaputils._checks import as_pair, integer
from gaputils._files import read_safetensors, write_safetensors
from gaputils._reading import reading
from gaputils.scoring import first_equals

_FORMAT = "gaputils-closing/1"
_REGISTRY: dict[str, type[Closing]] = {}


class Closing(BaseEstimator):  # type: ignore[misc]
    """Base of the closing methods: learns from one pair of sides, moves any other pair.

    Parameters are set in `__init__` alone; what `fit` learns are tensors whose names end with an
    underscore. `preserves_ranking` tells whether every query is guaranteed to keep its Euclidean
    ranking of the gallery that was fitted.
    """

    @property
    def preserves_ranking(self) -> bool:
        return False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _REGISTRY[cls.__name__] = cls

    def fit(self, queries: Any, gallery: Any) -> Self:
        """Learn from `queries` (n, d) and `gallery` (m, d); returns itself.

        Raises `TypeError` or `ValueError` naming the argument if a side is not a finite matrix,
        the dimensions differ, or a parameter is out of its range.
        """
        queries, gallery = as_pair(queries, gallery)
        self.dim_ = queries.shape[1]
        self._fit(queries, gallery)
        return self

    def transform(self, queries: Any, gallery: Any) -> tuple[Tensor, Tensor]:
        """Both sides moved: (n, d) queries and (m, d) gallery, of the dtype they came in.

        Raises `NotFittedError` before `fit` and `ValueError` on another dimension.
        """
        check_is_fitted(self, "dim_")
        queries, gallery = as_pair(queries, gallery)
        if queries.shape[1] != self.dim_:
            raise ValueError(
                f"queries: expected dimension {self.dim_} as fitted, got {queries.shape[1]}"
            )
        moved_queries, moved_gallery = self._transform(queries, gallery)
        twins = first_equals(gallery)
        if twins is not None:  # a matrix product may have rounded equal items differently
            moved_gallery = moved_gallery[twins]
        return moved_queries.to(queries.dtype), moved_gallery.to(gallery.dtype)

    def fit_transform(self, queries: Any, gallery: Any) -> tuple[Tensor, Tensor]:
        """`fit`, then `transform` of the same sides."""
        return self.fit(queries, gallery).transform(queries, gallery)

    def _try_on(self, rows: Tensor) -> None:
        """Move `rows` as either side, to see that all that was learned is there and fits."""
        self.transform(rows, rows)

    @abstractmethod
    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    @abstractmethod
    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]: ...

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write parameters and learned tensors as one safetensors file, in one step."""
        check_is_fitted(self, "dim_")
        learned = {k: v for k, v in vars(self).items() if k.endswith("_") and k[0] != "_"}
        tensors = {k: v for k, v in learned.items() if isinstance(v, Tensor)}
        plain = {k: v for k, v in learned.items() if not isinstance(v, Tensor)}
        metadata = {
            "format": _FORMAT,
            "method": type(self).__name__,
            "parameters": json.dumps(self.get_params()),
            "learned": json.dumps(plain),
        }
        write_safetensors(Path(path), tensors, metadata)
        return Path(path)


def load(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Closing:
    """The fitted method that `Closing.save` wrote.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is truncated, of
    another kind, or of a method this version does not know.
    """
    tensors, metadata = read_safetensors(path, device)
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"path: expected a saved closing method in {path}")
    name = metadata.get("method")
    method = _REGISTRY.get(str(name))
    if method is None:
        raise ValueError(
            f"path: {path} holds the method {name!r}, "
            f"expected one of {', '.join(sorted(_REGISTRY))}"
        )
    with reading(path, f"a whole file of {name}", argument="path"):
        closing = method(**json.loads(metadata["parameters"]))
        learned = {**json.loads(metadata["learned"]), **tensors}
        if "dim_" not in learned or not all(key.endswith("_") and key[0] != "_" for key in learned):
            raise ValueError(f"it holds {', '.join(sorted(learned))}")
        for key, value in learned.items():
            if isinstance(value, Tensor) and not bool(value.isfinite().all()):
                raise ValueError(f"{key} holds NaN or infinity")
            setattr(closing, key, value)
        _try_out(closing, device)
    return closing


def _try_out(closing: Closing, device: torch.device | str) -> None:
    """Raise if what `closing` learned does not move a row: a part is missing or of another size."""
    dim = integer("dim_", closing.dim_, low=1, high=2**20)
    rows = torch.ones(1, dim, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        closing._try_on(rows)
