"""The hull and its circumcentre in numbers, against direct computation and sampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import hull_projection as hp
from gaputils.pages import survival
from tests.pages.test_survival import NOISE, pairs


def test_distance_parts_add_up_and_closing_removes_them() -> None:
    e = pairs(12)
    queries, gallery = e.queries, e.gallery[:6]
    parts = hp.distance_parts(queries, gallery)
    near = torch.cdist(queries, gallery).amin(1).square().mean()
    assert parts.sum() == pytest.approx(float(near))
    shifted = hp.distance_parts(*gu.MeanShift().fit_transform(queries, gallery))
    projected = hp.distance_parts(*gu.HullProjection().fit_transform(queries, gallery))
    assert shifted["mean offset (the gap)"] == pytest.approx(0, abs=1e-12)
    assert shifted["own offset"] == pytest.approx(parts["own offset"])
    assert projected[1:].abs().max() < 1e-12
    assert projected["within the hull"] == pytest.approx(parts["within the hull"])


def test_radii_over_blocks() -> None:
    blocks = survival.tasks(pairs(), 10)
    frame = hp.over_radius(blocks, [0.5, 2], NOISE)
    kept = [
        gu.robustness(*gu.HullProjection(radius=2.0).fit_transform(b.queries, b.gallery), NOISE)
        for b in blocks
    ]
    assert frame["robustness"][1] == pytest.approx(float(torch.cat(kept).mean()))
    assert frame["radius"].tolist() == [0.5, 2]
    assert frame["gain"][1] == 0
    lost = frame["robustness"][0] - frame["robustness"][1]
    assert frame["gain"][0] == pytest.approx(lost)
    assert frame["gain_error"][0] > 0
    gain, error = hp.gain_of_auto(blocks, NOISE)
    assert abs(gain) < 0.02
    assert error >= 0


def test_scaling_ends_at_the_inner_product() -> None:
    frame = hp.limit_of_scaling(survival.tasks(pairs(), 10), NOISE)
    value = frame["robustness"]
    assert value.iloc[1] == pytest.approx(value.iloc[2], abs=1e-3)
    assert frame["lead"].tolist() == pytest.approx((value.iloc[0] - value).tolist())
    assert (frame["lead_error"] < frame["robustness_error"]).all()


def test_a_change_of_scoring_is_held_against_the_same_queries() -> None:
    blocks = survival.tasks(pairs(), 10)
    frame = survival.over_sizes(pairs(), [10], {"original": None}, NOISE)
    level = frame.set_index("scoring")["robustness"]
    gain, error = hp.gain_of_cosine(blocks, NOISE)
    assert gain == pytest.approx(level["cosine"] - level["euclidean"])
    assert 0 < error < 0.1


def test_only_the_true_circumcentre_keeps_whole_rankings_of_unequal_norms() -> None:
    e = pairs(40)
    stretched = e.gallery * torch.linspace(0.97, 1.03, 40)[:, None]
    frame = hp.whole_rankings(e.queries, stretched, [10], [2, 5])
    assert frame["true circumcentre"].iloc[0] == 40
    assert frame["projected origin"].iloc[0] < 40
    equal = hp.whole_rankings(e.queries, e.gallery, [10], [2])
    assert equal["projected origin"].iloc[0] == 40


def test_from_afar_only_noise_along_the_line_of_sight_counts() -> None:
    block = survival.tasks(pairs(), 10)[0]
    frame = hp.along_and_across(block, [1, 1000], 0.3, draws=60).set_index("radius")
    assert frame.loc[1000, "across only"] > 0.999
    assert frame.loc[1000, "along only"] == pytest.approx(frame.loc[1000, "all noise"], abs=0.01)
    moved = gu.HullProjection(radius=1).fit_transform(block.queries, block.gallery)
    exact = float(gu.robustness(*moved, NOISE).mean())
    assert frame.loc[1, "all noise"] == pytest.approx(exact, abs=0.06)


def test_shaped_noise_is_integrated_as_it_is_sampled() -> None:
    e = pairs()
    block = survival.tasks(e, 10)[0]
    covariance = hp.shaped_covariance(e.gallery, 0.3, 0.6)
    assert float(covariance.trace()) == pytest.approx(0.3)
    sides = block.queries, block.gallery
    found = float(hp._under_covariance(sides, covariance).mean())
    factor = torch.linalg.cholesky(covariance)
    generator = torch.Generator().manual_seed(0)
    before, hits = (block.queries @ block.gallery.T).argmax(1), 0.0
    for _ in range(500):
        noise = torch.randn(10, e.dim, generator=generator, dtype=torch.float64) @ factor.T
        after = (block.queries @ (block.gallery + noise).T).argmax(1)
        hits += float((after == before).double().mean())
    assert found == pytest.approx(hits / 500, abs=0.03)


def test_the_oblique_projection_is_never_worse() -> None:
    e = pairs()
    frame = hp.under_shaped_noise(survival.tasks(e, 10), e.gallery, 0.3, [0, 0.9])
    wide = frame.pivot(index="share", columns="query", values="robustness")
    oblique, straight = wide["hull projection, oblique"], wide["hull projection, centred"]
    assert oblique[0] == pytest.approx(straight[0])
    assert oblique[0.9] > straight[0.9]
    assert oblique[0.9] > wide["original"][0.9]


def test_a_shift_can_harm_and_the_projection_does_not() -> None:
    value = hp.shift_that_harms()
    assert value["mean shift"] < value["original"] - 0.05
    assert value["hull projection"] >= value["original"] - 1e-4


def test_a_table_of_scorings_has_a_row_for_each_closing() -> None:
    frame = survival.over_sizes(pairs(), [10], {"original": None, "x": gu.MeanShift()}, NOISE)
    table = hp.scoring_table(frame, 10)
    assert list(table.index) == ["original", "gain of x"]
    assert list(table) == ["cosine", "inner-product", "euclidean"]
    assert table.loc["gain of x", "inner-product"] == "0"
    parts = hp.parts_over_sizes(pairs(), [3, 6])
    assert list(parts.index) == [3, 6]
    assert np.isfinite(parts.to_numpy()).all()
