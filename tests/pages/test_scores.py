"""What scores tell, against direct computation; theorems on drawn rows."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

import gaputils as gu
from gaputils.pages import groups, scores
from gaputils.pages.figures import groups as group_figures
from gaputils.pages.figures import scores as figures
from tests.pages.test_groups import two_sides
from tests.pages.test_survival import pairs

SEEDS = st.integers(0, 2**16)


def test_cosines_of_pairs_and_others_are_those_of_a_loop() -> None:
    e = pairs(6)
    table = scores.pair_cosines(e)
    every = (e.queries @ e.gallery.T).numpy()
    others = [every[i, j] for i in range(6) for j in range(6) if i != j]
    assert table.loc["an image and its text", "mean"] == pytest.approx(np.trace(every) / 6)
    assert table.loc["an image and another text", "mean"] == pytest.approx(np.mean(others))
    assert table.loc["two texts", "spread"] < 1
    assert abs(table.loc["two images", "centred mean"]) < abs(table.loc["two images", "mean"])
    assert scores.cosine_table(table).shape == (4, 4)


def test_the_error_of_a_mean_within_one_side_is_that_of_fresh_draws() -> None:
    drawn = [scores.pair_cosines(pairs(40, seed=seed)) for seed in range(30)]
    for name in ("an image and its text", "an image and another text", "two texts"):
        spread = np.std([table.loc[name, "mean"] for table in drawn])
        told = np.mean([table.loc[name, "error"] for table in drawn])
        assert told == pytest.approx(spread, rel=0.35), name


def test_areas_are_those_of_scikit_learn() -> None:
    e = pairs(20, 6)
    found = scores.separation(e, splits=1, resamples=10, seed=3)
    match = np.eye(20, dtype=bool)
    for name in scores.SCORES:
        every = scores.score_all(e, name).numpy()
        expected = roc_auc_score(match.ravel(), every.ravel())
        assert found.loc[name, "match"] == pytest.approx(expected), name
    random = np.random.default_rng(3)
    random.multinomial(20, np.full(20, 1 / 20), size=10)
    there = random.permutation(20) < 10
    best = scores.score_all(e, scores.UNTOUCHED).numpy()[:, there].max(axis=1)
    assert found.loc[scores.UNTOUCHED, "present"] == pytest.approx(roc_auc_score(there, best))
    assert found.loc[scores.UNTOUCHED, "match_gain_error"] == 0


def test_no_score_sees_an_item_that_is_not_in_the_gallery() -> None:
    e = pairs(20, 6)
    random = np.random.default_rng(3)
    random.multinomial(20, np.full(20, 1 / 20), size=10)
    there = torch.from_numpy(random.permutation(20) < 10)
    others = torch.where(there[:, None], e.gallery, -e.gallery.flip(0))
    task = gu.Embeddings(e.queries, others)
    first, second = (scores.separation(x, splits=1, resamples=10, seed=3) for x in (e, task))
    pd.testing.assert_series_equal(first["present"], second["present"])


def test_the_error_of_an_area_is_that_of_fresh_queries() -> None:
    drawn = [
        scores.separation(pairs(60, 6, seed=s), splits=4, resamples=100).loc[scores.UNTOUCHED]
        for s in range(20)
    ]
    spread = np.std([row["match"] for row in drawn])
    assert np.mean([row["match_error"] for row in drawn]) == pytest.approx(spread, rel=0.6)


def test_a_cutoff_finds_its_share_and_counts_what_passes() -> None:
    e = pairs(20, 6)
    found = scores.flat_cutoffs(e, recall=0.8)
    row = found.loc[scores.UNTOUCHED]
    every = scores.score_all(e, scores.UNTOUCHED).numpy()
    above = every >= row["cutoff"]
    assert np.trace(above) == 16
    assert row["precision"] == pytest.approx(16 / above.sum())
    assert row["passed"] == pytest.approx(above.sum() / 20)
    assert row["most"] == above.sum(axis=1).max()
    assert row["precision_gain"] == row["precision_gain_error"] == 0
    few, areas = scores.flat_cutoffs(e, recall=0.3), scores.separation(e, resamples=5)
    assert scores.threshold_table(areas, found, few).shape == (4, 4)


@given(seed=SEEDS, k=st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_labels_are_distinct_and_only_the_first_fits(seed: int, k: int) -> None:
    fits, none = scores.draw_labels(8, k, seed)
    own = torch.arange(8)
    assert (fits[:, 0] == own).all()
    assert not (none == own[:, None]).any()
    assert (fits[:, 1:] == none[:, 1:]).all()
    assert all(len(set(row)) == k for row in [*fits.tolist(), *none.tolist()])


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_single_label_has_probability_one_whatever_is_shown(seed: int) -> None:
    logits = torch.tensor(np.random.default_rng(seed).normal(size=(5, 4))) * 50
    alone = scores.probabilities(logits, torch.arange(5)[:, None] % 4)
    assert (alone == 1).all()


def test_a_closing_that_keeps_the_ranking_changes_no_probability() -> None:
    found = scores.none_fits(pairs(), k=4)
    assert found.loc["hull projection", "changed"] < 1e-9
    assert found.loc[scores.CENTRED, "changed"] > 1e-3
    assert (found["fits"] > found["none"]).all()
    assert scores.label_table(found).shape == (3, 5)


def test_siglip_is_a_sigmoid_of_scaled_cosines(published) -> None:
    e = published("siglip2-naflex")
    found, missing = scores.siglip()
    assert missing == ""
    row = found.loc["as trained"]
    every = scores.cosines(e.queries, e.gallery).numpy()
    told = expit(row["scale"] * every + row["bias"])
    assert row["largest"] == pytest.approx(told.max(), rel=1e-4)
    assert row["median"] == pytest.approx(np.median(told), rel=1e-2)
    assert expit(row["scale"] * row["cosine"] + row["bias"]) == pytest.approx(0.5)
    kept, moved = (found.loc[f"centred, bias {word}", "median"] for word in ("left", "moved"))
    assert kept < moved


def test_raw_rows_lose_to_the_longest(published_rows) -> None:
    first, second = (
        published_rows(f"clip-lt-imagenet{end}")[0].double().numpy() for end in ("", "-2")
    )
    found, missing = scores.norms()
    assert missing == ""
    right = (second @ first.T).argmax(axis=1) == np.arange(1000)
    assert found["product"] == pytest.approx(right.mean())
    assert found["most"] == pytest.approx(np.linalg.norm(first, axis=1).max(), rel=1e-6)


def test_what_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for found, missing in (scores.siglip(), scores.norms()):
        assert len(found) == 0
        assert missing
    assert scores.other_image_mean(pairs()) is None


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_concatenating_adds_scores_and_ranks_as_the_average(seed: int) -> None:
    random = np.random.default_rng(seed)
    queries, images, texts = (torch.tensor(random.normal(size=(n, 3))) for n in (4, 5, 5))
    both = scores.concatenated(queries, [images, texts])
    torch.testing.assert_close(both, queries @ images.T + queries @ texts.T)
    average = queries @ ((images + texts) / 2).T
    assert (both.argmax(dim=1) == average.argmax(dim=1)).all()


def test_fused_items_end_in_images_and_in_texts_alone() -> None:
    e = pairs(20, 6)
    owners = torch.arange(20)
    noisy = e.gallery + 0.1 * e.queries.flip(0)
    found = scores.fused(noisy, owners, e.queries, e.gallery, [0, 1]).set_index(["share", "way"])
    for share, side in ((0, e.queries), (1, e.gallery)):
        right = (scores.cosines(noisy, side).argmax(dim=1) == owners).double().mean()
        assert found.loc[(share, "original"), "right"] == pytest.approx(float(right))
    assert scores.average_table(found.reset_index()).shape == (2, 2)


def test_averages_lie_between_texts_and_images() -> None:
    means = scores.third_kind(pairs(20, 6))["mean"]
    assert means["images"] < means["image and text averaged"] < means["texts"]


def test_a_text_that_is_its_image_finds_all_neighbours() -> None:
    e = pairs(20, 6)
    same = gu.Embeddings(e.gallery + 1.5, e.gallery)
    found, left = scores.swapped(same, k=3)
    assert left == pytest.approx(0, abs=1e-12)
    assert found.loc["text moved by the gap", "found"] == 1
    assert found.loc["chance", "found"] == pytest.approx(3 / 19)


def test_right_answers_are_counted_both_ways() -> None:
    e = pairs(20, 6)
    every = scores.cosines(e.queries, e.gallery).numpy()
    expected = [(every[i].argmax() == i) / 2 + (every[:, i].argmax() == i) / 2 for i in range(20)]
    np.testing.assert_allclose(scores.right_both_ways(e.queries, e.gallery), expected)


def test_means_of_a_topic_are_those_of_its_own_rows() -> None:
    e = pairs(30, 6)
    found = scores.whose_mean(e, e.queries.mean(dim=0))
    topic = scores.topics(e)
    right = []
    for here in (topic == 0, topic == 1):
        moved = gu.Centering().fit_transform(e.queries[here], e.gallery[here])
        right.append(scores.right_both_ways(*moved))
    assert found.loc["the topic's own", "right"] == pytest.approx(float(torch.cat(right).mean()))
    assert found.loc["the topic's own", "apart"] == 0
    assert found.loc["the other topic's", "apart"] > 0
    assert len(scores.mean_table(found)) == 4


def test_what_is_left_of_the_gap_is_predicted_by_the_variances() -> None:
    found = scores.how_many_rows(pairs(200, 8), [1, 10, 100], draws=60)
    np.testing.assert_allclose(found["left"], found["predicted"], rtol=0.15)
    assert found["left"].is_monotonic_decreasing


def test_the_shift_pays_from_as_many_queries_as_are_told() -> None:
    """E|h - g_n|² = tr S (1 + 1/n) off the hull, with the mean of n queries, against tr S + |g'|²
    without a shift: equal at n = tr S / |g'|².
    """
    e = pairs(8, 24)
    needed = scores.rows_that_pay(e, 8)
    span = np.linalg.svd((e.gallery - e.gallery.mean(0)).numpy(), full_matrices=False)[2][:7]
    off = (e.queries - e.gallery.mean(0)).numpy()
    off = off - off @ span.T @ span
    gap, trace = off.mean(axis=0), off.var(axis=0, ddof=1).sum()
    assert needed == pytest.approx(trace / (gap @ gap))
    assert trace * (1 + 1 / needed) == pytest.approx(trace + gap @ gap)


def test_domains_of_one_model_are_told_apart_by_their_gaps(published_rows) -> None:
    names = ("detic-coco", "detic-objects365")
    rows = [published_rows(name, normalize=True)[0].mean(dim=0) for name in names]
    published_rows("splice-image-mean-b32")
    found, _ = scores.text_domains(names, "splice-image-mean-b32")
    assert found["nearest"].iloc[0] == pytest.approx(float((rows[0] - rows[1]).norm()))
    image = gu.datasets.published_rows("splice-image-mean-b32")[0].ravel()
    gaps = [(image - row).double().numpy() for row in rows]
    alike = gaps[0] @ gaps[1] / np.prod([np.linalg.norm(gap) for gap in gaps])
    np.testing.assert_allclose(found["cosine"], alike)


def test_the_gaps_of_topics_are_those_of_their_means() -> None:
    e = pairs(30, 6)
    topic = scores.topics(e).numpy()
    gaps = [(e.queries.numpy() - e.gallery.numpy())[topic == t].mean(axis=0) for t in (0, 1)]
    alike = gaps[0] @ gaps[1] / np.prod([np.linalg.norm(gap) for gap in gaps])
    assert scores.cosine_of_gaps(e) == pytest.approx(alike)


def test_models_are_told_apart_by_their_pairs() -> None:
    found = scores.over_models([("a", pairs(20, 6)), ("b", pairs(20, 24))])
    e = pairs(20, 6)
    assert found.loc["a", "matched"] == pytest.approx(float((e.queries * e.gallery).sum(1).mean()))


def test_the_last_table_has_a_row_a_question() -> None:
    e = pairs(30, 6)
    asked = e.gallery, torch.arange(30), e.queries, e.gallery
    frames = {
        "pairs": scores.pair_cosines(e),
        "areas": scores.separation(e, splits=2, resamples=5),
        "labels": scores.none_fits(e, k=3),
        "siglip": scores.siglip()[0].iloc[:0],
        "averages": scores.fused(*asked, [0, 0.5, 1]),
        "swaps": scores.swapped(e, k=3)[0],
        "means": scores.whose_mean(e),
    }
    table = scores.answers(**frames)
    assert len(table) == 8
    assert (table.iloc[4] == scores.MISSING).all()
    assert table["original"].iloc[0] == scores.told(*frames["pairs"].iloc[0][["mean", "error"]])


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_a_density_for_each_kind_of_pair() -> None:
    samples = scores.samples(pairs())
    ax = figures.densities(samples, plt.subplots()[1])
    assert list(ax.get_legend_handles_labels()[1]) == list(samples)


def test_crosses_are_the_best_items() -> None:
    e = pairs(20, 6)
    every = {name: scores.score_all(e, name) for name in scores.SCORES}
    ax = figures.cutoffs(every, plt.subplots()[1])
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    expected = [(v.argmax(dim=1).numpy() == np.arange(20)).mean() for v in every.values()]
    np.testing.assert_allclose([line.get_ydata()[0] for line in crosses], expected)
    assert ax.lines[0].get_xdata().max() == 1


def test_means_of_few_rows_are_drawn_with_their_prediction() -> None:
    frame = scores.how_many_rows(pairs(40, 6), [1, 10], draws=3)
    ax = figures.right_over_rows(frame, plt.subplots()[1])
    by_label = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(by_label["gap that is left"].get_ydata(), frame["left"])
    np.testing.assert_allclose(by_label["predicted"].get_ydata(), frame["predicted"])


def test_bars_count_images_up_and_texts_down() -> None:
    clusters = np.array([0, 0, 1, 1, 1, 2])
    ax = group_figures.cluster_bars(clusters, 3, plt.subplots()[1])
    heights = [bar.get_height() for bar in ax.patches]
    assert sorted(heights[:3]) == [0, 1, 2]
    assert sorted(heights[3:]) == [-2, -1, 0]


def test_lines_and_dots_have_what_was_measured() -> None:
    task = two_sides(30)
    over = groups.over_gap(task, [0.0, 1.0], draws=2)
    ax = group_figures.over_closed({"drawn": over}, "v_measure", plt.subplots()[1])
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(orig=False), over["v_measure"])
    ways = {name: groups.WAYS[name] for name in (groups.UNTOUCHED, groups.BASELINE)}
    found = groups.summary(groups.measured(task, ways, draws=2))
    dots = group_figures.way_gains({"drawn": found}, "purity", plt.subplots()[1])
    (gain,) = dots.containers[0].lines[0].get_xdata(orig=False)
    assert gain == pytest.approx(found.loc[groups.BASELINE, "purity_gain"])


def test_the_error_of_a_precision_is_that_of_fresh_pairs_with_their_own_cutoff() -> None:
    found = pd.concat(
        {
            seed: scores.flat_cutoffs(pairs(120, 8, seed=seed), recall=0.5, resamples=60)
            for seed in range(30)
        }
    )
    for column in ("precision", "precision_gain"):
        told = np.sqrt(np.square(found[f"{column}_error"]).groupby(level=1).mean())
        spread = found[column].groupby(level=1).std()
        several = spread[spread > 0].index
        np.testing.assert_allclose(told[several], spread[several], rtol=0.5)


def test_aliases_of_one_item_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    asked = torch.tensor(rng.normal(size=(30, 6)))
    items = torch.tensor(rng.normal(size=(30, 6)))
    once = scores.fused(asked, torch.arange(30), items, items, [0.5])
    asked, owners = asked.repeat(4, 1), torch.arange(30).repeat(4)
    often = scores.fused(asked, owners, items, items, [0.5])
    pd.testing.assert_frame_equal(often, once)
