"""Comparing closings: against the plain calls that the comparison stands for."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.closing import catalogue
from gaputils.embeddings import choose_items, unit_rows
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.table import Comparison, Outcome
from gaputils.noise._monte_carlo import Estimate
from gaputils.pages import all_methods, survival, with_error
from gaputils.pages.compressed_indexes import about_circumcentre
from gaputils.pages.moving_the_gap import accuracy_curve, summarize_curve
from gaputils.scoring import nearest

mpl.use("agg")
from pages.helpers import QUICK, row, task


def measured(order: str = "closing first") -> pd.DataFrame:
    e = task(40, 20, 24)
    pairs = gu.Embeddings(e.gallery + 0.2 * e.queries[:20], e.gallery, normalize=True)
    blocks = survival.tasks(pairs, 10)
    closings = {name: all_methods.contestants()[name] for name in ("original", "CORAL", "GR-CLIP")}
    noises = {"": gu.GaussianNoise(0.3)}
    return compare_blocks(blocks, closings, noises, scorings=["cosine"], order=order)


def test_every_closing_has_the_band_of_what_it_keeps_and_learns():
    chosen, bands = all_methods.contestants(), all_methods.bands()
    assert set(bands) == set(chosen) - {"original"}
    assert set(all_methods.SHOWN) <= set(chosen)
    e = task()
    for name, band in bands.items():
        learned = catalogue.fit(catalogue.copy(chosen[name]), e)
        assert learned.preserves_ranking == (band == all_methods.KEEPS), name
    assert {bands[name] for name in ("Procrustes", "whitening", "CORAL")} == {all_methods.MORE}
    means = ("naive shift", "centring (C3)", "GR-CLIP", "ReAlign", "dimension ablation", "NNN")
    assert {bands[name] for name in means} == {all_methods.MEANS}


def test_bands_follow_each_other_and_begin_with_what_the_short_table_shows():
    names = list(all_methods.contestants())
    assert names[:5] == [
        "original",
        "mean shift",
        "hull projection",
        survival.CENTRED,
        survival.SCALED,
    ]
    order = [all_methods.bands()[name] for name in names[1:]]
    assert list(dict.fromkeys(order)) == [all_methods.KEEPS, all_methods.MEANS, all_methods.MORE]
    assert order == sorted(order, key=list(dict.fromkeys(order)).index)
    assert len(names) == len(set(names))


def test_both_orders_stand_beside_each_other_with_their_errors():
    after, before = measured(), measured("noise first")
    frame = all_methods.beside(after, before)
    alone = before.set_index("closing")["robustness"]
    assert frame.loc["CORAL", "robustness first"] == alone["CORAL"]
    assert frame.loc["original", "band"] == ""
    table = all_methods.short_table(frame, ["CORAL"])
    value, error = frame.loc["CORAL", ["right_gain", "right_gain_error"]]
    assert table.loc["CORAL", "gain in right"] == with_error(value, error, signed=True)
    value, error = before.set_index("closing").loc["CORAL", ["gain", "gain_error"]]
    told = with_error(value, error, signed=True)
    assert table.loc["CORAL", "gain in unchanged, noise first"] == told
    assert table.shape == (1, 6)


def test_the_rival_of_scaling_is_the_projection_by_inner_product():
    e = task(60, 20, 24)
    pairs = gu.Embeddings(e.gallery + 0.2 * e.queries[:20], e.gallery, normalize=True)
    blocks, noise = survival.tasks(pairs, 10), gu.GaussianNoise(0.3)
    frame = all_methods.rivals(blocks, noise, draws=20)
    closings = {name: survival.CLOSINGS[name] for name in (survival.CENTRED, survival.SCALED)}
    plain = compare_blocks(blocks, closings, {"": noise}).set_index(["closing", "scoring"])
    plain = plain["robustness"]
    scaled = survival.SCALED, "euclidean"
    assert frame.loc[scaled, "gain"] == pytest.approx(plain[scaled] - plain[all_methods.RIVAL])
    assert (frame.loc[all_methods.RIVAL, ["gain", "gain_error", "gain first"]] == 0).all()
    table = all_methods.rivals_table(frame)
    assert table.index[0] == "hull projection, scaled, by distance"
    value, error = frame.loc[scaled, ["gain first", "gain_error first"]]
    assert table["over the rival, noise first"].iloc[0] == with_error(value, error, signed=True)


def test_level_with_the_best_is_who_lies_within_one_paired_error():
    values = np.linspace(0, 1, 50)
    unsure = values + np.where(np.arange(50) % 2, 0.3, -0.3)
    chances = {"best": values + 0.01, "unsure": unsure, "worse": values - 0.2}
    chances |= {"close": values + 0.01 - 1e-5}
    outcomes = {
        (name, "cosine", ""): Outcome(
            torch.zeros(50, dtype=torch.long),
            Estimate.exact(torch.tensor(values)),
            Estimate.exact(torch.tensor(right)),
        )
        for name, right in {None: values, **chances}.items()
    }
    labels = {name: name for name in chances}
    found = Comparison(outcomes, labels, torch.zeros(50, dtype=torch.long))
    names = list(chances)
    assert all_methods.level_with_best(found, "right", names) == ["best", "close", "unsure"]
    assert all_methods.level_with_best(found, "right", ["worse", "unsure"]) == ["unsure"]


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
    for name, closing in catalogue.standard_closings().items():
        moved = catalogue.close(closing, e)
        same = nearest(moved.queries, moved.gallery) == nearest(e.queries, e.gallery)
        assert closing is None or not closing.preserves_ranking or bool(same.all()), name


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
    moved = about_circumcentre(e)
    norms = moved.gallery.norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand(8))
    torch.testing.assert_close(
        torch.cdist(moved.queries, moved.gallery), torch.cdist(e.queries, e.gallery)
    )
    assert moved.gallery.norm(dim=1).mean() < e.gallery.norm(dim=1).mean()


def test_no_scoring_has_the_colour_of_another_thing():
    from gaputils.pages.figures.methods import SCORING_COLOR
    from gaputils.plots.theme import CLOSING_COLOR, COLOR, TASK_COLORS

    taken = {*CLOSING_COLOR.values(), *COLOR.values(), *TASK_COLORS}
    assert taken.isdisjoint(SCORING_COLOR.values())


def test_the_figures_draw_what_they_are_given():
    import matplotlib.pyplot as plt

    from gaputils.pages.figures import methods as figures

    e = task()
    frame = gu.compare_closings(e.queries, e.gallery, QUICK, {"": gu.GaussianNoise(0.02)})
    _, axes = plt.subplots(2, 2)
    dots = figures.closing_dots(frame, "robustness", axes[0, 0])
    assert [label.get_text() for label in dots.get_yticklabels()] == list(QUICK)
    swept = pd.DataFrame({"closing": "original", "bins": [8, 16], "value": [0.1, 0.2]})
    (line,) = figures.closing_lines(swept, "bins", "value", axes[0, 1], scale="log").get_lines()
    assert list(line.get_ydata()) == [0.1, 0.2]
    phrased = pd.DataFrame(
        [
            {"closing": name, "template": t, "kind": kind, "unchanged": 0.9}
            for name in QUICK
            for t, kind in enumerate(("seen", "unseen"))
        ]
    )
    strips = figures.template_dots(phrased, "unchanged", axes[1, 0])
    assert len(strips.get_lines()) >= len(QUICK)
    shown = figures.answers(torch.zeros(3, 4, 4, dtype=torch.uint8), ["one"], axes[1, 1])
    assert shown.texts[0].get_text() == "one"
    plt.close("all")


def test_a_rotation_of_more_pairs_is_learned_from_all_other_blocks():
    blocks = gu.answerable_blocks(task(), 2)
    untouched, one, every = all_methods.rotated(blocks)
    first, rest = blocks[0], blocks[1:]
    pairs = [torch.cat([b.queries for b in rest]), torch.cat([b.gallery[b.targets] for b in rest])]
    sides = gu.Procrustes().fit(*pairs).transform(first.queries, first.gallery)
    assert torch.equal(every, first.right(nearest(*sides, "cosine")).double())
    raw = first.right(nearest(first.queries, first.gallery, "cosine"))
    assert torch.equal(untouched, raw.double())
    assert one.shape == every.shape


class Enlarged(gu.MeanShift):
    """A shift whose gallery and queries are then three times as large."""

    def transform_queries(self, queries: object) -> object:
        return 3 * super().transform_queries(queries)

    def transform_gallery(self, gallery: object) -> object:
        return 3 * super().transform_gallery(gallery)


def galleries() -> list[gu.Embeddings]:
    """Two galleries of ten pairs with a gap, most of which lies across the galleries' hulls."""
    generator = torch.Generator().manual_seed(0)
    items = torch.randn(20, 24, generator=generator, dtype=torch.float64)
    queries = items + torch.randn(20, 24, generator=generator, dtype=torch.float64)
    offset = 4 * torch.eye(24, dtype=torch.float64)
    return survival.tasks(gu.Embeddings(queries + offset[0], items + offset[1], normalize=True), 10)


