"""Comparing methods, multiple choice and rephrasing: against the plain calls they stand for."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import gaputils as gu
from gaputils.closing import catalogue
from gaputils.embeddings import choose_items, unit_rows
from gaputils.evaluation.compare import compare
from gaputils.noise.perturbations import equivalent_gaussian
from gaputils.pages import all_methods, multiple_choice, rephrasing
from gaputils.pages.moving_the_gap import accuracy_curve, summarize_curve
from gaputils.pages.quantisation import under_noises
from gaputils.scoring import SCORINGS, nearest

mpl.use("agg")
QUICK = {"original": None, "mean shift": gu.MeanShift(), "hull": gu.HullProjection(radius="auto")}


def task(n: int = 60, m: int = 8, d: int = 24, seed: int = 0) -> gu.Embeddings:
    """Unit-norm clouds with a gap; queries near their targets."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(m, d, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, m, (n,), generator=generator)
    noise = torch.randn(n, d, generator=generator, dtype=torch.float64)
    offset = 2 * torch.eye(d, dtype=torch.float64)
    queries = F.normalize(items[targets] + noise + offset[0], dim=1)
    return gu.Embeddings(queries, F.normalize(items - offset[1], dim=1), targets)


def row(frame: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_a_table_row_is_what_the_plain_calls_give():
    e = task()
    frame = compare(e, QUICK, [0.02], draws=50, seed=3)
    assert len(frame) == len(QUICK) * 3
    queries, gallery = gu.MeanShift().fit_transform(e.queries, e.gallery)
    noise = gu.GaussianNoise(0.02)
    found = row(frame, method="mean shift", scoring="euclidean")
    assert found["robustness@0.02"] == pytest.approx(
        float(gu.robustness(queries, gallery, noise).mean())
    )
    assert found["accuracy@0.02"] == pytest.approx(
        float(gu.accuracy_under_noise(queries, gallery, e.targets, noise).mean())
    )
    assert found["certified_radius"] == pytest.approx(
        float(gu.certified_radius(queries, gallery).mean())
    )
    assert found["recall@1"] == found["accuracy"]
    assert found["agreement"] == 1
    cosine = row(frame, method="original", scoring="cosine")
    kept = gu.robustness(e.queries, e.gallery, noise, scoring="cosine")
    assert cosine["robustness@0.02"] == pytest.approx(float(kept.mean()))
    assert np.isnan(cosine["certified_radius"])


def test_clean_accuracy_is_the_same_to_the_digit_where_rankings_are_kept():
    frame = compare(task(), QUICK, [0.02], ["euclidean"])
    assert frame["accuracy"].nunique() == 1
    assert (frame["agreement"] == 1).all()
    assert frame["robustness@0.02"].is_monotonic_increasing


@given(scale=st.floats(0.2, 5))
@settings(max_examples=10, deadline=None)
def test_relative_noise_does_not_see_the_size_of_everything(scale):
    e = task()
    big = gu.Embeddings(e.queries * scale, e.gallery * scale, e.targets)

    class Blow(gu.closing.Closing):  # type: ignore[misc]
        def _fit(self, queries, gallery): ...
        def _transform(self, queries, gallery):
            del queries, gallery
            return big.queries, big.gallery

    frame = compare(
        e, {"a": None, "b": Blow()}, [0.02], ["euclidean", "inner-product"], relative=True
    )
    for scoring in ("euclidean", "inner-product"):
        one, two = (row(frame, method=name, scoring=scoring) for name in "ab")
        assert one["robustness@0.02"] == pytest.approx(two["robustness@0.02"], abs=1e-7)
        assert one["certified_radius"] == pytest.approx(two["certified_radius"])
        assert two["spread"] == pytest.approx(scale)


def test_the_inner_product_certificate_is_the_smallest_change_that_ties():
    e = task(1, 2)
    frame = compare(e, {"original": None}, [0.02], ["inner-product"])
    radius = frame["certified_radius"].iloc[0]
    y, scores = e.queries[0], (e.gallery @ e.queries[0])
    best = int(scores.argmax())
    direction = y / y.norm() / 2**0.5
    moved = e.gallery.clone()
    moved[best] -= radius * direction
    moved[1 - best] += radius * direction
    assert float((moved - e.gallery).norm()) == pytest.approx(radius)
    assert float(moved[0] @ y) == pytest.approx(float(moved[1] @ y))


def test_winners_name_whoever_is_best():
    frame = pd.DataFrame(
        {
            "method": ["a", "b", "c"],
            "scoring": "euclidean",
            "accuracy": [0.7, 0.9, 0.9],
            "agreement": [1.0, 0.9, 1.0],
            "robustness@0.02": [0.5, 0.8, 0.6],
            "accuracy@0.02": [0.5, 0.7, 0.6],
        }
    )
    table = all_methods.winners(frame, 0.02)["euclidean"]
    assert table["clean accuracy"] == "b, c (0.900)"
    assert table["robustness, no answer changed"] == "c (0.600)"
    assert table["robustness at 0.02"] == "b (0.800)"


def test_under_noises_predicts_with_the_equivalent_gaussian():
    e = task()
    noises = {"16 bins": gu.UniformQuantization(16), "gauss": gu.GaussianNoise(0.02)}
    frame = under_noises({"original": e}, noises, ["euclidean"], draws=200)
    found = row(frame, noise="16 bins")
    like = equivalent_gaussian(noises["16 bins"], e.gallery)
    assert found["variance"] == pytest.approx(like.variance)
    predicted = gu.robustness(e.queries, e.gallery, like).mean()
    assert found["predicted"] == pytest.approx(float(predicted))
    rounded = noises["16 bins"].quantize(e.gallery)
    kept = nearest(e.queries, rounded) == nearest(e.queries, e.gallery)
    assert found["robustness"] == pytest.approx(float(kept.double().mean()))
    right = nearest(e.queries, rounded) == e.targets
    assert found["noisy_accuracy"] == pytest.approx(float(right.double().mean()))


def test_an_accuracy_curve_starts_at_the_original_and_ends_without_a_gap():
    e = task()
    frame = accuracy_curve(e, lambda a: gu.NaiveShift(a), [0, 1])
    start = row(frame, alpha=0.0, scoring="euclidean")
    accuracy = (nearest(e.queries, e.gallery) == e.targets).double().mean()
    assert start["accuracy"] == pytest.approx(float(accuracy))
    assert start["unchanged"] == 1
    assert row(frame, alpha=1.0, scoring="cosine")["gap"] < 1e-12


def test_of_equally_good_alphas_the_one_nearest_to_the_original_is_named():
    frame = pd.DataFrame(
        {"alpha": [-1.0, -0.5, 0.0, 0.5, 1.0], "accuracy": [0.9, 0.9, 0.8, 0.7, 0.6], "task": "a"}
    )
    table = summarize_curve(frame, ["task"])
    assert table.loc["a"].to_dict() == {"α = 0": 0.8, "α = 1": 0.6, "best α": -0.5}


def test_every_standard_method_keeps_or_changes_rankings_as_it_says():
    e = task()
    for name, method in catalogue.standard_methods().items():
        moved = catalogue.close(method, e)
        same = nearest(moved.queries, moved.gallery) == nearest(e.queries, e.gallery)
        assert method is None or not method.preserves_ranking or bool(same.all()), name


def test_calibrated_methods_are_fitted_where_they_are_told():
    e, other = task(seed=0), task(seed=1)
    here, there = catalogue.close(gu.GRCLIP(), e), catalogue.close(gu.GRCLIP(), e, other)
    assert not torch.allclose(here.gallery, there.gallery)
    shifted = [catalogue.close(gu.NaiveShift(), e, c).gallery for c in (None, other)]
    assert torch.equal(*shifted)


def test_choosing_items_keeps_their_queries_alone():
    e = task()
    part = choose_items(e, [5, 2])
    assert set(part.targets.tolist()) == {0, 1}
    assert torch.equal(part.gallery, e.gallery[[5, 2]])
    assert torch.equal(part.queries, e.queries[(e.targets == 5) | (e.targets == 2)])
    with pytest.raises(ValueError, match="items: expected each item once"):
        choose_items(e, [1, 1])
    with pytest.raises(ValueError, match="expected targets"):
        choose_items(gu.Embeddings(e.queries, e.gallery), [1])
    lonely = gu.Embeddings(e.queries[:1], e.gallery, torch.tensor([0]))
    with pytest.raises(ValueError, match="none of them answers"):
        choose_items(lonely, [1])


def test_unit_rows_and_the_circumcentre():
    e = unit_rows(task())
    torch.testing.assert_close(e.gallery.norm(dim=1), torch.ones(8).double())
    moved = catalogue.about_circumcentre(e)
    norms = moved.gallery.norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand(8))
    torch.testing.assert_close(
        torch.cdist(moved.queries, moved.gallery), torch.cdist(e.queries, e.gallery)
    )
    assert moved.gallery.norm(dim=1).mean() < e.gallery.norm(dim=1).mean()


