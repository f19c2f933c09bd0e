"""Several data sets side by side, and captions made of templates."""

from __future__ import annotations

import pandas as pd
import pytest

from gaputils.datasets import load
from gaputils.pages import same_numbers


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
