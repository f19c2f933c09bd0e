"""Multiple choice beside the plain calls that it stands for."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import torch

import gaputils as gu
from gaputils.pages import multiple_choice
from gaputils.scoring import SCORINGS

mpl.use("agg")
from pages.helpers import row, task


def questions(seed: int = 0) -> tuple[gu.Embeddings, torch.Tensor, torch.Tensor]:
    e = task(40, 30, 16, seed)
    asked, indices, answers = multiple_choice.hard_choices(e.gallery, e.targets, 4, seed=seed)
    e = gu.Embeddings(e.queries[asked], e.gallery, e.targets[asked])
    return e, e.gallery[indices], answers


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_hard_choices_are_a_text_and_its_nearest_one_of_them_asked_for():
    e = task(40, 30, 16)
    asked, indices, answers = multiple_choice.hard_choices(e.gallery, e.targets, 4)
    assert torch.equal(indices[torch.arange(40), answers], e.targets[asked])
    likeness = e.gallery @ e.gallery.mT
    for i in range(40):
        expected = set(likeness[e.targets[i]].topk(4).indices.tolist())
        assert set(indices[i].tolist()) == expected
    assert len(answers.unique()) == 4
    again = multiple_choice.hard_choices(e.gallery, e.targets, 4)
    assert all(map(torch.equal, (asked, indices, answers), again))
    with pytest.raises(ValueError, match="options: expected at most the 30 texts, got 31"):
        multiple_choice.hard_choices(e.gallery, e.targets, 31)


def test_a_text_that_nobody_asks_for_is_an_option_alone():
    e = task(40, 30, 16)
    some = e.targets < 10
    asked, indices, answers = multiple_choice.hard_choices(e.gallery, e.targets[some], 6)
    right = indices[torch.arange(len(asked)), answers]
    assert torch.equal(right, e.targets[some][asked])
    assert (indices >= 10).any()


def test_the_options_alone_do_not_tell_the_right_one():
    texts = torch.nn.functional.normalize(torch.randn(800, 12, generator=seeded(0)), dim=1)
    targets = torch.arange(800)
    _, indices, answers = multiple_choice.hard_choices(texts, targets, 4)
    guess = multiple_choice.most_central(texts[indices])
    assert abs((guess == answers).double().mean() - 0.25) < 4 * (0.25 * 0.75 / 800) ** 0.5
    gathered = indices == targets[:, None]
    values, claims = multiple_choice.without_looking(texts[indices], answers, gathered)
    assert all(claims.values())
    assert float(values["middle"][:5]) == pytest.approx(
        float(gathered[torch.arange(800), guess].double().mean()), abs=5e-4
    )


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product"])
def test_choice_answers_are_the_robustness_of_each_question(scoring):
    e, options, answers = questions()
    noise = gu.GaussianNoise(0.05)
    found = multiple_choice.choice_answers(e.queries, options, answers, [noise], scoring)
    for i in range(0, 40, 7):
        one = e.queries[i : i + 1], options[i]
        expected = gu.robustness(*one, noise, scoring=scoring)
        assert float(found.kept[0].per_query[i]) == pytest.approx(float(expected[0]), abs=1e-4)
        wanted = gu.accuracy_under_noise(*one, answers[i : i + 1], noise, scoring=scoring)
        assert float(found.right[0].per_query[i]) == pytest.approx(float(wanted[0]), abs=1e-4)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_choice_answers_lose_no_digits_to_a_common_offset(scoring, offset):
    e, options, answers = questions()
    queries, options = e.queries + offset, options + offset
    noise = gu.GaussianNoise(0.05)
    found = multiple_choice.choice_answers(queries, options, answers, [noise], scoring)
    for i in range(0, 40, 9):
        one = queries[i : i + 1], options[i]
        expected = gu.robustness(*one, noise, scoring=scoring)
        assert float(found.kept[0].per_query[i]) == pytest.approx(float(expected[0]), abs=2e-4)


def test_choice_answers_by_cosine_agree_with_draws():
    e, options, answers = questions()
    noise = gu.GaussianNoise(0.05)
    found = multiple_choice.choice_answers(e.queries, options, answers, [noise], "cosine")
    for i in range(0, 40, 13):
        one, _ = gu.estimate(
            e.queries[i : i + 1], options[i], noise, scoring="cosine", draws=2000, seed=1
        )
        error = (0.25 / 2000) ** 0.5
        assert abs(float(found.kept[0].per_query[i]) - one.mean) < 5 * error


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
        {"original": (e.queries, options), "hull": end},
        answers,
        {"noise": gu.GaussianNoise(0.05)},
    )
    found = row(table, closing="hull", scoring="euclidean")
    curve = row(frame, alpha=1.0, variance=0.05)
    assert found["robustness"] == pytest.approx(curve["robustness"])
    assert found["gain"] > 3 * found["gain_error"] > 0
    assert found["unchanged"] == 1
    assert set(table["scoring"]) == set(SCORINGS)


def test_further_gains_are_over_the_shift_and_over_two_means():
    e, options, answers = questions()
    sides = multiple_choice.close_in_all_ways(e, e.queries, options)
    noise = {"noise": gu.GaussianNoise(0.05)}
    found = multiple_choice.further(sides, answers, noise)
    plain = multiple_choice.compare_choices(sides, answers, noise, ["euclidean"])
    for name in ("mean shift, own gap", "hull projection"):
        expected = row(plain, closing=name)["gain"] - row(plain, closing="mean shift")["gain"]
        assert row(found["shifts"], closing=name)["gain"] == pytest.approx(expected)
    unit = gu.Centering(renormalize=True).fit(e.queries, e.gallery)
    moved = multiple_choice.close_once(unit, e.queries, options)
    kept = gu.multiple_choice(*moved) == gu.multiple_choice(e.queries, options)
    means = row(found["two means"], closing="original")
    assert means["unchanged"] == pytest.approx(float(kept.double().mean()))


def page(seed: int = 0) -> dict:
    e, options, answers = questions(seed)
    sides = multiple_choice.close_in_all_ways(e, e.queries, options)
    noise = {"noise": gu.GaussianNoise(0.05)}
    easy = {name: sides[name] for name in ("original", "hull projection, centred")}
    same = multiple_choice.compare_choices(easy, answers, noise, ["cosine"])
    others = multiple_choice.further(sides, answers, noise)
    return {
        "embeddings": e,
        "curves": {
            name: multiple_choice.choice_curve(
                sides["original"], sides[name], answers, [0, 0.5, 1, 1.5], [0.02, 0.05]
            )
            for name in list(sides)[1:5]
        },
        "found": multiple_choice.compare_choices(sides, answers, noise),
        "others": {**others, "easy": same, "unseen": same.copy()},
        "lengths": multiple_choice.shift_lengths(sides),
        "asking": multiple_choice.query_lengths(sides),
        "chance": 0.25,
    }


def set_unseen(given, column, value):
    frame = given["others"]["unseen"]
    frame.loc[frame["closing"] == "hull projection, centred", column] = value


def set_summit(given, name, alpha):
    frame = given["curves"][name]
    frame.loc[frame["alpha"] == alpha, "robustness"] = 2.0


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("its summit is at the closed gap", lambda g: set_summit(g, "mean shift", 1.5)),
        ("robustness rises at every step", lambda g: set_summit(g, "mean shift", 0.5)),
        ("with its own gap the summit comes earlier",
         lambda g: set_summit(g, "mean shift, own gap", 1.5)),
        ("as long as the query is", lambda g: g["asking"].update({"mean shift": 1.1})),
        ("as many answers to these are saved", lambda g: set_unseen(g, "gain", 0.9)),
        ("and next to no right ones", lambda g: set_unseen(g, "right_gain", 0.9)),
        ("new drawings are guessed better than by chance", lambda g: g.update(chance=1.0)),
    ],
)  # fmt: skip
def test_a_sentence_is_no_longer_borne_out_by_another_number(claim, change):
    given = page()
    change(given)
    values, claims = multiple_choice.sentences(**given)
    assert not claims[claim]
    assert (
        values["original"]
        == row(given["found"], closing="original", scoring="euclidean")["robustness"]
    )


def test_sentences_do_without_drawings_that_were_held_out():
    given = page()
    del given["others"]["unseen"]
    values, claims = multiple_choice.sentences(**given)
    assert not [key for key in values if key.startswith("unseen")]
    assert claims["no clean answer changes"]
    assert "new drawings are guessed better than by chance" not in claims


def test_an_embedded_set_of_questions_takes_the_place_of_ours():
    e, options, answers = questions()
    places = torch.arange(40) * 4 + answers
    asked = gu.Embeddings(e.queries, options.flatten(0, 1), places, {"options": 4})
    queries, choices, right = gu.as_choices(asked)
    sides = multiple_choice.close_in_all_ways(asked, queries, choices)
    found = multiple_choice.compare_choices(sides, right, {"noise": gu.GaussianNoise(0.05)})
    assert row(found, closing="hull projection", scoring="euclidean")["gain"] > 0
    keeping = found[found["closing"] != multiple_choice.RIVAL]
    assert bool((keeping["unchanged"] == 1).all())