def test_what_is_size_is_gone_at_the_untouched_spread_and_when_the_noise_falls_first():
    closings = {"original": None, "shift": gu.MeanShift(), "large": Enlarged()}
    frame = all_methods.size_or_shape(galleries(), closings, gu.GaussianNoise(0.3), draws=20)
    large, shift = frame.loc["large"], frame.loc["shift"]
    assert large["spread"] == pytest.approx(3)
    assert large["after"] > shift["after"] + 0.05
    for name in ("sized", "before", "inside"):
        assert large[name] == pytest.approx(shift[name], abs=1e-6), name
        told = large[[f"{name} gain", f"{name} gain_error"]].astype(float)
        assert told.to_list() == pytest.approx(
            shift[[f"{name} gain", f"{name} gain_error"]].astype(float).to_list(), abs=1e-6
        )
    assert frame.loc["original", "sized gain"] == 0
    table = all_methods.size_table(frame)
    assert table.loc["original", "closing, then noise"] == f"{frame.loc['original', 'after']:.3f}"
    assert table.loc["original"].str.contains("±").sum() == 0
    gain = with_error(shift["after gain"], shift["after gain_error"], signed=True)
    assert table.loc["shift", "closing, then noise"] == gain


def test_within_the_hull_a_projection_has_nothing_to_gain():
    closings = {"original": None, "hull": gu.HullProjection()}
    frame = all_methods.size_or_shape(galleries(), closings, gu.GaussianNoise(0.3), draws=20)
    assert frame.loc["hull", "inside gain"] == pytest.approx(0, abs=1e-9)
    assert frame.loc["hull", "before gain"] > 0.02


def test_noise_within_the_hull_leaves_what_is_across_it():
    e = galleries()[0]
    noise = all_methods.WithinHull(gu.GaussianNoise(0.5))
    queries, noisy = noise.apply(e.queries, e.gallery, torch.Generator().manual_seed(0))
    assert torch.equal(queries, e.queries)
    rows = torch.cat([e.gallery, noisy]) - e.gallery.mean(0)
    assert torch.linalg.matrix_rank(rows) == len(e.gallery) - 1
    moved = (noisy - e.gallery).square().sum(1).mean()
    assert 0.05 < float(moved) < 0.5
