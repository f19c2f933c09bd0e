"""The page on mixed galleries: ways of ranking against their definitions, and honest errors."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.pages import mixed_galleries as mixed
from gaputils.pages.figures import mixed_galleries as figures
from gaputils.pages.mixed_galleries import comparison, mixture, ways


def pairs(asked: str = "text", n: int = 40, seed: int = 0) -> mixed.Mixture:
    """Pairs about two far-away means: every text is nearer to all texts than to its image."""
    generator = torch.Generator().manual_seed(seed)
    shared, image, text = torch.randn(3, n, 10, generator=generator, dtype=torch.float64)
    apart = torch.zeros(10, dtype=torch.float64)
    apart[0] = 8
    e = gu.Embeddings(shared + image / 3 + apart, shared + text / 3 - apart, torch.arange(n))
    return mixed.paired(e, asked)


@pytest.fixture
def halves() -> tuple[mixed.Mixture, mixed.Mixture]:
    whole = pairs()
    return whole.of(torch.arange(20)), whole.of(torch.arange(20, 40))


def test_a_part_has_the_rows_of_its_scenes() -> None:
    whole = pairs()
    part = whole.of(torch.tensor([3, 30]))
    assert part.scenes.tolist() == [3, 30]
    torch.testing.assert_close(part.queries, whole.queries[[3, 30]])
    torch.testing.assert_close(part.galleries["image"], whole.galleries["image"][[3, 30]])
    assert part.labels["text"].tolist() == [3, 30]
    only = part.only("image")
    assert list(only.galleries) == ["image"]
    assert only.own is None
    assert part.only("text").own == "text"


def test_by_cosine_every_text_finds_texts_and_the_mixed_gallery_finds_its_image() -> None:
    scenes = mixed.each_scene(pairs(n=60), halves=4, k=3)
    table = mixed.summary(scenes)
    assert table.loc["cosine", "recall@3[image]"] == 0
    assert table.loc["cosine", "share@3[image]"] == 0
    assert table.loc[mixed.OURS, "recall@3[image]"] > 0.9
    assert table.loc["cosine", "ahead"] == pytest.approx(table.loc[mixed.OURS, "ndcg@3"])
    assert mixed.nearer_than_own(pairs(), "image", "text") == 1


def test_gr_clip_subtracts_a_mean_of_the_queries_and_one_of_each_kind(halves) -> None:
    fitted, searched = halves
    found = ways.WAYS["GR-CLIP"](fitted, searched)
    for kind, items in searched.galleries.items():
        asked = normalize(searched.queries - fitted.queries.mean(0), dim=1)
        moved = normalize(items - fitted.galleries[kind].mean(0), dim=1)
        torch.testing.assert_close(found[kind], asked @ moved.mT)


def test_the_naive_shift_moves_each_kind_onto_the_queries(halves) -> None:
    fitted, searched = halves
    found = ways.WAYS["naive shift"](fitted, searched)
    gap = fitted.queries.mean(0) - fitted.galleries["image"].mean(0)
    moved = normalize(searched.galleries["image"] + gap, dim=1)
    torch.testing.assert_close(found["image"], searched.queries @ moved.mT)


def test_z_scores_of_each_query_have_its_mean_and_deviation_without_the_query(halves) -> None:
    found = ways.WAYS["z-scores of each query"](*halves)
    others = [row[np.arange(20) != i] for i, row in enumerate(found["text"].numpy())]
    for values in (found["image"].numpy(), np.stack(others)):
        np.testing.assert_allclose(values.mean(1), 0, atol=1e-12)
        np.testing.assert_allclose(values.std(1, ddof=1), 1)
    assert (found["text"].diagonal() > 2).all()


def test_results_in_turn_and_reciprocal_ranks_are_one_list(halves) -> None:
    first, second = (
        halves[1].rate(ways.WAYS[f"two searches, {name}"](*halves), 10)
        for name in ("interleaved", "reciprocal ranks")
    )
    pd.testing.assert_frame_equal(first, second)
    assert (first["share@10[image]"] == 0.5).all()


@pytest.mark.parametrize("asked", mixture.KINDS)
def test_of_results_in_turn_the_kind_that_asks_comes_last_or_first(asked: str) -> None:
    rows = {kind: torch.eye(3, dtype=torch.float64) for kind in mixture.KINDS}
    three = mixed.tuples("three", rows, asked)
    for own_first in (False, True):
        found = ways.interleaved(own_first, three, three)
        order = sorted(found, key=lambda kind: -float(found[kind][0].max()))
        assert order.index(asked) == (0 if own_first else 2)


def test_the_scale_of_the_match_is_without_row_i_with_row_i(halves) -> None:
    fitted, _ = halves
    found, bare = (mixed.TERMS[name](*halves) for name in ("the match, scaled", "the match alone"))
    for kind, rows in fitted.galleries.items():
        spread = (fitted.queries - fitted.queries.mean(0)) @ (rows - rows.mean(0)).mT
        others = spread.numpy()[~np.eye(20, dtype=bool)].std(ddof=1)
        torch.testing.assert_close(found[kind], bare[kind] / others)


def test_in_another_order_the_sample_scores_each_row_with_its_match(halves) -> None:
    closing = gu.MixedGallery().fit(halves[0].queries[[*range(1, 20), 0]], halves[0].galleries)
    queries, stored = closing.transform(halves[1].queries, halves[1].galleries)
    found = mixed.in_another_order(*halves)
    torch.testing.assert_close(found["text"], queries @ stored["text"].mT)
    assert found["text"].std() < ways.WAYS[mixed.OURS](*halves)["text"].std()


def test_ranks_count_from_one_and_put_the_query_itself_last(halves) -> None:
    found = ways.ranks(*halves)
    assert found["image"].sort(1).values.tolist() == [list(range(1, 21))] * 20
    assert found["text"].diagonal().tolist() == [20] * 20


def test_what_is_searched_is_never_fitted() -> None:
    seen = []

    def spy(fitted: mixed.Mixture, searched: mixed.Mixture) -> Any:
        seen.append((set(fitted.scenes.tolist()), set(searched.scenes.tolist())))
        return ways.by_cosine(fitted, searched)

    mixed.each_scene(pairs(), {"spy": spy}, halves=3, searched=15, fitted=10)
    assert [(len(a), len(b), a & b) for a, b in seen] == [(10, 15, set())] * 3
    assert seen[0] != seen[1]
    named = torch.tensor([1, 5, 7, 8, 11, 13, 20])
    mixed.each_scene(pairs(), {"spy": spy}, halves=1, searched=named)
    assert seen[-1] == (set(range(40)) - set(named.tolist()), set(named.tolist()))


@pytest.mark.parametrize(("searched", "of_fit"), [(40, 0.0), (40, 0.5), (80, 0.5), (8, 0.3)])
def test_the_error_of_a_mean_over_splits_is_that_of_fresh_scenes_and_splits(
    searched: int, of_fit: float
) -> None:
    rng = np.random.default_rng(0)

    def drawn() -> tuple[float, float]:
        scene, parts = rng.normal(size=80), {}
        for split in range(10):
            chosen = rng.permutation(80)[:searched]
            parts[split] = pd.Series(scene[chosen] + of_fit * rng.normal(), pd.Index(chosen))
        return comparison.over_scenes(pd.concat(parts, names=["split", "scene"]))

    means, errors = np.array([drawn() for _ in range(300)]).T
    assert np.sqrt(np.square(errors).mean()) == pytest.approx(means.std(), rel=0.15)


def test_errors_are_over_scenes_and_leads_are_paired() -> None:
    scenes = mixed.each_scene(pairs(), halves=1)
    table = mixed.summary(scenes)
    ours, rival = (scenes[name]["ndcg@10"] for name in (mixed.OURS, "GR-CLIP"))
    lead = (ours - rival).to_numpy()
    assert table.loc["GR-CLIP", "ahead"] == pytest.approx(lead.mean())
    expected = lead.std(ddof=1) / np.sqrt(len(lead))
    assert table.loc["GR-CLIP", "ahead error"] == pytest.approx(expected)
    assert table.loc[mixed.OURS, "ahead"] == 0
    text = mixed.readable(table, {"ndcg@10": "NDCG"})
    value, error = table.loc["GR-CLIP", ["ndcg@10", "ndcg@10 error"]]
    assert text.loc["GR-CLIP", "NDCG"] == gu.pages.with_error(value, error)


@pytest.mark.parametrize(
    ("lead", "word"), [(0.03, "ahead of"), (-0.03, "behind"), (0.019, "within two errors of")]
)
def test_a_lead_counts_from_two_errors_on(lead: float, word: str) -> None:
    assert mixed.standing(lead, 0.01) == word


def test_the_four_terms_add_up() -> None:
    whole = pairs()
    table = mixed.terms(whole)
    assert table["rebuilt"].max() < 1e-12
    parts = table[["the query's with the kind", "the item's handicap", "the match"]]
    np.testing.assert_allclose(parts.pow(2).sum(axis=1), table["deviation"] ** 2)
    scores = (whole.queries @ whole.galleries["image"].mT).numpy()
    assert table.loc["image", "both means"] == pytest.approx(scores.mean())
    assert table.loc["image", "deviation"] == pytest.approx(scores.std())


def test_all_terms_rank_as_the_score_and_the_match_as_centring(halves) -> None:
    fitted, searched = halves
    whole = mixed.TERMS["all four terms"](fitted, searched)
    match = mixed.TERMS["the match alone"](fitted, searched)
    scaled = mixed.TERMS["the match, scaled"](fitted, searched)
    centred = ways.centred(fitted, searched)
    for kind, items in searched.galleries.items():
        torch.testing.assert_close(whole[kind], searched.queries @ items.mT)
        torch.testing.assert_close(match[kind], centred[kind])
        ratio = match[kind] / scaled[kind]
        torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio))


def test_offset_and_scale_change_no_ranking_and_centring_changes_some() -> None:
    table = mixed.unchanged(pairs())
    alone = table["way"] == "offset and scale alone"
    assert table.loc[alone, ["another order", "another first"]].to_numpy().sum() == 0
    assert (table.loc[~alone, "another order"] > 0).all()


def test_sizes_make_rows_and_too_many_scenes_are_refused() -> None:
    table = mixed.over(pairs(), "searched", [10, 20], ["cosine", mixed.OURS], halves=2, k=5)
    assert table[["way", "searched"]].to_numpy().tolist() == [
        ["cosine", 10],
        [mixed.OURS, 10],
        ["cosine", 20],
        [mixed.OURS, 20],
    ]
    with pytest.raises(ValueError, match=r"^searched: expected at most 38, got 39"):
        mixed.each_scene(pairs(), searched=39)
    with pytest.raises(ValueError, match=r"^fitted: expected at most 20, got 21"):
        mixed.each_scene(pairs(), fitted=21)


def test_scores_are_told_apart_by_what_they_are_of() -> None:
    samples = mixed.score_samples(pairs(), ways.by_cosine, "image")
    assert samples["pair"].value_counts().to_dict() == {
        "other images": 40 * 39,
        "other texts": 40 * 39,
        "its own image": 40,
    }


def test_triplets_have_three_kinds_and_any_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randn(3, 12, 6, generator=torch.Generator().manual_seed(0))
    places = {"text": 1, "audio": 2}

    def published(name: str) -> gu.Embeddings:
        return gu.Embeddings(rows[0], rows[places[name.rpartition("-")[2]]])

    monkeypatch.setattr(mixture, "published", published)
    found = mixed.triplets_where_available()
    assert list(found) == [
        "image → text, audio",
        "text → image, audio",
        "audio → image, text",
        "image → image, text, audio",
        "text → image, text, audio",
        "audio → image, text, audio",
    ]
    sounds = found["audio → image, text"]
    torch.testing.assert_close(sounds.queries, normalize(rows[2].double(), dim=1))
    torch.testing.assert_close(sounds.galleries["text"], normalize(rows[1].double(), dim=1))
    table = mixed.across(found, ["cosine", mixed.OURS], halves=2, k=3)
    wide = mixed.side_by_side(table, "ndcg@3", ["cosine", mixed.OURS])
    assert set(wide.index) == set(found)
    assert list(wide) == ["cosine", mixed.OURS]


def test_without_the_triplets_the_page_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> gu.Embeddings:
        raise DataUnavailable(f"{name} is missing")

    monkeypatch.setattr(mixture, "published", missing)
    assert mixed.triplets_where_available() == {}
    assert "is missing" in capsys.readouterr().out
    table = mixed.across({}, ["cosine"])
    assert mixed.side_by_side(table, "ndcg@10", ["cosine"]).empty


def test_the_figures_show_the_values_of_the_tables() -> None:
    table = mixed.summary(mixed.each_scene(pairs(), halves=2))
    ax = figures.way_dots(table, "ndcg@10", plt.figure().add_subplot())
    drawn = [float(box.lines[0].get_xdata()[0]) for box in ax.containers]
    assert drawn == pytest.approx(table["ndcg@10"].tolist())
    sizes = mixed.over(pairs(), "searched", [10, 20], ["cosine", mixed.OURS], halves=2)
    ax = figures.size_lines(sizes, "searched", "recall@10", plt.figure().add_subplot())
    assert [box.get_label() for box in ax.containers] == ["cosine", mixed.OURS]
    samples = mixed.score_samples(pairs(), ways.by_cosine, "image")
    ax = figures.score_histogram(samples, plt.figure().add_subplot())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["its own image", "other images", "other texts"]
    plt.close("all")


@pytest.mark.parametrize("asked", ["text", "image"])
def test_on_published_pairs_it_is_ahead_of_cosine_and_gr_clip(published, asked: str) -> None:
    whole = mixed.paired(published("liang2022-clip-coco"), asked)
    chosen = {name: mixed.WAYS[name] for name in ("cosine", "GR-CLIP", mixed.OURS)}
    table = mixed.summary(mixed.each_scene(whole, chosen, halves=2))
    for rival in ("cosine", "GR-CLIP"):
        assert table.loc[rival, "ahead"] > 2 * table.loc[rival, "ahead error"]


def test_on_published_pairs_nine_in_ten_of_a_hundred_pictures_are_found(published) -> None:
    whole = mixed.paired(published("liang2022-clip-coco"), "text")
    table = mixed.over(whole, "searched", [100], ["cosine", mixed.OURS], halves=4)
    found = table.set_index("way")["recall@10[image]"]
    assert found[mixed.OURS] >= 0.9
    assert found["cosine"] < 0.05


@pytest.mark.slow
def test_on_emoji_it_is_ahead_of_cosine_and_gr_clip() -> None:
    emoji = mixed.emoji(gu.load_model("tiny-openmoji", device="cpu"), items=400)
    assert len(emoji.galleries["text"]) > 400
    chosen = {name: mixed.WAYS[name] for name in ("cosine", "GR-CLIP", mixed.OURS)}
    table = mixed.summary(mixed.each_scene(emoji, chosen, halves=2))
    for rival in ("cosine", "GR-CLIP"):
        assert table.loc[rival, "ahead"] > 2 * table.loc[rival, "ahead error"]
    assert set(mixed.held_out().tolist()) & set(emoji.scenes.tolist())


def test_comparison_names_are_those_of_the_page() -> None:
    assert comparison.OURS in mixed.WAYS
    assert set(figures.WAY_COLOR) - set(mixed.WAYS) == {"pictures searched alone"}
