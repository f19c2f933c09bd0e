"""What is recorded in training beside its definitions, and beside what was recorded."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from gaputils import models
from gaputils.pages.born import recorded
from gaputils.tiny_openmoji import probe

pytestmark = pytest.mark.usefixtures("one_thread")


def test_measure_agrees_with_its_definitions():
    generator = torch.Generator().manual_seed(0)
    n, m, d = probe.PAIRS + 40, 700, 12
    images = torch.nn.functional.normalize(torch.randn(n, d, generator=generator), dim=1)
    texts = torch.nn.functional.normalize(
        torch.randn(m, d, generator=generator) + torch.ones(d), dim=1
    )
    targets = torch.randint(m, (n,), generator=generator)
    row = probe.measure(images, texts, targets, 20.0)
    x = images[: probe.PAIRS].double()
    y = texts[targets[: probe.PAIRS]].double()
    gap = y.mean(0) - x.mean(0)
    unit = gap / gap.norm()
    assert row["gap_norm"] == pytest.approx(float(gap.norm()))
    assert row["variance_gap_text"] == pytest.approx(float((y @ unit).var(correction=0)))
    assert row["variance_total_image"] == pytest.approx(float(x.var(0, correction=0).sum()))
    assert row["variance_leading_image"] == pytest.approx(
        float(torch.linalg.svdvals(x - x.mean(0))[0] ** 2 / len(x))
    )
    received = torch.softmax(20 * x @ y.T, dim=1).sum(0)
    assert row["mass_text"] == pytest.approx(float((received - 1).square().mean().sqrt()))
    assert row["cosine_matched"] == pytest.approx(float((x * y).sum(1).mean()))
    away = [float((x @ y.T)[~torch.eye(len(x), dtype=torch.bool)].mean())]
    assert row["cosine_unmatched"] == pytest.approx(away[0])


def test_the_random_directions_are_orthogonal_to_the_gap():
    points = torch.zeros(50, 6, dtype=torch.float64)
    points[:, 0] = torch.linspace(-1, 1, 50)
    along = torch.eye(6, dtype=torch.float64)[0]
    assert probe._variances(points, along)["variance_random"] == pytest.approx(0, abs=1e-12)
    assert probe._variances(points, along)["variance_gap"] > 0.3


def test_recorded_runs_have_three_seeds_each():
    frame = recorded()
    seeds = frame.groupby("setting")["seed"].nunique()
    assert sorted(seeds.index) == ["annealed", "fixed at 100", "fixed at 14", "learned from 14"]
    assert (seeds.drop("annealed") == 3).all()
    assert seeds["annealed"] >= 2
    assert not frame.drop(columns="loss_batch").isna().any().any()


def test_the_shipped_history_is_that_of_the_recorded_seed_0():
    frame = recorded()
    rows = frame[(frame["setting"] == "fixed at 100") & (frame["seed"] == 0)].set_index("step")
    seen = probe.Probe.build(48)
    for step in models.training_steps():
        model = gu.load_model("tiny-openmoji", step=step, device="cpu")
        images, texts = model.encode_images(seen.pixels), model.encode_texts(seen.captions)
        row = probe.measure(images, texts, seen.targets, model.logit_scale)
        assert row["gap_norm"] == pytest.approx(rows.loc[step, "gap_norm"], abs=2e-3)
        assert row["top1"] == pytest.approx(rows.loc[step, "top1"], abs=0.02)
