"""What is read off the checkpoints of a training, and how it is drawn."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

import gaputils as gu
from gaputils.pages import born
from gaputils.pages.born import recorded
from gaputils.pages.figures import born as draw


def clouds(seed, gap, n=200, d=24):
    generator = torch.Generator().manual_seed(seed)
    shift = torch.zeros(d)
    shift[0] = gap
    gallery = F.normalize(torch.randn(8, d, generator=generator), dim=1)
    targets = torch.arange(n) % 8
    queries = gallery[targets] + 0.2 * torch.randn(n, d, generator=generator) + shift
    return gu.Embeddings(queries, gallery, targets)


def test_cosines_of_two_cones_are_high_within_and_low_between():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.eye(8)[0], torch.eye(8)[1]
    e = gu.Embeddings(
        one + 0.05 * torch.randn(50, 8, generator=generator),
        other + 0.05 * torch.randn(40, 8, generator=generator),
        torch.zeros(50).long(),
    )
    means = born.cosine_sample(e, pairs=500).groupby("pairs")["cosine"].mean()
    assert means["two images"] > 0.95
    assert means["two texts"] > 0.95
    assert abs(means["image and text"]) < 0.1


def test_no_item_is_paired_with_itself():
    e = gu.Embeddings(torch.eye(5), torch.eye(5), torch.arange(5))
    sample = born.cosine_sample(e, pairs=300)
    assert sample["cosine"].abs().max() == 0


def test_cosines_are_a_function_of_the_seed():
    e = clouds(0, 1.0)
    first, again, other = (born.cosine_sample(e, pairs=20, seed=s) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_closing_orders_robustness_and_keeps_accuracy():
    frame = born.gap_and_robustness({0: clouds(0, 0.0), 10: clouds(0, 3.0)}, gu.GaussianNoise(0.5))
    table = frame.pivot(index="step", columns="closing", values="robustness")
    assert (
        table.loc[10, "original"] < table.loc[10, "mean shift"] <= table.loc[10, "hull projection"]
    )
    assert table.loc[10, "original"] < table.loc[0, "original"]
    accuracy = frame.pivot(index="step", columns="closing", values="accuracy")
    assert (accuracy.nunique(axis=1) == 1).all()
    assert frame["gap_norm"].iloc[-1] == pytest.approx(3.0, abs=0.3)


def test_embeddings_without_targets_are_refused():
    e = gu.Embeddings(torch.randn(5, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match="step 7"):
        born.gap_and_robustness({7: e}, gu.GaussianNoise(0.1))


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_temperature_panels_have_a_dot_for_each_seed() -> None:
    frame = pd.DataFrame(
        {"logit_scale": [14.0, 14.0, 100.0, 100.0], "seed": [0, 1, 0, 1], "gap": [0.1, 0.2, 0.8, 1]}
    )
    figure = draw.by_temperature(frame, {"gap": "gap norm"})
    (ax,) = figure.axes
    assert ax.get_title() == "gap norm"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["14", "100"]
    heights = [y for c in ax.collections for _, y in c.get_offsets()]
    assert sorted(heights) == [0.1, 0.2, 0.8, 1]
    figure.canvas.draw()


def test_a_quantity_has_a_line_a_setting(ax):
    runs = recorded()
    draw.quantity(runs, "gap_norm", "gap norm", ax)
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == set(runs["setting"])
    assert ax.get_ylabel() == "gap norm"


def test_the_line_is_the_mean_over_the_seeds(ax):
    runs = recorded()
    hot = runs[runs["setting"] == "fixed at 100"]
    draw.sides(hot, "variance_total", "variance", ax)
    expected = hot.groupby("step")["variance_total_image"].mean()
    assert ax.lines[0].get_ydata() == pytest.approx(expected.to_numpy(), rel=1e-9)


def test_variances_can_be_shares(ax):
    hot = recorded().query("setting == 'fixed at 100' and seed == 0")
    draw.variance_shares(hot, "text", 256, ax)
    along = hot["variance_gap_text"] / hot["variance_total_text"]
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == len(along)]
    assert drawn[-1] == pytest.approx(along.to_numpy(), rel=1e-9)
    assert list(ax.lines[-1].get_ydata()) == [1 / 256] * 2


def test_loss_and_accuracy_have_an_axis_each(ax):
    hot = recorded().query("setting == 'fixed at 100'")
    draw.loss_and_accuracy(hot, ax)
    assert [a.get_ylabel() for a in ax.figure.axes] == ["loss", "share of right names"]


def test_robustness_over_steps_draws_what_it_is_given(ax):
    frame = born.gap_and_robustness({0: clouds(0, 1.0), 5: clouds(1, 1.0)}, gu.GaussianNoise(0.3))
    draw.robustness_over_steps(frame, ax)
    rows = frame[frame["closing"] == "mean shift"].sort_values("step")["robustness"]
    drawn = {line.get_label(): line for line in ax.lines}["mean shift"].get_ydata()
    assert list(drawn) == list(1 - rows)


def test_cosines_are_drawn_by_kind(ax):
    draw.cosines(born.cosine_sample(clouds(0, 1.0), pairs=50), ax)
    assert len(ax.get_legend().get_texts()) == 3


def test_each_template_is_tried_by_itself():
    model = gu.load_model("tiny-openmoji", device="cpu")
    ten = gu.datasets.load("emoji10", copies=2)
    images = gu.embed(model, ten).queries
    templates = list(ten.templates[:2])
    found = born.accuracy_by_template(model, images, ten, templates)
    alone = [gu.zero_shot(gu.embed(model, ten, templates=[each]))["top1"] for each in templates]
    assert found == pytest.approx(alone)
