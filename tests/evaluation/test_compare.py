"""Closings compared, against loops in NumPy that share no code with the package."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from evaluation.helpers import sides
from gaputils.evaluation.compare import compare_blocks
from gaputils.scoring import SCORINGS

PACKAGE = Path(gu.__file__).parent
ORIGINAL = {"original": None}


def answers(queries: np.ndarray, gallery: np.ndarray, scoring: str) -> np.ndarray:
    found = []
    for y in queries:
        scores = [
            -float(((y - x) ** 2).sum())
            if scoring == "euclidean"
            else float(y @ x) / (1.0 if scoring == "inner-product" else float(np.sqrt(x @ x)))
            for x in gallery
        ]
        found.append(int(np.argmax(scores)))
    return np.array(found)


def shifted(queries: np.ndarray, gallery: np.ndarray):
    """The paper's shift by the definition: the part of the gap orthogonal to the gallery's hull."""
    gap = queries.mean(0) - gallery.mean(0)
    basis = np.linalg.qr((gallery - gallery.mean(0))[1:].T)[0]
    return queries, gallery + gap - basis @ (basis.T @ gap)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("label", ["original", "mean shift"])
def test_a_row_is_what_a_simulation_by_hand_gives(label: str, scoring: str) -> None:
    queries, gallery, targets = sides()
    variance, draws = 0.4, 800
    frame = gu.compare_closings(
        queries,
        gallery,
        {**ORIGINAL, "mean shift": gu.MeanShift()},
        {"noise": gu.GaussianNoise(variance)},
        targets=targets,
        draws=1000,
    )
    row = frame[(frame["closing"] == label) & (frame["scoring"] == scoring)].iloc[0]
    y, x = (queries, gallery) if label == "original" else shifted(queries, gallery)
    clean = answers(y, x, scoring)
    rng = np.random.default_rng(1)
    noisy = x + rng.normal(size=(draws, *x.shape)) * np.sqrt(variance / x.shape[1])
    scores = np.einsum("nd,kmd->knm", y, noisy)
    squares = (noisy**2).sum(-1)[:, None]
    if scoring == "euclidean":
        scores = 2 * scores - squares
    elif scoring == "cosine":
        scores = scores / np.sqrt(squares)
    found = scores.argmax(-1)
    for name, winner in (("robustness", clean), ("right", targets)):
        shares = (found == winner).mean(1)
        error = np.hypot(shares.std() / np.sqrt(draws), row["standard_error"])
        assert abs(row[name] - shares.mean()) < 5 * error + 1e-4
    assert row["accuracy"] == (clean == targets).mean()
    assert row["unchanged"] == (clean == answers(queries, gallery, scoring)).mean()


def test_what_has_an_exact_answer_is_not_sampled() -> None:
    queries, gallery, _ = sides()
    noises = {"gauss": gu.GaussianNoise(0.3), "int4": gu.ScalarQuantization(4)}
    frame = gu.compare_closings(queries, gallery, ORIGINAL, noises)
    for row in frame.itertuples():
        noise = noises[row.noise]
        exact = gu.noise.has_exact_answer(noise, row.scoring, 12)
        assert (row.standard_error == 0) == (exact or row.noise == "int4")
        if exact:
            kept = gu.robustness(queries, gallery, noise, scoring=row.scoring)
            assert row.robustness == pytest.approx(float(np.asarray(kept).mean()), abs=1e-12)
    rounded = gallery.min(0) + np.round(
        (gallery - gallery.min(0)) / (np.ptp(gallery, axis=0) / 15)
    ) * (np.ptp(gallery, axis=0) / 15)
    kept = answers(queries, rounded, "euclidean") == answers(queries, gallery, "euclidean")
    row = frame[(frame["noise"] == "int4") & (frame["scoring"] == "euclidean")].iloc[0]
    assert row["robustness"] == pytest.approx(kept.mean())


def test_the_gain_is_over_the_original_whether_or_not_it_is_listed() -> None:
    queries, gallery, _ = sides()
    noises = {"": gu.GaussianNoise(0.4)}
    both = gu.compare_closings(queries, gallery, {**ORIGINAL, "s": gu.MeanShift()}, noises)
    alone = gu.compare_closings(queries, gallery, {"s": gu.MeanShift()}, noises)
    rows = both[both["closing"] == "s"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, alone)
    by = both.set_index(["closing", "scoring"])["robustness"]
    for row in alone.itertuples():
        assert row.gain == pytest.approx(row.robustness - by["original", row.scoring])


def test_noise_first_falls_on_the_raw_gallery_before_the_fitted_closing() -> None:
    queries, gallery, targets = sides()
    closing = gu.closing.Coral().fit(queries, gallery)
    noise, draws = gu.GaussianNoise(0.3), 25
    row = gu.compare_closings(
        queries,
        gallery,
        {"CORAL": closing},
        {"": noise},
        targets=targets,
        scorings=["inner-product"],
        order="noise first",
        draws=draws,
        seed=5,
    ).iloc[0]
    clean = answers(*map(np.asarray, closing.transform(queries, gallery)), "inner-product")
    generator = torch.Generator().manual_seed(5)
    kept, right = [], []
    for _ in range(draws):
        _, noisy = noise.apply(torch.tensor(queries), torch.tensor(gallery), generator)
        found = answers(
            *map(np.asarray, closing.transform(queries, noisy.numpy())), "inner-product"
        )
        kept.append((found == clean).mean())
        right.append((found == targets).mean())
    assert row["robustness"] == pytest.approx(np.mean(kept))
    assert row["right"] == pytest.approx(np.mean(right))
    assert row["standard_error"] == pytest.approx(np.std(kept, ddof=1) / draws**0.5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10))
def test_no_scale_of_its_own_helps_a_closing_under_noise_first(seed: int, scale: float) -> None:
    class Blow(gu.closing.Closing):
        def _fit(self, queries, gallery): ...
        def _transform(self, queries, gallery):
            return queries * scale, gallery * scale

        def _move_queries(self, queries):
            return queries * scale

        def _move_gallery(self, gallery):
            return gallery * scale

    queries, gallery, _ = sides(seed)
    options = {"draws": 20, "bootstrap": 0, "scorings": ["euclidean"]}
    arguments = queries, gallery, {"blow": Blow()}, {"": gu.GaussianNoise(0.4)}
    fair = gu.compare_closings(*arguments, order="noise first", **options).iloc[0]
    assert fair["gain"] == pytest.approx(0, abs=1e-12)
    first = gu.compare_closings(*arguments, **options).iloc[0]
    assert first["gain"] * (scale - 1) >= -1e-4


def test_a_fitted_closing_is_used_as_it_is_and_another_stays_unfitted() -> None:
    queries, gallery, _ = sides()
    elsewhere, fresh = gu.MeanShift().fit(queries[:5], gallery), gu.MeanShift()
    shift = np.asarray(elsewhere.shift_).copy()
    noise = gu.GaussianNoise(0.3)
    frame = gu.compare_closings(
        queries, gallery, {"a": elsewhere, "b": fresh}, {"": noise}, scorings=["euclidean"]
    ).set_index("closing")
    assert not hasattr(fresh, "dim_")
    np.testing.assert_array_equal(np.asarray(elsewhere.shift_), shift)
    for label, closing in (("a", elsewhere), ("b", gu.MeanShift().fit(queries, gallery))):
        kept = gu.robustness(*closing.transform(queries, gallery), noise)
        assert frame.loc[label, "robustness"] == pytest.approx(float(np.asarray(kept).mean()))


def test_the_projection_under_inner_products_is_the_limit_of_far_queries() -> None:
    """The honest rival of scaling: the farther a query, the nearer its ranking to that one's."""
    queries, gallery, _ = sides(m=5)
    far = gu.HullProjection(radius=1e4)
    noise = {"": gu.GaussianNoise(0.4)}
    frame = gu.compare_closings(queries, gallery, {"far": far, "P": gu.HullProjection()}, noise)
    by = frame.set_index(["closing", "scoring"])["robustness"]
    centred = gu.compare_closings(
        queries, gallery, {"c": gu.HullProjection(center=True)}, noise, scorings=["inner-product"]
    )["robustness"].iloc[0]
    assert by["far", "euclidean"] == pytest.approx(centred, abs=3e-4)
    assert by["P", "inner-product"] <= centred + 1e-4


