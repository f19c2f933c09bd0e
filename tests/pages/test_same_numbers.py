"""Several data sets side by side, and captions made of templates."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import gaputils as gu
from gaputils.datasets import load
from gaputils.pages import same_numbers
from gaputils.pages.figures.same_numbers import both_packages


def test_captions_fill_the_first_templates_with_the_names() -> None:
    dataset = load("emoji10", copies=1)
    captions = same_numbers.captions_of(dataset, images=3, captions=2)
    assert [len(each) for each in captions] == [2, 2, 2]
    assert captions[1][0] == dataset.templates[0].format(dataset.class_names[1])


def test_data_sets_stand_below_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def compare(_model: object, dataset: object, templates: list[str]) -> pd.DataFrame:
        asked.append((dataset.name, len(templates)))
        return pd.DataFrame({"gaputils": [0.5]}, index=["top1"])

    monkeypatch.setattr(same_numbers, "compare_zero_shot", compare)
    table = same_numbers.compare_data_sets(None, {"emoji10": 4, "openmoji": 1})
    assert asked == [("emoji10", 4), ("openmoji", 1)]
    assert table.index.tolist() == [("emoji10", "top1"), ("openmoji", "top1")]


def test_accuracies_by_step_are_the_models_own() -> None:
    table = same_numbers.by_step([200, None])
    assert table["step"].tolist() == ["200", "the last"]
    e = gu.embed(
        gu.load_model("tiny-openmoji", step=200, device="cpu"),
        load("emoji10"),
        templates="a photo of a {}.",
    )
    share = gu.tasks.zero_shot(e)["top1"]
    assert table["accuracy on emoji10"].iloc[0].startswith(f"{share:.3f} ± 0.0")


def test_a_dot_lies_in_each_ring() -> None:
    index = pd.MultiIndex.from_product([["emoji10"], ["top-1 accuracy", "top-5 accuracy"]])
    frame = pd.DataFrame({"gaputils": [0.5, 0.75], "clip-benchmark": [0.5, 0.7]}, index=index)
    ax = both_packages(frame, plt.subplots()[1])
    rings, dots = (np.asarray(found.get_offsets())[:, 0] for found in ax.collections)
    plt.close("all")
    assert rings.tolist() == [0.5, 0.7]
    assert dots.tolist() == [0.5, 0.75]
    assert ax.get_yticklabels()[1].get_text() == "emoji10, top-5 accuracy"
