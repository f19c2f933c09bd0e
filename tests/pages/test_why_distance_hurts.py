"""The experiments of the page on distance, but for those of its gallery."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import why_distance_hurts as page


def test_survival_by_distance_is_the_robustness_of_flat_galleries() -> None:
    noise = gu.GaussianNoise(0.4)
    table = page.survival_by_distance([2, 5], [0.0, 1.0], noise, runs=2, n=9, d=6)
    assert len(table) == 8
    row = table[(table["classes"] == 5) & (table["run"] == 1) & (table["distance"] == 1.0)]
    queries, gallery, _ = page.flat_gallery(9, 5, 6, gap=1.0, seed=1)
    expected = float(gu.robustness(queries, gallery, noise).mean())
    np.testing.assert_allclose(row["robustness"], expected, atol=1e-12)
    wide = table.pivot_table(index=["classes", "run"], columns="distance", values="robustness")
    assert (wide[1.0] < wide[0.0]).all()


def test_shifts_are_named_and_the_free_ones_change_nothing() -> None:
    table = page.after_shifts(
        runs=2, n=60, m=6, d=8, gap=1.0, lengths=[0.5, 3.0], tilts=[0.0, 45.0]
    )
    changed = table.groupby("shift")["changed"].max()
    assert list(changed.index) == [
        "orthogonal",
        "renormalised, equal norms",
        "renormalised, unequal norms",
        "tilted by 45°",
    ]
    assert changed["orthogonal"] == changed["renormalised, equal norms"] == 0
    assert changed["tilted by 45°"] > 0
    assert len(table) == 2 * (4 + 2 + 2)


def test_nearest_items_lose_and_farthest_gain() -> None:
    table = page.random_slopes(16)
    assert (table[table["item"] == "nearest"]["slope"] < 1e-12).all()
    assert (table[table["item"] == "farthest"]["slope"] > -1e-12).all()
    assert table.equals(page.random_slopes(16, seed=0))
    assert not table.equals(page.random_slopes(16, seed=1))


def test_shifts_are_compared_with_the_untouched_galleries_of_all_blocks() -> None:
    queries, gallery, _ = page.flat_gallery(40, 6, 8, gap=1.0, seed=0)
    answers = gu.scoring.nearest(queries, gallery)
    blocks = [gu.Embeddings(queries[:n], gallery, answers[:n]) for n in (40, 9)]
    noise = gu.GaussianNoise(0.4)
    table = page.compared(blocks, noise).set_index(["scoring", "gallery"])
    plain, closed = (table.loc[("euclidean", name)] for name in ("original", "mean shift"))
    kept = gu.robustness(torch.cat([queries, queries[:9]]), gallery, noise)
    assert plain["robustness"] == pytest.approx(float(kept.mean()))
    assert plain["robustness_error"] == pytest.approx(float(kept.std()) / 7, rel=0.1)
    assert plain["gain"] == plain["gain_error"] == plain["changed"] == closed["changed"] == 0
    assert closed["gain"] > 2 * closed["gain_error"] > 0
    turned = gu.scoring.nearest(queries[:9], page.shifted(blocks[1])["naive shift"]) != answers[:9]
    alone = page.compared(blocks[1:], noise, ["euclidean"]).set_index("gallery")
    assert alone.loc["naive shift", "changed"] == float(turned.double().mean())
    words = page.compared_table(table.reset_index())
    assert list(words.index) == list(page.SHIFTS)
    assert "(" not in words.loc["original", "cosine: survive"]
    assert "(+" in words.loc["mean shift", "cosine: survive"]