def questions(seed: int = 0) -> tuple[gu.Embeddings, torch.Tensor, torch.Tensor]:
    e = task(40, 30, 16, seed)
    indices, answers = multiple_choice.hard_choices(e.gallery, e.targets, 4, seed=seed)
    return e, e.gallery[indices], answers


def test_hard_choices_are_the_right_text_and_its_nearest():
    e = task(40, 30, 16)
    indices, answers = multiple_choice.hard_choices(e.gallery, e.targets, 4)
    assert torch.equal(indices[torch.arange(40), answers], e.targets)
    likeness = e.gallery @ e.gallery.mT
    for i in range(40):
        expected = set(likeness[e.targets[i]].topk(4).indices.tolist())
        assert set(indices[i].tolist()) == expected
    assert len(answers.unique()) == 4
    again = multiple_choice.hard_choices(e.gallery, e.targets, 4)
    assert torch.equal(indices, again[0])
    with pytest.raises(ValueError, match="options: expected at most the 30 texts, got 31"):
        multiple_choice.hard_choices(e.gallery, e.targets, 31)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_choice_survival_is_the_robustness_of_each_question(scoring):
    e, options, answers = questions()
    noise = gu.GaussianNoise(0.05)
    kept, hit = multiple_choice.choice_survival(e.queries, options, answers, noise, scoring)
    for i in range(0, 40, 7):
        one = e.queries[i : i + 1], options[i]
        expected = gu.robustness(*one, noise, scoring=scoring)
        assert float(kept[i]) == pytest.approx(float(expected[0]), abs=1e-4)
        wanted = gu.accuracy_under_noise(*one, answers[i : i + 1], noise, scoring=scoring)
        assert float(hit[i]) == pytest.approx(float(wanted[0]), abs=1e-4)