@pytest.mark.parametrize("order", ["closing first", "noise first"])
def test_a_gain_may_be_over_another_closing_under_another_scoring(order: str) -> None:
    queries, gallery, targets = sides(n=60, m=5)
    closings = {"far": gu.HullProjection(radius=2), "c": gu.HullProjection(center=True)}
    arguments = queries, gallery, closings, {"": gu.GaussianNoise(0.4)}
    given = {"targets": targets, "order": order, "draws": 50, "bootstrap": 4000}
    plain = gu.compare_closings(*arguments, **given).set_index(["closing", "scoring"])
    rival = "c", "inner-product"
    frame = gu.compare_closings(*arguments, **given, against=rival)
    frame = frame.set_index(["closing", "scoring"])
    for measure, gain in (("robustness", "gain"), ("right", "right_gain")):
        expected = plain[measure] - plain.loc[rival, measure]
        np.testing.assert_allclose(frame[gain], expected, atol=1e-12)
        assert frame.loc[rival, f"{gain}_error"] == 0
        alone = plain[f"{measure}_error"]
        assert 0 < frame.loc[("far", "euclidean"), f"{gain}_error"] < alone["far", "euclidean"]
    own = gu.compare_closings(*arguments, **given, against="c").set_index(["closing", "scoring"])
    assert (own.loc["c", "gain"] == 0).all()
    if order == "closing first":
        noise, c = gu.GaussianNoise(0.4), closings["c"]
        kept = gu.robustness(*closings["far"].fit_transform(queries, gallery), noise)
        base = c.fit_transform(queries, gallery)
        kept = kept - gu.robustness(*base, noise, scoring="inner-product")
        error = float(kept.std(correction=0)) / len(queries) ** 0.5
        assert frame.loc[("far", "euclidean"), "gain_error"] == pytest.approx(error, rel=0.05)


