"""What every closing shares: scikit-learn's manners, checks, each side alone, and a file format."""

from __future__ import annotations

import json
import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gaputils._checks import as_matrix, as_pair, integer, work
from gaputils._files import read_safetensors, write_safetensors
from gaputils._reading import reading
from gaputils._steps import Steps, require_finite, run
from gaputils.closing.pipelines import QueriesTransformer
from gaputils.scoring import first_equals

Array = np.ndarray[Any, Any]
Q = TypeVar("Q", Array, Tensor)
G = TypeVar("G", Array, Tensor)
First = TypeVar("First")
Second = TypeVar("Second")

FORMAT = "gaputils-closing/2"
_PARAMETER = "parameter."
_ROWS = 2**16
_REGISTRY: dict[str, type[Closing]] = {}


class Sides(NamedTuple, Generic[First, Second]):
    """Both sides after a closing; one table cannot be made of them."""

    queries: First
    gallery: Second

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError(
            "a closing's transform gives two sides, queries and gallery, and no single array; "
            "in a scikit-learn pipeline use closing.queries_transformer()"
        )


def _settled(moved: Any, gallery: Tensor) -> Any:
    """`moved` rows, equal where those of `gallery` are: a product may round them differently."""
    twins = first_equals(gallery)
    return moved if twins is None else moved[twins]


