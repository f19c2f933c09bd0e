"""Several kinds in one index: scores standardised by kind, rankings within a kind left alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

import gaputils as gu
from gaputils import closing

Rows = dict[str, np.ndarray]


def rows(seed: int = 0, n: int = 60, d: int = 12) -> tuple[np.ndarray, Rows]:
    """Queries and three kinds, each about a mean and with a spread of its own."""
    rng = np.random.default_rng(seed)
    sizes = {"image": 40, "text": 50, "audio": 30}
    kinds = {
        k: rng.normal(rng.normal(size=d), 1 + i, (m, d)) for i, (k, m) in enumerate(sizes.items())
    }
    return rng.normal(rng.normal(size=d), 1, (n, d)), kinds


def order(scores: np.ndarray) -> np.ndarray:
    """(n, m) items from the best on, of equals the first first."""
    return np.argsort(-scores, axis=1, kind="stable")


@pytest.mark.parametrize("center", [True, False])
def test_the_scores_of_each_kind_have_mean_zero_and_deviation_one(center: bool) -> None:
    queries, kinds = rows()
    moved, lifted = gu.MixedGallery(center).fit(queries, kinds).transform(queries, kinds)
    for values in lifted.values():
        scores = moved @ values.T
        assert scores.mean() == pytest.approx(0, abs=2**-10)  # offsets are multiples of 2^-10
        assert scores.std() == pytest.approx(1, rel=2**-8)  # factors have 8 bits


@pytest.mark.parametrize("name", ["center", "equal_norms"])
def test_what_is_no_boolean_is_refused_by_name(name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name}: expected True or False, got str 'no'"):
        gu.MixedGallery(**{name: "no"}).fit(*rows())


def test_scores_are_those_of_two_steps_by_hand() -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery().fit(queries, kinds)
    asked, lifted = fitted.transform(queries[:7], kinds)
    about = queries - queries.mean(0)
    about /= np.linalg.norm(about, axis=1, keepdims=True)
    for kind, values in kinds.items():
        items = values - values.mean(0)
        items /= np.linalg.norm(items, axis=1, keepdims=True)
        all_pairs = about @ items.T
        expected = (all_pairs[:7] - all_pairs.mean()) / all_pairs.std()
        np.testing.assert_allclose(asked @ lifted[kind].T, expected, rtol=0.01, atol=0.002)


@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.integers(1, 3),
    st.sampled_from([np.float16, np.float32, np.float64]),
)
def test_on_a_grid_no_ranking_within_a_kind_changes_and_ties_stay_ties(
    seed: int, d: int, largest: int, dtype: type
) -> None:
    """Coordinates are small integers, so that many scores are equal; nothing may be rounded."""
    rng = np.random.default_rng(seed)
    queries = rng.integers(-largest, largest + 1, (20, d)).astype(float)
    kinds = {
        k: rng.integers(-largest, largest + 1, (25, d)) + rng.integers(4, size=d) for k in "ab"
    }
    queries[0], kinds["a"][0], kinds["b"][0] = 1, 8, -8  # not all alike
    fitted = gu.MixedGallery(center=False).fit(queries, kinds)
    asked = fitted.transform_queries(queries)
    summed = np.promote_types(dtype, np.float32)  # as indexes do for half precision
    for place, kind in enumerate(kinds):
        items = kinds[kind].astype(float)
        before = queries @ items.T
        stored = fitted.transform_gallery({kind: items.astype(dtype)})[kind]
        after = asked.astype(summed) @ stored.astype(summed).T
        exact = float(fitted.factors_[place]) * before + float(stored[0, -1])
        np.testing.assert_array_equal(after, exact)
        np.testing.assert_array_equal(order(after), order(before))
        np.testing.assert_array_equal(np.diff(np.sort(after)) == 0, np.diff(np.sort(before)) == 0)


@pytest.mark.parametrize("seed", [2, 5, 9])
def test_int8_codes_are_stored_exactly_and_tie_where_their_sums_are_exact(seed: int) -> None:
    """Exact in double precision; sums in single precision part some of these ties."""
    rng = np.random.default_rng(seed)
    queries = rng.integers(-127, 128, (40, 512)).astype(np.float32)
    items = rng.integers(-127, 128, (2000, 512)).astype(np.float32)
    fitted = gu.MixedGallery(center=False).fit(queries, {"image": items})
    asked, stored = fitted.transform(queries, {"image": items})
    asked, stored = asked.astype(float), stored["image"].astype(float)
    np.testing.assert_array_equal(stored[:, :-1], float(fitted.factors_[0]) * items.astype(float))
    before, after = queries.astype(float) @ items.T.astype(float), asked @ stored.T
    assert (np.diff(np.sort(before)) == 0).any()
    np.testing.assert_array_equal(order(after), order(before))
    np.testing.assert_array_equal(np.diff(np.sort(after)) == 0, np.diff(np.sort(before)) == 0)


@given(
    st.integers(0, 10**6),
    st.integers(1, 64),
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.booleans(),
)
def test_in_floats_only_scores_as_close_as_rounding_change_places_and_ties_stay_ties(
    seed: int, d: int, dtype: type, equal_norms: bool
) -> None:
    """An item overtakes another only if their scores differ by less than what rounding the stored
    rows and two inner products may do; half precision is summed in single, as indexes do.
    """
    queries, kinds = rows(seed, 20, d)
    queries, kinds = queries.astype(dtype), {k: v.astype(dtype) for k, v in kinds.items()}
    for items in kinds.values():
        items[[7, -1]] = items[3]
    fitted = gu.MixedGallery(center=False, equal_norms=equal_norms).fit(queries, kinds)
    asked, lifted = fitted.transform(queries, kinds)
    summed = np.promote_types(dtype, np.float32)
    stored, unit = (float(np.finfo(kind).eps) / 2 for kind in (dtype, summed))
    for place, (kind, items) in enumerate(kinds.items()):
        exact = queries.astype(np.longdouble) @ items.astype(np.longdouble).T
        terms = asked.astype(summed)[:, None] * lifted[kind].astype(summed)
        after = terms.sum(axis=2)
        slack = (d + 3) * unit * np.abs(terms.astype(float)).sum(axis=2)
        slack += 1.01 * stored * np.abs(terms[..., :d].astype(float)).sum(axis=2)
        slack += float(np.finfo(dtype).tiny) * np.abs(queries.astype(float)).sum(axis=1)[:, None]
        lead = float(fitted.factors_[place]) * (exact[:, :, None] - exact[:, None])
        overtaken = (lead > 0) & (after[:, :, None] < after[:, None])
        assert (lead[overtaken] <= (slack[:, :, None] + slack[:, None])[overtaken]).all()
        assert (after[:, [7, -1]] == after[:, [3]]).all()
        if dtype is np.float64:
            np.testing.assert_array_equal(order(after), order(exact))


def test_equal_rows_stay_equal_whatever_the_scale() -> None:
    queries, kinds = rows(2)
    kinds["text"][7] = kinds["text"][3]
    for dtype in (np.float16, np.float32, np.float64):
        given = {k: v.astype(dtype) for k, v in kinds.items()}
        lifted = gu.MixedGallery().fit(queries, given).transform_gallery(given)["text"]
        np.testing.assert_array_equal(lifted[7], lifted[3])


def test_centring_changes_some_rankings_and_the_query_mean_alone_does() -> None:
    """The part of the score that a kind's mean takes away is the same for all items of the kind."""
    queries, kinds = rows(3)
    fitted = gu.MixedGallery().fit(queries, kinds)
    asked, lifted = fitted.transform(queries, kinds)
    items = kinds["image"]
    changed = (order(asked @ lifted["image"].T) != order(queries @ items.T)).any(1)
    assert changed.sum() > 0
    shifted = order(queries @ (items - items.mean(0)).T)
    np.testing.assert_array_equal(shifted, order(queries @ items.T))