@pytest.mark.parametrize("gap", [False, True])
def test_closing_each_question_keeps_every_answer(gap):
    e, options, _ = questions()
    whole = gu.gap_vector(e.queries, e.gallery) if gap else None
    before = gu.multiple_choice(e.queries, options, "euclidean")
    for method in (gu.MeanShift(), gu.HullProjection(), gu.HullProjection(radius="auto")):
        moved = multiple_choice.close_each(method, e.queries, options, gap=whole)
        assert torch.equal(gu.multiple_choice(*moved, "euclidean"), before)


def test_a_given_gap_is_what_each_question_sees():
    e, options, _ = questions()
    gap = gu.gap_vector(e.queries, e.gallery)
    _, moved = multiple_choice.close_each(gu.NaiveShift(), e.queries, options, gap=gap)
    torch.testing.assert_close(moved - options, gap.expand_as(options))


@pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")
def test_closing_once_moves_the_options_as_the_gallery():
    e, options, _ = questions()
    fitted = gu.MeanShift().fit(e.queries, e.gallery)
    queries, moved = multiple_choice.close_once(fitted, e.queries, options)
    torch.testing.assert_close(moved, options + fitted.shift_)
    assert torch.equal(queries, e.queries)


def test_robustness_rises_along_the_projection_and_accuracy_stays():
    e, options, answers = questions()
    end = multiple_choice.close_each(gu.HullProjection(), e.queries, options)
    frame = multiple_choice.choice_curve(
        (e.queries, options), end, answers, [0, 0.5, 1], [0.02, 0.05]
    )
    for _, part in frame.groupby("variance"):
        assert part["robustness"].is_monotonic_increasing
    assert frame["accuracy"].nunique() == 1
    table = multiple_choice.compare_choices(
        {"original": (e.queries, options), "hull": end}, answers, [0.05]
    )
    found = row(table, method="hull", scoring="euclidean")
    curve = row(frame, alpha=1.0, variance=0.05)
    assert found["robustness@0.05"] == pytest.approx(curve["robustness"])
    assert found["agreement"] == 1
    assert set(table["scoring"]) == set(SCORINGS)