class Closing(BaseEstimator):  # type: ignore[misc]
    """Base of the closings: learns from one pair of sides, moves any other pair.

    Parameters are set in `__init__` alone; what `fit` learns has names that end with an
    underscore. A closing of one's own defines `_fit` and how it moves each side, either as steps
    (`_query_steps`, `_gallery_steps`; see `gaputils._steps`), which can be served without PyTorch,
    or as code on tensors (`_move_queries`, `_move_gallery`, or `_transform` where one side cannot
    be moved without the other). Left out, a side stays. Its class is known to `load` as soon as it
    is defined.

    `preserves_ranking` tells whether every query is guaranteed to keep its Euclidean ranking of
    the gallery that was fitted.
    """

    called: ClassVar[str] = ""  # its one name where closings are compared
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # of that name, by their parameters
    needs_pairs: ClassVar[bool] = False  # row i of one side belongs to row i of the other
    calibrated: ClassVar[bool] = False  # by definition fitted on data beside those searched
    _gallery_at_once: ClassVar[bool] = False

    @property
    def preserves_ranking(self) -> bool:
        return False

    @property
    def n_features_in_(self) -> int:
        """The fitted dimension; no attribute before `fit`."""
        return int(self.dim_)

    def __init_subclass__(cls, registered: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if registered:
            _REGISTRY[cls.__name__] = cls

    def fit(self, queries: Any, gallery: Any) -> Self:
        """Learn from `queries` (n, d) and `gallery` (m, d); returns itself.

        Raises `TypeError` or `ValueError` naming the argument if a side is not a finite matrix,
        the dimensions differ, or a parameter is out of its range.
        """
        if gallery is None or getattr(gallery, "ndim", None) == 1:
            _refuse_one_side(gallery)
        queries, gallery = as_pair(queries, gallery)
        self.dim_ = queries.shape[1]
        self._fit(queries, gallery)
        return self

    def transform(self, queries: Q, gallery: G) -> Sides[Q, G]:
        """Both sides moved: (n, d) queries and (m, d) gallery, each as the kind and dtype it came.

        Raises `NotFittedError` before `fit` and `ValueError` on another dimension, or if a moved
        row is beyond the dtype it came in, as lengthened rows may be beyond half precision.
        """
        if not self._moves_together():
            return Sides(self.transform_queries(queries), self.transform_gallery(gallery))
        check_is_fitted(self, "dim_")
        first, second = as_pair(queries, gallery)
        moved = self._transform(self._checked("queries", first), second)
        after = _settled(moved[1], second)
        return Sides(
            as_given("queries", moved[0], first, queries),
            as_given("gallery", after, second, gallery),
        )

    def transform_queries(self, queries: Q) -> Q:
        """`queries` (n, d) moved, without the gallery; pass a single query as ``query[None]``.

        Raises as `transform`, and `ValueError` for a closing that moves a query by the gallery
        it searches.
        """
        check_is_fitted(self, "dim_")
        moved: Q = self._moved("queries", queries, self._move_queries)
        return moved

    def transform_gallery(self, gallery: G) -> G:
        """`gallery` (m, d) moved, without queries, for instance rows that an index gains.

        Raises as `transform`.
        """
        check_is_fitted(self, "dim_")
        whole = self._gallery_at_once
        moved: G = self._moved("gallery", gallery, self._move_gallery, at_once=whole)
        own_way = type(self)._move_gallery is not Closing._move_gallery
        if own_way or self._gallery_steps() != ():
            moved = _settled(moved, as_matrix("gallery", gallery))
        return moved

    def fit_transform(self, queries: Q, gallery: G) -> Sides[Q, G]:
        """`fit`, then `transform` of the same sides."""
        return self.fit(queries, gallery).transform(queries, gallery)

    def queries_transformer(self, gallery: Any = None) -> QueriesTransformer:
        """A scikit-learn transformer of queries alone, for pipelines and searches.

        Of this fitted closing; or, with a `gallery` (m, d), one whose `fit` fits the closing on
        its queries and the whole of that gallery, so that cross-validation splits queries alone.
        """
        return QueriesTransformer(self, gallery)

    def _try_on(self, rows: Tensor) -> None:
        """Move `rows` as either side, to see that all that was learned is there and fits."""
        self.transform(rows, rows)

    @abstractmethod
    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _query_steps(self) -> Steps | None:
        """How queries move; None if that depends on the gallery they search."""
        return None if self._moves_together() else ()

    def _gallery_steps(self) -> Steps | None:
        return None if self._moves_together() else ()

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides moved; to be defined where one cannot be moved without the other."""
        raise NotImplementedError

    def _moves_together(self) -> bool:
        return type(self)._transform is not Closing._transform

    def _move_queries(self, queries: Tensor) -> Tensor:
        steps = self._query_steps()
        if steps is None:
            raise ValueError(
                f"queries: {self!r} moves a query by the gallery it searches; call "
                "transform(queries, gallery)"
            )
        return self._run("queries", steps, queries)

    def _move_gallery(self, gallery: Tensor) -> Tensor:
        steps = self._gallery_steps()
        if steps is None:
            raise ValueError(
                f"gallery: {self!r} moves an item by the queries; call transform(queries, gallery)"
            )
        return self._run("gallery", steps, gallery)

    def _run(self, name: str, steps: Steps, rows: Tensor) -> Tensor:
        def learned(tensor: str) -> Tensor:
            value: Tensor = getattr(self, tensor)
            return value.to(work(rows[:0])) if value.is_floating_point() else value.to(rows.device)

        try:
            moved: Tensor = run(steps, work(rows), learned) if steps else rows
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        return moved

    def _checked(self, name: str, value: Any) -> Tensor:
        rows = as_matrix(name, value)
        if rows.shape[1] != self.dim_:
            raise ValueError(
                f"{name}: expected dimension {self.dim_} as fitted, got {rows.shape[1]}"
            )
        return rows

    def _moved(
        self, name: str, value: Any, move: Callable[[Tensor], Tensor], at_once: bool = False
    ) -> Any:
        """`value` moved in blocks of rows, so that no whole copy in double precision is made."""
        plain = isinstance(value, (np.ndarray, Tensor)) and value.ndim == 2
        if at_once or not plain or len(value) <= _ROWS:
            rows = self._checked(name, value)
            return as_given(name, move(rows), rows, value)
        parts = (
            self._moved(name, value[start : start + _ROWS], move)
            for start in range(0, len(value), _ROWS)
        )
        first = next(parts)
        whole: Any = (np.empty if isinstance(first, np.ndarray) else first.new_empty)(
            (len(value), first.shape[1]), dtype=first.dtype
        )
        whole[:_ROWS] = first
        for place, part in enumerate(parts, start=1):
            whole[place * _ROWS : place * _ROWS + len(part)] = part
        return whole

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write parameters and what was learned as one safetensors file, in one step.

        Layout: each learned tensor under its own name (``components_``), each parameter that is
        an array under ``parameter.NAME``. The header's metadata has one key, ``gaputils``, whose
        value is JSON: ``format`` ("gaputils-closing/2"), ``closing`` (the class), and, JSON
        again, ``parameters``, ``learned`` (numbers), ``queries`` and ``gallery``: the steps that
        move that side, null where they need more than its rows. Steps are ``[name, argument, …]``,
        an argument that is a string names a tensor; in their order: ``shift`` (vector, factor)
        adds, ``scale`` (factor) and ``divide`` (vector) act on coordinates, ``map`` (matrix) and
        ``project`` (components, duals) multiply, ``lengthen`` (length) and ``unit`` set norms (a
        row that the steps before cancelled to rounding is not lengthened but becomes zeros),
        ``zero`` (columns) and ``append`` (values) change columns. `gaputils.serving` reads them.
        """
        check_is_fitted(self, "dim_")
        learned = {k: v for k, v in vars(self).items() if k.endswith("_") and k[0] != "_"}
        tensors = {k: v for k, v in learned.items() if isinstance(v, Tensor)}
        plain = {k: v for k, v in learned.items() if not isinstance(v, Tensor)}
        parameters = self.get_params()
        for name, value in parameters.items():
            if isinstance(value, (np.ndarray, Tensor)):
                tensors[_PARAMETER + name] = torch.as_tensor(value)
                parameters[name] = None
        kind = type(self)
        queries = self._query_steps() if kind._move_queries is Closing._move_queries else None
        gallery = self._gallery_steps() if kind._move_gallery is Closing._move_gallery else None
        metadata = {
            "format": FORMAT,
            "closing": kind.__name__,
            "parameters": json.dumps(parameters, default=_own_number),
            "learned": json.dumps(plain),
            "queries": json.dumps(queries),
            "gallery": json.dumps(gallery),
        }
        return write_safetensors(path, tensors, metadata)


def _own_number(value: Any) -> int | float | bool:
    """Python's own number for one of NumPy's."""
    if not isinstance(value, np.generic):
        raise TypeError(f"expected parameters that are numbers, text or arrays, got {value!r}")
    number: int | float | bool = value.item()
    return number


def _refuse_one_side(gallery: Any) -> None:
    try:
        as_matrix("gallery", gallery)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{error}; a closing is fitted on two sides, in a scikit-learn pipeline use "
            "closing.queries_transformer()"
        ) from error