def test_seeds_and_generators_draw_alike_for_all_closings() -> None:
    queries, gallery, _ = sides()
    arguments = queries, gallery, {**ORIGINAL, "s": gu.MeanShift()}, {"": gu.GaussianNoise(0.4)}
    generator = torch.Generator().manual_seed(3)
    first = gu.compare_closings(*arguments, order="noise first", draws=9, seed=3)
    pd.testing.assert_frame_equal(
        first, gu.compare_closings(*arguments, order="noise first", draws=9, seed=3)
    )
    once = gu.compare_closings(*arguments, order="noise first", draws=9, seed=generator)
    again = gu.compare_closings(*arguments, order="noise first", draws=9, seed=generator)
    assert not once.equals(again)
    same = gu.compare_closings(*arguments, order="noise first", draws=9, seed=np.int64(3))
    pd.testing.assert_frame_equal(first, same)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": [9] * 30}, ValueError, "targets"),
        ({"scorings": ["l1"]}, ValueError, "scoring: .* got 'l1'"),
        ({"order": "both"}, ValueError, "order: .* got 'both'"),
        ({"bootstrap": -1}, ValueError, "bootstrap: .* got -1"),
        ({"bootstrap": 1}, ValueError, "bootstrap: .* got 1"),
        ({"draws": 0}, ValueError, "draws: .* got 0"),
        ({"seed": -1}, ValueError, "seed: .* got -1"),
        ({"seed": 1.5}, TypeError, "seed: expected an integer, got float 1.5"),
        ({"seed": "a"}, TypeError, "seed: expected an integer, got str 'a'"),
        ({"against": "a"}, ValueError, "against: expected one of original, got 'a'"),
        ({"against": ("original", "l1")}, ValueError, "against: .* cosine, got 'l1'"),
        ({"closings": {"a": "shift"}}, TypeError, "closings: a: expected a closing"),
        ({"closings": {}}, ValueError, "^closings: expected at least one label, got none"),
        ({"closings": [None]}, TypeError, "^closings: expected a mapping by label, got list"),
        ({"scorings": []}, ValueError, "^scorings: expected at least one scoring, got none"),
        ({"scorings": "cosine"}, TypeError, "^scorings: expected a list of scorings, got str"),
        ({"noises": {}}, ValueError, "^noises: expected at least one label, got none"),
        (
            {"noises": gu.GaussianNoise(0.1)},
            TypeError,
            "^noises: expected a mapping by label, got GaussianNoise",
        ),
        ({"noises": {"a": 0.04}}, TypeError, "noises: expected a noise for 'a', got 0.04"),
    ],
)
def test_bad_arguments_are_named(change: dict, error: type[Exception], message: str) -> None:
    queries, gallery, _ = sides()
    given = {"closings": ORIGINAL, "noises": {"n": gu.GaussianNoise(0.1)}} | change
    with pytest.raises(error, match=message):
        gu.compare_closings(queries, gallery, **given)


