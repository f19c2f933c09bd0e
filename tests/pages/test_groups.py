"""Clusters, neighbours and probes on drawn rows, against what theory says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import normalize

import gaputils as gu
from gaputils.datasets.openmoji import EMOJI10, catalogue
from gaputils.pages import groups
from gaputils.scoring import nearest

SEEDS = st.integers(0, 2**16)


def two_sides(
    n: int = 12, d: int = 30, gap: float = 5.0, kinds: int = 3, seed: int = 0
) -> groups.Labelled:
    """Pairs of `kinds` tight groups on either side of a gap."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % kinds
    middles = 0.5 * random.normal(size=(kinds, d))[labels]
    images, texts = (torch.tensor(middles + 0.2 * random.normal(size=(n, d))) for _ in range(2))
    apart = random.normal(size=d)
    images += torch.tensor(gap * apart / np.linalg.norm(apart))
    return groups.Labelled("drawn", images, texts, labels, labels)


def on_sphere(task: groups.Labelled) -> groups.Labelled:
    """`task` with rows of norm one."""
    return replace(task, images=normalize(task.images, dim=1), texts=normalize(task.texts, dim=1))


def test_every_kind_of_emoji_is_found_once() -> None:
    ranges = sorted(pair for kind in groups.KINDS.values() for pair in kind)
    assert all(
        low <= high < after
        for (low, high), (after, _) in zip(ranges, [*ranges[1:], (2**31, 0)], strict=True)
    )
    kinds = {one.names[0]: groups.kind_of(one.characters) for one in catalogue()}
    some = {"Canada": "flags", "mango": "food", "raccoon": "animals", "three o’clock": "clocks"}
    some = {name: kind for name, kind in some.items() if name in kinds}
    assert len(some) >= 3
    assert {name: kinds[name] for name in some} == some
    assert groups.kind_of(EMOJI10[1]) == "vehicles"
    assert groups.kind_of("🐈‍⬛") == "", "joined of several"


def test_halves_keep_pairs_whole_and_lose_nothing() -> None:
    task = two_sides()
    here, there = next(task.halves(1))
    assert len(here.images) + len(there.images) == 12
    torch.testing.assert_close(torch.cat([here.images, there.images]).sum(0), task.images.sum(0))
    rows = [int((task.images == image).all(dim=1).nonzero()) for image in here.images]
    torch.testing.assert_close(here.texts, task.texts[rows])


def test_pairs_get_the_groups_of_one_side_alone() -> None:
    task = two_sides()
    found = groups.pairs_by(gu.Embeddings(task.images, task.texts), "text", 3)
    assert (found.image_groups == found.text_groups).all()
    same = found.text_groups[:, None] == found.text_groups
    np.testing.assert_array_equal(same, task.text_groups[:, None] == task.text_groups)


def test_a_wide_gap_makes_clusters_of_one_side_and_means_undo_it() -> None:
    task = two_sides(30)
    raw = groups.clusters((task.images, task.texts), 3)
    assert not set(raw[:30]) & set(raw[30:])
    after = groups.clusters(groups.move(task, groups.BASELINE), 3)
    np.testing.assert_array_equal(after[:30], after[30:])
    apart = groups.distances(task, (groups.UNTOUCHED, groups.BASELINE))
    assert apart[groups.BASELINE] < apart["nearest"]
    near = two_sides(30, gap=0.5)
    close = groups.distances(near, (groups.UNTOUCHED,))
    assert close[groups.UNTOUCHED] < close["nearest"]
    found = groups.clusters((near.images, near.texts), 3)
    np.testing.assert_array_equal(found[:30], found[30:])


def test_neither_a_row_nor_its_partner_counts_as_neighbour() -> None:
    images = torch.tensor([[0.0], [10.0], [20.0], [30.0]])
    labels = np.array([0, 0, 1, 1])
    task = groups.Labelled("line", images, images + 0.1, labels, labels)
    same, other = groups.purity(task, (images, images + 0.1), k=2)
    assert other == 0.5
    assert same == pytest.approx((2 * 1 + 2 * 0.0 + 2 * 0.0 + 2 * 1) / 8 + 0.25)


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_what_is_off_the_hull_moves_no_probe_from_texts_to_images(seed: int) -> None:
    found = groups.unmoved(on_sphere(two_sides(40, 60, gap=3.0, seed=seed)))
    assert found.loc["mean shift", "changed"] == 0
    assert found.loc["hull projection, centred", "changed"] == 0
    assert (found["images"] == 20).all()