@pytest.mark.parametrize("n", [2, 5, 50, 300])
def test_scores_that_are_alike_but_for_row_i_with_row_i_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=rf"galleries\['image'\]: .*the {n} queries are alike"):
        gu.MixedGallery().fit(np.eye(n), {"image": np.eye(n)})


@pytest.mark.parametrize("center", [True, False])
def test_equal_norms_rank_alike_by_cosine(center: bool) -> None:
    queries, kinds = rows(4)
    queries = 100 * queries
    one = gu.MixedGallery(center).fit(queries, kinds).transform(queries, kinds)
    both = gu.MixedGallery(center, equal_norms=True).fit(queries, kinds).transform(queries, kinds)
    items, longer = (np.concatenate(list(sides[1].values())) for sides in (one, both))
    norms = np.linalg.norm(longer, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(items, axis=1).max())
    assert both[0].shape == (60, 14)
    np.testing.assert_allclose(both[0] @ longer.T, one[0] @ items.T, atol=1e-12)


def test_with_equal_norms_a_longer_row_than_any_fitted_is_refused() -> None:
    queries, kinds = rows(5)
    fitted = gu.MixedGallery(center=False, equal_norms=True).fit(queries, kinds)
    with pytest.raises(ValueError, match=r"^galleries\['text'\]: expected rows of norm at most"):
        fitted.transform_gallery({"text": 100 * kinds["text"]})
    text = kinds["text"] / np.linalg.norm(kinds["text"], axis=1, keepdims=True)
    with pytest.raises(ValueError) as refused:
        fitted.transform_gallery({"text": np.concatenate([text, 100 * text])})
    told = r"galleries\['text'\]: expected rows of norm at most (\S+), for .* got (\S+)"
    numbers = re.fullmatch(told, str(refused.value))
    assert numbers is not None
    most, longest = map(float, numbers.groups())
    assert longest == 100
    assert most >= np.linalg.norm(kinds["text"], axis=1).max() * (1 - 1e-5)
    fitted.transform_gallery({"text": 0.9999 * most * text})
    with pytest.raises(ValueError, match="norm at most"):
        fitted.transform_gallery({"text": 1.0001 * most * text})
    gu.MixedGallery(equal_norms=True).fit(queries, kinds).transform(queries * 9, {
        kind: 100 * values for kind, values in kinds.items()
    })  # fmt: skip