def test_robustness_of_a_closing_is_computed_in_one_place() -> None:
    """Whoever asks what noise leaves of a closing's answers asks `compare_closings`."""
    own = {"evaluation/compare.py", "pages/multiple_choice.py"}
    exceptions = own | {
        "evaluation/curve.py",  # a whole path of closings that share their matrix products
        "pages/explorer/boundary.py",  # two items on a plane
        "pages/why_distance_hurts.py",  # whole gaps of all angles, and no closing
        "pages/explorer/closing.py",  # a point on the path
    }
    asked = ("robustness", "estimate", "accuracy_under_noise", "ExactWins")
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        # The engine itself, its times, and its errors.
        if name.startswith(("noise/", "pages/speed/", "pages/exact_robustness/")):
            continue
        if name in exceptions:
            continue
        called = {
            node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        }
        assert not called & set(asked), name


def test_tables_of_closings_share_one_vocabulary() -> None:
    """No column is called after a closing's or a share's other names."""
    forbidden = {"method", "methods", "way", "ways", "agreement", "kept", "noisy_accuracy"}
    rooms = [PACKAGE / name for name in ("evaluation", "plots", "pages/compressed_indexes")]
    files = [path for room in rooms for path in room.rglob("*.py")]
    files += [
        PACKAGE / "pages" / f"{name}.py"
        for name in ("all_methods", "born", "compressed_indexes/__init__", "multiple_choice")
    ]
    files += (PACKAGE / "pages" / "real_changes").glob("*.py")
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if path.name == "curve.py":  # whose `method` is exact or Monte Carlo
            words -= {"method"}
        assert not words & forbidden, (path, words & forbidden)


@pytest.mark.parametrize("noise", [gu.GaussianNoise(0.4), gu.UniformQuantization(8)])
def test_blocks_count_their_queries_together(noise) -> None:
    queries, gallery, targets = sides(m=6, n=24)
    whole = gu.Embeddings(queries, gallery, targets)
    blocks = gu.answerable_blocks(whole, 3)
    closings = {**ORIGINAL, "s": gu.MeanShift()}
    together = compare_blocks(blocks, closings, {"n": noise})
    each = [
        gu.compare_closings(b.queries, b.gallery, closings, {"n": noise}, targets=b.targets)
        for b in blocks
    ]
    sizes = np.array([len(block.queries) for block in blocks])
    for name in ("robustness", "gain", "right", "right_gain", "accuracy", "unchanged"):
        parts = np.stack([frame[name] for frame in each])
        expected = (sizes[:, None] * parts).sum(0) / sizes.sum()
        np.testing.assert_allclose(together[name], expected, atol=1e-9)


def test_one_block_is_the_plain_comparison() -> None:
    queries, gallery, targets = sides()
    noises = {"n": gu.GaussianNoise(0.4)}
    one = compare_blocks([gu.Embeddings(queries, gallery, targets)], {"s": gu.MeanShift()}, noises)
    plain = gu.compare_closings(queries, gallery, {"s": gu.MeanShift()}, noises, targets=targets)
    pd.testing.assert_frame_equal(one, plain)


