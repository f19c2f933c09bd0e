"""Curves, tasks and sizes on the page about closing, against numbers made another way."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import gaputils as gu
from gaputils.pages import closing_it, intro
from gaputils.pages.figures import closing_it as figures


def task(n: int = 12, m: int = 6, d: int = 10) -> gu.Embeddings:
    generator = torch.Generator().manual_seed(0)
    texts = F.normalize(torch.randn(m, d, generator=generator), dim=1)
    targets = torch.arange(n) % m
    images = texts[targets] + 0.2 * torch.randn(n, d, generator=generator)
    images[:, 0] += 1.0
    return gu.Embeddings(images, 2 * texts, targets)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_unit_rows_keep_targets() -> None:
    e = closing_it.unit(task())
    torch.testing.assert_close(e.gallery.norm(dim=1), torch.ones(6))
    assert torch.equal(e.targets, task().targets)


def test_unit_rows_span_no_more_than_the_stored_ones() -> None:
    """In double precision the rounding of single ones would span the rest of the space."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(200, 8, generator=draw) @ torch.randn(8, 16, generator=draw)
    e = closing_it.unit(gu.Embeddings(rows, rows))
    assert gu.MeanShift().fit(e.queries[:50] + 0.5, e.gallery).n_components_ == 8


def test_curves_rise_and_points_lie_near() -> None:
    noises = [gu.GaussianNoise(v) for v in (0.05, 0.2)]
    e = closing_it.unit(task())
    exact, points = closing_it.curves(e, gu.MeanShift(), [0.0, 0.5, 1.0, 2.0], noises, 200, 0)
    assert closing_it.rises(exact)
    assert not closing_it.rises(exact.assign(robustness=-exact["alpha"]))
    assert closing_it.furthest_point(exact, points) < 4.5
    moved = points.assign(robustness=points["robustness"] + 10 * points["standard_error"])
    assert closing_it.furthest_point(exact, moved) > 5
    agreeing = moved.assign(standard_error=0.0)
    both = pd.concat([points, agreeing])
    assert closing_it.furthest_point(exact, both) == closing_it.furthest_point(exact, points)
    assert closing_it.furthest_point(exact, agreeing) == 0
    figure = figures.robustness_by_alpha({"a": (exact, points)})
    assert "clean accuracy" not in figure.axes[0].get_legend_handles_labels()[1]
    assert (
        "clean accuracy" in figures.accuracy_by_alpha(exact).axes[0].get_legend_handles_labels()[1]
    )


def test_tasks_are_told_beside_their_own_baseline() -> None:
    frame = closing_it.by_task({"a": task(), "b": task(18)}, 0.1, bootstrap=50)
    e = closing_it.unit(task())
    before = gu.robustness(e.queries, e.gallery, gu.GaussianNoise(0.1)).mean()
    rows = frame.set_index(["task", "closing", "scoring"])
    found = rows.loc[("a", intro.ORIGINAL, "euclidean"), "robustness"]
    assert found == pytest.approx(float(before), abs=1e-6)
    words = closing_it.table(frame, "euclidean")
    assert list(words.columns) == ["a", "b"]
    assert words.loc[intro.ORIGINAL, "a"] == f"{found:.3f}"


def test_gains_are_drawn_for_every_closing_and_scoring() -> None:
    rows = [
        {"captions": size, "closing": name, "scoring": scoring, "gain": 0.1, "gain_error": 0.01}
        for size in (10, 100)
        for name in intro.CLOSINGS
        for scoring in gu.pages.SCORING_WORDS
    ]
    axes = figures.gain_by_size(pd.DataFrame(rows)).axes
    assert [ax.get_title() for ax in axes] == list(gu.pages.SCORING_WORDS.values())
    assert all(len(ax.containers) == len(intro.CLOSINGS) - 1 for ax in axes)


def test_many_renderings_of_few_classes_are_few_draws_of_classes() -> None:
    """Two classes of like images: over images the gain is exact, over classes it is not."""
    gallery = torch.eye(2, 3)
    queries = torch.tensor([[0.9, 0.0, 1.0], [0.0, 0.6, 1.0]]).repeat_interleave(50, 0)
    e = gu.Embeddings(queries, gallery, torch.arange(2).repeat_interleave(50))
    closing = gu.HullProjection()
    noise = gu.GaussianNoise(0.5)
    moved = closing.fit(queries, gallery).transform(queries, gallery)
    by_class = [
        float(gu.robustness(*sides, noise, scoring="cosine")[at])
        for at in (0, 50)
        for sides in (moved, (queries, gallery))
    ]
    gains = by_class[0] - by_class[1], by_class[2] - by_class[3]
    error = closing_it.error_over_classes(e, closing, 0.5)
    assert error == pytest.approx(abs(gains[0] - gains[1]) / 2 / 2**0.5, rel=0.1)


def test_right_answers_under_noise_are_held_against_those_without() -> None:
    e = closing_it.unit(task())
    change, error = closing_it.right_less_clean(e, 0.2)
    right = gu.accuracy_under_noise(e.queries, e.gallery, e.targets, gu.GaussianNoise(0.2))
    clean = (torch.cdist(e.queries, e.gallery).argmin(1) == e.targets).double()
    assert change == pytest.approx(float((right.double() - clean).mean()), abs=1e-6)
    spread = float((right.double() - clean).std())
    assert error == pytest.approx(spread / len(clean) ** 0.5, rel=0.2)