def as_given(side: str, moved: Tensor, rows: Tensor, given: Any) -> Any:
    """`moved` as an array or a tensor and in the dtype of `given`, which came in as `rows`.

    Raises `ValueError` naming the `side` if that dtype cannot hold them.
    """
    if isinstance(given, Tensor):
        cast: Any = moved.to(given.dtype if given.is_floating_point() else rows.dtype)
    else:
        dtype = given.dtype.newbyteorder("=") if given.dtype.kind == "f" else np.float32
        with np.errstate(over="ignore"):
            cast = moved.cpu().numpy().astype(dtype)
    require_finite(side, cast)
    return cast


def registered() -> dict[str, type[Closing]]:
    """Every closing that was defined, by the name of its class."""
    return dict(_REGISTRY)


def load(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Closing:
    """The fitted closing that `Closing.save` wrote.

    Raises `FileNotFoundError` if there is no such file and `ValueError` if it is truncated, of
    another kind, or of a closing this version does not know.
    """
    tensors, metadata = read_safetensors(path, device)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"path: expected a saved closing ({FORMAT}) in {path}, got {metadata.get('format')!r}"
        )
    name = metadata.get("closing")
    kind = _REGISTRY.get(str(name))
    if kind is None:
        raise ValueError(
            f"path: {path} holds the closing {name!r}, "
            f"expected one of {', '.join(sorted(_REGISTRY))}"
        )
    arrays = {k.removeprefix(_PARAMETER): v for k, v in tensors.items() if k.startswith(_PARAMETER)}
    tensors = {k: v for k, v in tensors.items() if not k.startswith(_PARAMETER)}
    with reading(path, f"a whole file of {name}", argument="path"):
        closing = kind(**{**json.loads(metadata["parameters"]), **arrays})
        learned = {**json.loads(metadata["learned"]), **tensors}
        if "dim_" not in learned or not all(key.endswith("_") and key[0] != "_" for key in learned):
            raise ValueError(f"it holds {', '.join(sorted(learned))}")
        for key, value in learned.items():
            if isinstance(value, Tensor) and not bool(value.isfinite().all()):
                raise ValueError(f"{key} holds NaN or infinity")
            setattr(closing, key, value)
        dim = integer("dim_", closing.dim_, low=1, high=2**20)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            closing._try_on(torch.ones(1, dim, device=device))
    return closing