def test_noise_first_in_blocks_is_a_comparison_with_draws_of_its_own_for_each() -> None:
    queries, gallery, targets = sides(m=6, n=24)
    blocks = gu.answerable_blocks(gu.Embeddings(queries, gallery, targets), 3)
    noises, options = {"n": gu.GaussianNoise(0.4)}, {"order": "noise first", "draws": 7}
    closings = {"s": gu.MeanShift()}
    together = compare_blocks(blocks, closings, noises, seed=5, **options)
    each = [
        gu.compare_closings(
            b.queries, b.gallery, closings, noises, targets=b.targets, seed=5 + place, **options
        )
        for place, b in enumerate(blocks)
    ]
    sizes = np.array([len(block.queries) for block in blocks])
    parts = np.stack([frame["robustness"] for frame in each])
    np.testing.assert_allclose(together["robustness"], sizes @ parts / sizes.sum(), atol=1e-7)
    errors = np.stack([frame["standard_error"] for frame in each])
    expected = np.sqrt(np.square(sizes) @ np.square(errors)) / sizes.sum()
    np.testing.assert_allclose(together["standard_error"], expected)
    assert np.isfinite(together["gain_error"]).all()


def test_calibrated_closings_are_fitted_on_the_block_before() -> None:
    queries, gallery, targets = sides(m=6, n=24)
    blocks = gu.answerable_blocks(gu.Embeddings(queries, gallery, targets), 3)
    noises = {"n": gu.GaussianNoise(0.4)}
    together = compare_blocks(blocks, {"g": gu.GRCLIP()}, noises, scorings=["cosine"])
    kept = []
    for place, block in enumerate(blocks):
        before = blocks[place - 1]
        closing = gu.GRCLIP().fit(before.queries, before.gallery)
        moved = closing.transform(block.queries, block.gallery)
        kept.append(gu.robustness(*moved, noises["n"], scoring="cosine"))
    assert together["robustness"][0] == pytest.approx(float(torch.cat(kept).double().mean()))


def test_blocks_without_answers_are_refused() -> None:
    queries, gallery, _ = sides()
    with pytest.raises(ValueError, match="blocks: expected answers"):
        compare_blocks([gu.Embeddings(queries, gallery)], ORIGINAL, {"": gu.GaussianNoise(1.0)})
    answered = [gu.Embeddings(gallery, gallery)]
    for change in ({"closings": {}}, {"noises": {}}, {"scorings": []}, {"draws": 0}):
        (name,) = change
        given = {"closings": ORIGINAL, "noises": {"": gu.GaussianNoise(1.0)}} | change
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            compare_blocks(answered, **given)
    with pytest.raises(ValueError, match="blocks: expected at least one"):
        compare_blocks([], ORIGINAL, {})


def test_no_draw_is_lost_in_a_coarse_default_dtype() -> None:
    gallery = np.eye(3, 8, dtype=np.float32)
    torch.set_default_dtype(torch.bfloat16)  # of whole numbers it holds those to 256
    try:
        table = gu.compare_closings(
            gallery,
            gallery,
            {"original": None},
            {"": gu.GaussianNoise(1e-6)},
            scorings=["cosine"],
            order="noise first",
            draws=600,
            bootstrap=0,
        )
    finally:
        torch.set_default_dtype(torch.float32)
    assert table["robustness"].tolist() == [1.0]


def test_a_closing_that_moves_a_row_to_the_origin_is_named_where_cosine_ranks() -> None:
    """The third item is the mean of the three, but for rounding."""
    gallery = np.array([[0.1, 0.7], [0.3, 0.1], [0.2, 0.4]])
    queries = np.array([[0.5, 0.1], [0.2, 0.9]])
    closings, noises = {"means gone": gu.GRCLIP()}, {"": gu.GaussianNoise(0.1)}
    named = r"^closings: after 'means gone', gallery: .* for cosine, got a zero row"
    for order in ("closing first", "noise first"):
        with pytest.raises(ValueError, match=named):
            gu.compare_closings(
                queries, gallery, closings, noises, scorings=["cosine"], order=order
            )
    table = gu.compare_closings(queries, gallery, closings, noises, scorings=["euclidean"])
    assert len(table) == 1
