"""A closing of one's own: what is learned, kept in a file, and given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import gaputils as gu
from gaputils import closing
from gaputils._files import read_safetensors
from gaputils._steps import Steps


class Weighted(closing.Closing):
    """Shift the gallery by the gap times a weight, remembering on the way what it need not keep."""

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        self.w_ = self.weight * (queries.mean(dim=0) - gallery.mean(dim=0))
        self.count_ = len(queries)
        self._seen_ = queries

    def _gallery_steps(self) -> Steps:
        return [("shift", "w_")]


def sides() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), rng.normal(size=(4, 3))


def test_a_method_of_ones_own_is_kept_with_what_it_learned_and_nothing_private(
    tmp_path: Path,
) -> None:
    fitted = Weighted(0.5).fit(*sides())
    path = fitted.save(tmp_path / "own.safetensors")
    tensors, metadata = read_safetensors(path)
    assert set(tensors) == {"w_"}
    assert json.loads(metadata["learned"]) == {"dim_": 3, "count_": 6}
    again = closing.load(path)
    assert isinstance(again, Weighted)
    assert again.get_params() == {"weight": 0.5}
    assert (again.count_, again.dim_) == (6, 3)
    assert np.array_equal(again.transform(*sides())[1], fitted.transform(*sides())[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"closing": "Rotation"},  # Heavier is a test's own, and there if that one ran before
            r"^path: .* expected one of .*GRCLIP, (Heavier, )?HullProjection, MeanShift",
        ),
        (
            {"learned": '{"dim_": 3, "_seen_": 1}'},
            r"^path: .* of NaiveShift: it holds _seen_, dim_, gap_\. ",
        ),
        ({"learned": '{"dim_": 3, "fit": 1}'}, r"^path: .* it holds dim_, fit, gap_\. "),
    ],
)
def test_a_file_of_something_else_is_refused_with_what_it_holds(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    metadata = {
        "format": "gaputils-closing/2",
        "closing": "NaiveShift",
        "parameters": "{}",
        "learned": '{"dim_": 3}',
    }
    save_file({"gap_": torch.zeros(3)}, tmp_path / "file", metadata | change)
    with pytest.raises(ValueError, match=message):
        closing.load(tmp_path / "file")


def test_a_method_can_be_loaded_as_soon_as_it_is_defined(tmp_path: Path) -> None:
    class Heavier(Weighted):
        pass

    path = Heavier(2.0).fit(*sides()).save(tmp_path / "own.safetensors")
    assert type(closing.load(path)) is Heavier


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_rows_that_their_dtype_cannot_hold_are_refused_once_moved(kind) -> None:
    queries, gallery = np.array([[0.0, 1.0, 2.0]]), np.array([[3e4, 0.0, 0.0], [0.0, 3e4, 0.0]])
    fitted = gu.HullProjection(radius=9).fit(queries, gallery)
    wide, narrow = kind(queries.astype(np.float32)), kind(queries.astype(np.float16))
    assert bool((abs(fitted.transform_queries(wide)) > 65_504).any())
    message = r"^queries: expected rows that are finite .* 1 row\(s\) of (torch\.)?float16"
    for move in (fitted.transform_queries, lambda rows: fitted.transform(rows, kind(gallery))):
        with pytest.raises(ValueError, match=message):
            move(narrow)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_gallery_that_its_dtype_cannot_hold_is_refused_by_its_name(kind) -> None:
    queries, gallery = np.full((1, 2), 6e4), np.array([[0.0, 6e4], [6e4, 0.0]])
    fitted = gu.NaiveShift(alpha=9).fit(queries, gallery)
    with pytest.raises(ValueError, match=r"^gallery: expected rows that are finite .* 2 row"):
        fitted.transform_gallery(kind(gallery.astype(np.float16)))


class Halved(closing.Closing, registered=False):
    """Moves queries by code of its own."""

    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _move_queries(self, queries: Tensor) -> Tensor:
        return queries / 2


@pytest.mark.parametrize("kept", [np.int64(3), np.float32(0.5), 3])
def test_parameters_may_be_numpys_own_numbers(kept: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(9, 12))
    closing = gu.HullProjection(kept, center=np.bool_(True)).fit(rows, rows + 1)
    again = gu.closing.load(closing.save(tmp_path / "closing.safetensors"))
    assert again.get_params() == closing.get_params()
    np.testing.assert_array_equal(again.transform_queries(rows), closing.transform_queries(rows))


@pytest.mark.parametrize(
    ("fitted", "queries", "gallery"),
    [
        (gu.MeanShift(2, alpha=0.5), [], [["shift", "shift_", 0.5]]),
        (gu.NearestNeighborNormalization(2), [["append", [1.0, 0.0]]], None),
        (Halved(), None, []),
    ],
    ids=repr,
)
def test_a_file_holds_the_steps_of_each_side_unless_it_has_a_way_of_its_own(
    fitted: closing.Closing, queries: list | None, gallery: list | None, tmp_path: Path
) -> None:
    _, metadata = read_safetensors(fitted.fit(*sides()).save(tmp_path / "file"))
    assert json.loads(metadata["queries"]) == queries
    assert json.loads(metadata["gallery"]) == gallery


class Together(closing.Closing):
    """Both sides about the mean of the two, which neither side knows alone."""

    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        middle = (queries.mean(dim=0) + gallery.mean(dim=0)) / 2
        return queries - middle, gallery - middle


def test_a_closing_that_moves_both_sides_at_once_moves_neither_alone(tmp_path: Path) -> None:
    queries, gallery = sides()
    fitted = Together().fit(queries, gallery)
    moved = fitted.transform(queries, gallery)
    np.testing.assert_allclose(moved.queries.mean(axis=0), -moved.gallery.mean(axis=0))
    for side, rows in (("queries", queries), ("gallery", gallery)):
        with pytest.raises(ValueError, match=rf"^{side}: Together\(\) moves"):
            getattr(fitted, f"transform_{side}")(rows)
    _, metadata = read_safetensors(fitted.save(tmp_path / "own.safetensors"))
    assert (metadata["queries"], metadata["gallery"]) == ("null", "null")


class Stretched(closing.Closing, registered=False):
    """Moves both sides at once, by a factor that half precision cannot hold on one of them."""

    def __init__(self, side: str = "queries") -> None:
        self.side = side

    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        return (
            queries * (1e6 if self.side == "queries" else 1),
            gallery * (1e6 if self.side == "gallery" else 1),
        )


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_what_moves_at_once_is_refused_by_the_side_that_is_wrong(side: str) -> None:
    queries, gallery = (np.ones((2, 3), np.float16) for _ in range(2))
    fitted = Stretched(side).fit(queries, gallery)
    with pytest.raises(ValueError, match=rf"^{side}: expected rows that are finite"):
        fitted.transform(queries, gallery)
    with pytest.raises(ValueError, match=r"^queries: expected dimension 3 as fitted, got 4"):
        fitted.transform(np.ones((2, 4)), np.ones((2, 4)))


def test_whole_numbers_that_move_become_single_precision() -> None:
    whole = torch.tensor([[1, 2, 3], [4, 5, 6]])
    together = Together().fit(whole, whole).transform(whole, whole)
    assert {side.dtype for side in together} == {torch.float32}
    apart = Weighted().fit(whole, whole).transform_gallery(whole)
    assert apart.dtype == torch.float32


class Placed(closing.Closing, registered=False):
    """Adds to each row of the gallery its place, as a product's rounding may, in steps or not."""

    def __init__(self, stepwise: bool = False) -> None:
        self.stepwise = stepwise

    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _gallery_steps(self) -> Steps:
        return [("scale", 1.0)] if self.stepwise else ()

    def _run(self, name: str, steps: Steps, rows: Tensor) -> Tensor:
        return super()._run(name, steps, rows) + torch.arange(len(rows))[:, None]