@pytest.mark.parametrize("same", [True, False])
def test_a_row_is_scored_neither_with_itself_nor_with_its_match(same: bool) -> None:
    rng = np.random.default_rng(6)
    items = rng.normal(size=(12, 30))
    queries = items if same else items + rng.normal(size=(12, 30)) / 2
    fitted = gu.MixedGallery(center=False).fit(queries, {"text": items})
    others = (queries @ items.T)[~np.eye(12, dtype=bool)]
    assert float(fitted.factors_[0]) == pytest.approx(1 / others.std(), rel=2**-8)
    expected = -others.mean() * float(fitted.factors_[0])
    assert float(fitted.offsets_[0]) == pytest.approx(expected, abs=2**-11)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_arrays_stay_arrays_of_their_type(dtype: str) -> None:
    queries, kinds = rows()
    given = {k: v.astype(dtype) for k, v in kinds.items()}
    asked, lifted = gu.MixedGallery().fit(queries, given).transform(queries.astype(dtype), given)
    native = np.dtype(dtype).newbyteorder("=")
    assert {asked.dtype, *(v.dtype for v in lifted.values())} == {native}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_stay_tensors_of_their_type(dtype: torch.dtype) -> None:
    queries, kinds = rows()
    given = {k: torch.tensor(v).to(dtype) for k, v in kinds.items()}
    asked, lifted = gu.MixedGallery().fit(queries, kinds).transform(torch.tensor(queries), given)
    assert asked.dtype == torch.float64
    assert {v.dtype for v in lifted.values()} == {dtype}


def test_integers_become_single_precision() -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery().fit(queries, kinds)
    codes = np.round(10 * kinds["text"]).astype(np.int8)
    assert fitted.transform_gallery({"text": codes})["text"].dtype == np.float32
    found = fitted.transform_gallery({"text": torch.tensor(codes)})["text"]
    assert found.dtype == torch.float32
    asked = fitted.transform_queries(torch.tensor(np.round(10 * queries).astype(np.int8)))
    assert asked.dtype == torch.float32


@pytest.mark.parametrize("parameters", [{}, {"center": False}, {"equal_norms": True}])
def test_it_is_saved_and_loaded(parameters: dict[str, Any], tmp_path: Path) -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery(**parameters).fit(queries, kinds)
    again = closing.load(fitted.save(tmp_path / "mixed.safetensors"))
    assert type(again) is gu.MixedGallery
    assert again.get_params() == fitted.get_params()
    asked, lifted = fitted.transform(queries, kinds)
    same, others = again.transform(queries, kinds)
    np.testing.assert_array_equal(same, asked)
    assert list(others) == list(kinds)
    for kind, values in lifted.items():
        np.testing.assert_array_equal(others[kind], values)


def test_rows_that_come_later_are_stored_as_if_they_had_come_at_once() -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery().fit(queries, kinds)
    whole = fitted.transform_gallery(kinds)["audio"]
    np.testing.assert_array_equal(
        fitted.transform_gallery({"audio": kinds["audio"][9:]})["audio"], whole[9:]
    )
    np.testing.assert_array_equal(
        fitted.transform_queries(queries[3:4]), fitted.transform_queries(queries)[3:4]
    )


def test_more_rows_than_are_lifted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery(equal_norms=True).fit(queries, kinds)
    whole = fitted.transform_gallery(kinds)
    monkeypatch.setattr("gaputils.closing.mixed_gallery._ROWS_AT_ONCE", 7)
    for kind, values in fitted.transform_gallery(kinds).items():
        np.testing.assert_array_equal(values, whole[kind])


ALIKE = np.full((9, 12), 0.3, dtype=np.float32)