def phrasings(seed: int = 0) -> tuple[gu.Embeddings, torch.Tensor]:
    e = task(seed=seed)
    change = torch.randn(4, *e.gallery.shape, generator=torch.Generator().manual_seed(seed + 9))
    change[0] = 0
    return e, F.normalize(e.gallery + 0.1 * change.double(), dim=2)


def test_rephrasing_the_original_counts_answers():
    e, galleries = phrasings()
    frame = rephrasing.rephrase(e.queries, galleries, e.targets, {"original": None})
    assert sorted(frame["template"].unique()) == [1, 2, 3]
    for template in (1, 2, 3):
        answers = nearest(e.queries, galleries[template])
        found = row(frame, template=template, scoring="euclidean")
        same = (answers == nearest(e.queries, galleries[0])).double().mean()
        assert found["agreement"] == pytest.approx(float(same))
        assert found["accuracy"] == pytest.approx(float((answers == e.targets).double().mean()))


def test_refitted_rank_preserving_methods_answer_as_the_original():
    e, galleries = phrasings()
    frame = rephrasing.rephrase(
        e.queries, galleries, e.targets, QUICK, refit=True, scorings=["euclidean"]
    )
    for _, part in frame.groupby("template"):
        assert part["agreement"].nunique() == 1
        assert part["accuracy"].nunique() == 1


def test_fitted_once_the_queries_stay_where_the_base_put_them():
    e, galleries = phrasings()
    fitted = gu.HullProjection(radius="auto").fit(e.queries, galleries[0])
    queries, base = fitted.transform(e.queries, galleries[0])
    expected = (nearest(queries, galleries[2]) == nearest(queries, base)).double().mean()
    frame = rephrasing.rephrase(e.queries, galleries, e.targets, QUICK)
    found = row(frame, method="hull", template=2, scoring="euclidean")
    assert found["agreement"] == pytest.approx(float(expected))


def test_the_figures_draw_what_they_are_given():
    import matplotlib.pyplot as plt

    from gaputils.pages.figures import methods as figures

    frame = compare(task(), QUICK, [0.02], draws=5)
    _, axes = plt.subplots(2, 2)
    dots = figures.method_dots(frame, "robustness@0.02", axes[0, 0])
    assert [label.get_text() for label in dots.get_yticklabels()] == list(QUICK)
    swept = pd.DataFrame({"method": "original", "bins": [8, 16], "value": [0.1, 0.2]})
    lines = figures.method_lines(swept, "bins", "value", axes[0, 1], dashed="value", log=True)
    assert len(lines.get_lines()) == 2
    e, galleries = phrasings()
    phrased = rephrasing.rephrase(e.queries, galleries, e.targets, QUICK)
    phrased["kind"] = np.where(phrased["template"] > 1, "seen", "unseen")
    strips = figures.template_dots(phrased, "agreement", axes[1, 0])
    assert len(strips.get_lines()) >= len(QUICK)
    shown = figures.answers(torch.zeros(3, 4, 4, dtype=torch.uint8), ["one"], axes[1, 1])
    assert shown.texts[0].get_text() == "one"
    plt.close("all")
