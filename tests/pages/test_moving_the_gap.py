"""What the naive shift does: handicaps, hubs, and who is right afterwards."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import gaputils as gu
from gaputils.pages import moving_the_gap as moving
from gaputils.pages.figures import moving_the_gap as figures
from gaputils.scoring import nearest


def task(seed: int = 0, n: int = 30, d: int = 12) -> gu.Embeddings:
    generator = torch.Generator().manual_seed(seed)
    texts = F.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=1)
    images = texts + 0.3 * torch.randn(n, d, generator=generator, dtype=torch.float64)
    images[:, 0] += 1.0
    info = {"loss": "InfoNCE", "title": "a task"}
    return gu.Embeddings(F.normalize(images, dim=1), texts, info=info)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_a_handicap_is_what_the_shift_adds_to_an_items_distances() -> None:
    e = task()
    found = moving.handicaps(e)
    gap = gu.gap_vector(e.queries, e.gallery)
    distances = [torch.cdist(e.queries, side).square() for side in (e.gallery, e.gallery + gap)]
    added = (distances[1] - distances[0])[3]
    added = 0.5 * (added + 2 * (e.queries[3] * gap).sum() - gap.square().sum())
    np.testing.assert_allclose(found["handicap"], added - added.mean(), atol=1e-12)
    assert found["before"].sum() == found["after"].sum() == len(e.queries)
    assert (found["change"] == found["after"] - found["before"]).all()


def test_shifting_texts_and_shifting_images_are_one_experiment() -> None:
    e = task()
    found = moving.two_shifts(e)
    assert found["equal"] == 1
    shifted = e.gallery + gu.gap_vector(e.queries, e.gallery)
    right = nearest(e.queries, shifted) == e.targets
    assert found["accuracy"] == pytest.approx(float(right.double().mean()))
    assert 0 < found["inside"] <= 1 + 1e-9
    assert found["rank"] < 0


def test_changes_are_paired_and_named_by_set() -> None:
    found = moving.changes({"x-a": task(), "x-b": task(1)})
    assert list(found.index) == ["x-a", "x-b"]
    e = task()
    shifted = e.gallery + gu.gap_vector(e.queries, e.gallery)
    before, after = (e.right(nearest(e.queries, g)).double() for g in (e.gallery, shifted))
    assert found.loc["x-a", "change"] == pytest.approx(float((after - before).mean()))
    exact = float((after - before).std(correction=0)) / len(e.queries) ** 0.5
    assert found.loc["x-a", "error"] == pytest.approx(exact, rel=0.15)
    assert found["told"].dtype == bool
    fours = gu.Embeddings(e.queries.repeat(4, 1), e.gallery, e.targets.repeat(4))
    drawn = moving.changes({"each four times": fours}).loc["each four times"]
    assert drawn["error"] == pytest.approx(exact / 2, rel=0.15)
    assert drawn["error_over_items"] == pytest.approx(exact, rel=0.15)
    figure = figures.changes_by_set(found)
    assert len(figure.axes[0].get_yticks()) == 2


def test_renormalising_after_the_whole_hull_shift_changes_nothing() -> None:
    e = task(n=8)
    found = moving.renormalised({"small": e})
    assert found.loc[("mean shift, whole hull", "small"), "unchanged, renormalised"] == 1
    assert found.loc[("mean shift, whole hull", "small"), "spread of norms"] < 1e-12
    assert found.loc[("naive shift", "small"), "spread of norms"] > 1e-3
    told = moving.renormalised_table(found)
    assert list(told) == ["small"]
    assert told.loc["mean shift, whole hull", "small"] == "all"
    assert " → " in told.loc["naive shift", "small"]


def test_a_sweep_has_every_variant_and_the_mean_shift_is_flat() -> None:
    frame = moving.sweep({"a": task(n=8)}, [0.0, 0.5, 1.0])
    assert set(frame["closing"]) == set(moving.VARIANTS)
    flat = frame[(frame["closing"] == moving.MEAN) & (frame["scoring"] == "euclidean")]
    assert (flat["unchanged"] == 1).all()
    naive = frame[(frame["closing"] == moving.NAIVE) & (frame["scoring"] == "euclidean")]
    rise = naive["accuracy"].max() - float(naive[naive["alpha"] == 0]["accuracy"].iloc[0])
    assert moving.most_over_original(frame) == pytest.approx(rise)
    assert len(figures.accuracy_by_alpha(frame).axes[0].lines) == 4


def test_under_noise_every_cell_stands_beside_its_own_baseline() -> None:
    frame = moving.under_noise(task(n=8), 0.1)
    words = moving.noise_table(frame)
    assert list(words.columns) == [moving.ORIGINAL, *moving.VARIANTS]
    assert "(" not in words.loc["cosine, right", moving.ORIGINAL]
    row = frame.set_index(["closing", "scoring"]).loc[(moving.MEAN, "cosine")]
    assert words.loc["cosine, survive", moving.MEAN].startswith(f"{row['robustness']:.3f} (")
    assert isinstance(words, pd.DataFrame)