@pytest.mark.parametrize(
    ("parameters", "queries", "galleries", "error", "message"),
    [
        ({}, None, [1], TypeError, "^galleries: expected a mapping by kind, got list"),
        ({}, None, {3: ALIKE}, TypeError, "^galleries: expected names of kinds as strings, got 3"),
        ({}, None, {}, ValueError, "^galleries: expected at least one kind, got none"),
        ({}, None, {"text": ALIKE[:, :5]}, ValueError, r"^galleries\['text'\]: .*dimension 12.*5"),
        ({}, None, {"text": ALIKE * np.nan}, ValueError, r"^galleries\['text'\]: expected finite"),
        ({}, None, {"text": ALIKE}, ValueError, r"^galleries\['text'\]: expected rows that differ"),
        ({}, ALIKE[:1], None, ValueError, "^queries: expected rows that differ"),
        (
            {"center": False},
            ALIKE,
            {"text": ALIKE},
            ValueError,
            r"^galleries\['text'\]: expected rows whose scores differ.* 9 row.* 9 queries",
        ),
        (
            {"center": False},
            ALIKE[:1],
            {"text": ALIKE[:1]},
            ValueError,
            r"^galleries\['text'\]: expected rows whose scores differ",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(
    parameters: dict[str, Any], queries: Any, galleries: Any, error: type, message: str
) -> None:
    good = rows()
    asked = good[0] if queries is None else queries
    with pytest.raises(error, match=message):
        gu.MixedGallery(**parameters).fit(asked, good[1] if galleries is None else galleries)


def test_what_cannot_be_transformed_is_refused() -> None:
    queries, kinds = rows()
    with pytest.raises(NotFittedError):
        gu.MixedGallery().transform_queries(queries)
    fitted = gu.MixedGallery().fit(queries, kinds)
    with pytest.raises(
        ValueError, match=r"^galleries: expected every kind.*none of 'text', 'audio'"
    ):
        fitted.transform(queries, {"image": kinds["image"]})
    with pytest.raises(
        ValueError, match=r"^galleries: expected kinds that were fitted.*got 'video'"
    ):
        fitted.transform(queries, {**kinds, "video": queries})
    with pytest.raises(ValueError, match=r"^galleries\['text'\]: expected dimension 12 as fitted"):
        fitted.transform_gallery({"text": queries[:, :3]})
    with pytest.raises(ValueError, match=r"^queries: expected dimension 12 as fitted, got 3"):
        fitted.transform_queries(queries[:, :3])


@pytest.mark.parametrize(("center", "equal_norms"), [(True, False), (False, True)])
def test_the_steps_of_queries_are_what_is_done_to_them(center: bool, equal_norms: bool) -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery(center, equal_norms).fit(queries, kinds)
    moved = queries
    for name, *arguments in fitted._query_steps():
        if name == "shift":
            moved = moved + arguments[1] * getattr(fitted, arguments[0]).numpy()
        elif name == "lengthen":
            moved = arguments[0] * moved / np.linalg.norm(moved, axis=1, keepdims=True)
        else:
            assert name == "append"
            moved = np.hstack([moved, np.tile(arguments[0], (len(moved), 1))])
    np.testing.assert_allclose(moved, fitted.transform_queries(queries), rtol=1e-12)
    assert fitted._gallery_steps() is None


def test_a_file_that_lacks_a_kind_is_refused(tmp_path: Path) -> None:
    queries, kinds = rows()
    fitted = gu.MixedGallery().fit(queries, kinds)
    fitted.kinds_ = fitted.kinds_[:2]
    path = fitted.save(tmp_path / "mixed.safetensors")
    with pytest.raises(ValueError, match=r"^path: .*mixed\.safetensors .*other numbers of kinds"):
        closing.load(path)


@pytest.mark.parametrize("items", [7, 9])
def test_the_order_of_rows_does_not_matter_where_none_may_be_a_match(items: int) -> None:
    rng = np.random.default_rng(items)
    queries, gallery = rng.normal(size=(8, 5)), rng.normal(size=(items, 5)) + 1
    found = closing.MixedGallery().fit(queries, {"text": gallery})
    other = closing.MixedGallery().fit(queries[::-1].copy(), {"text": gallery[::-1].copy()})
    np.testing.assert_allclose(other.factors_, found.factors_, rtol=1e-9)
    np.testing.assert_allclose(other.offsets_, found.offsets_, rtol=1e-9, atol=1e-9)


def test_rows_that_half_precision_cannot_hold_are_named_by_their_side() -> None:
    rng = np.random.default_rng(0)
    queries, items = rng.normal(size=(6, 3)), rng.normal(size=(5, 3))
    fitted = gu.MixedGallery(center=False).fit(queries, {"a": items, "b": items * 1e-6})
    with pytest.raises(ValueError, match=r"^galleries\['b'\]: expected rows that are finite"):
        fitted.transform_gallery({"b": items.astype(np.float16)})