class PlacedByItself(Placed, registered=False):
    """The same without steps."""

    def _move_gallery(self, gallery: Tensor) -> Tensor:
        return gallery + torch.arange(len(gallery))[:, None]


class PlacedTogether(Placed, registered=False):
    """The same, where both sides are needed."""

    def _transform(self, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
        return queries, gallery + torch.arange(len(gallery))[:, None]


@pytest.mark.parametrize("fitted", [Placed(True), PlacedByItself(), PlacedTogether()], ids=repr)
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_equal_rows_of_a_gallery_stay_equal_however_they_are_moved(fitted, kind) -> None:
    gallery = kind([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    moved = fitted.fit(gallery, gallery).transform(gallery, gallery).gallery
    assert type(moved) is type(gallery)
    assert moved.tolist() == [[1.0, 0.0], [1.0, 2.0], [1.0, 0.0], [1.0, 2.0]]


class Counted(closing.Closing, registered=False):
    """Writes down how many rows it is given at a time."""

    def __init__(self) -> None:
        self._sizes: list[int] = []

    def _fit(self, queries: Tensor, gallery: Tensor) -> None: ...

    def _move_queries(self, queries: Tensor) -> Tensor:
        self._sizes.append(len(queries))
        return queries * 2

    _move_gallery = _move_queries


class CountedWhole(Counted, registered=False):
    _gallery_at_once = True


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize("rows", [1, 3, 4, 6, 8])
def test_rows_move_in_blocks_unless_a_gallery_must_move_whole(
    rows: int, kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gaputils.closing.base._ROWS", 3)
    given = kind(np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32))
    blocks = [min(3, rows - start) for start in range(0, rows, 3)]
    for fitted, expected in ((Counted(), blocks), (CountedWhole(), [rows])):
        fitted.fit(given, given)
        moved = fitted.transform_gallery(given)
        assert type(moved) is type(given)
        assert moved.dtype == given.dtype
        np.testing.assert_array_equal(moved, given * 2)
        assert fitted._sizes == expected
        fitted._sizes.clear()
        np.testing.assert_array_equal(fitted.transform_queries(given), given * 2)
        assert fitted._sizes == blocks


def test_what_is_no_matrix_is_named_whole_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaputils.closing.base._ROWS", 3)
    fitted = Weighted().fit(*sides())
    for rows, shape in ((np.ones(5), r"\(5,\)"), (np.ones((5, 3, 1)), r"\(5, 3, 1\)")):
        with pytest.raises(ValueError, match=rf"^queries: .*{shape}"):
            fitted.transform_queries(rows)
    rows = np.ones((5, 3))
    rows[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"^gallery: expected finite"):
        fitted.transform_gallery(rows)


def test_a_parameter_that_no_file_can_hold_is_told(tmp_path: Path) -> None:
    fitted = Weighted(1.0).fit(*sides())
    fitted.weight = object()  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"^expected parameters that are numbers, text or arrays"):
        fitted.save(tmp_path / "own.safetensors")
    assert not (tmp_path / "own.safetensors").exists()