def test_scaling_keeps_neighbours_and_moves_probes() -> None:
    drawn = two_sides(80, 60, gap=3.0)
    anywhere = torch.tensor(np.random.default_rng(0).normal(size=(80, 60)))
    task = on_sphere(replace(drawn, images=drawn.texts.mean(dim=0) + 0.2 * anywhere))
    scaled = gu.HullProjection(radius=2).fit(task.images, task.texts)
    moved = scaled.transform(task.images, task.texts)
    assert (nearest(task.images, task.texts) == nearest(*moved)).all()
    assert groups.unmoved(task).loc["hull projection, scaled", "changed"] > 0


def test_a_probes_weights_lie_in_the_hull_of_what_it_saw() -> None:
    task = two_sides(12, 30)
    probe = LogisticRegression(C=10, tol=1e-10, max_iter=5000).fit(task.texts, task.text_groups)
    hull = torch.linalg.svd(task.texts - task.texts.mean(0), full_matrices=False)[2][:11]
    weights = torch.tensor(probe.coef_)
    torch.testing.assert_close(weights @ hull.T @ hull, weights, atol=1e-5, rtol=1e-5)


def test_the_probe_is_that_without_centring() -> None:
    task = two_sides(30, 8, gap=1.0)
    plain = LogisticRegression(C=10, tol=1e-8, max_iter=5000).fit(task.texts, task.text_groups)
    ours = groups.probe().fit(task.texts, task.text_groups)
    np.testing.assert_array_equal(plain.predict(task.images), ours.predict(task.images))


def test_differences_are_paired_over_the_halves() -> None:
    frame = pd.DataFrame(
        {
            "way": ["original", "other"] * 2,
            "draw": [0, 0, 1, 1],
            "right": [0.2, 0.3, 0.6, 0.7],
        }
    )
    found = groups.summary(frame)
    assert found.loc["other", "right"] == pytest.approx(0.5)
    assert found.loc["other", "right_gain"] == pytest.approx(0.1)
    assert found.loc["other", "right_gain_error"] == pytest.approx(0, abs=1e-12)
    assert found.loc["other", "right_error"] == pytest.approx(0.4 / 2**0.5)
    assert groups.table({"": found}, {"right": "right"}).loc["other", "right"] == "0.50 ± 0.28"


def test_one_half_has_no_error() -> None:
    frame = pd.DataFrame({"way": ["original"], "draw": [0], "right": [0.2]})
    with pytest.raises(ValueError, match="draws: expected an integer of at least 2, got 1"):
        groups.summary(frame)


def test_closing_all_of_the_gap_is_taking_means_away() -> None:
    task = two_sides(30)
    over = groups.over_gap(task, [0.0, 1.0], draws=2)
    ways = {name: groups.WAYS[name] for name in (groups.UNTOUCHED, groups.BASELINE)}
    means = groups.summary(groups.measured(task, ways, draws=2))
    for measure in ("v_measure", "purity", "text_to_image"):
        assert over.loc[1.0, measure] == pytest.approx(means.loc[groups.BASELINE, measure])
        assert over.loc[0.0, measure] == pytest.approx(means.loc[groups.UNTOUCHED, measure])
    assert over.loc[1.0, "v_measure"] == 1 > over.loc[0.0, "v_measure"]


def test_texts_without_noise_are_the_probe_of_measured() -> None:
    task = two_sides(30, gap=1.0)
    found = groups.summary(groups.text_only(task, (0.0, 0.1), draws=2))
    ways = {groups.UNTOUCHED: None}
    plain = groups.measured(task, ways, draws=2)["text_to_image"].mean()
    assert found.loc[groups.UNTOUCHED, "right"] == pytest.approx(plain)
    assert len(found) == 4


def test_ten_emoji_have_their_names_in_every_template() -> None:
    task = groups.emoji_classes(gu.load_model("tiny-openmoji"), copies=2)
    assert (np.bincount(task.image_groups) == 2).all()
    assert len(set(np.bincount(task.text_groups))) == 1
    assert task.count == 10
    assert groups.distance_table({"ten": task}).loc["ten", "images"] == 20


def test_kinds_of_emoji_are_few_of_each() -> None:
    task = groups.emoji_kinds(gu.load_model("tiny-openmoji"), most=3)
    assert (np.bincount(task.image_groups) == 3).all()
    torch.testing.assert_close(task.images.norm(dim=1), torch.ones(30))
