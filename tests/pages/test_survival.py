"""Blocks of pairs, closings over the size of the gallery, and numbers as text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

import gaputils as gu
from gaputils.pages import survival

NOISE = gu.GaussianNoise(0.3)
TWO = {"original": None, "mean shift": gu.MeanShift()}


def pairs(n: int = 20, d: int = 24, seed: int = 0) -> gu.Embeddings:
    """Unit rows with a gap; query i near item i."""
    rng = np.random.default_rng(seed)
    gallery = torch.tensor(rng.normal(size=(n, d)))
    gallery[:, 0] -= 2
    queries = gallery + torch.tensor(rng.normal(size=(n, d)))
    queries[:, 0] += 5
    return gu.Embeddings(normalize(queries), normalize(gallery))


def test_nothing_is_gained_by_cosine_with_more_items_than_dimensions() -> None:
    closings = {name: survival.CLOSINGS[name] for name in ("original", survival.CENTRED)}
    frame = survival.over_sizes(pairs(20, 8), [5, 20], closings, NOISE)
    centred = frame[(frame["closing"] == survival.CENTRED) & (frame["scoring"] == "cosine")]
    assert centred["gain"].iloc[0] > 0.01
    assert abs(centred["gain"].iloc[1]) < 1e-4
    assert centred["outside"].iloc[1] == pytest.approx(0, abs=1e-9)


def test_values_and_errors_are_told_with_a_true_minus() -> None:
    assert survival.plus_minus([-0.12345], [0.1], signed=True) == ["−0.123 ± 0.100"]
    assert survival.plus_minus([0.5], [0.01], digits=2) == ["0.50 ± 0.01"]


def test_errors_stand_beside_their_values() -> None:
    frame = pd.DataFrame({"gain": [0.0119], "gain_error": [0.0004], "share": [1.0]})
    told = survival.with_errors(frame)
    assert told.to_dict("list") == {"gain": ["+0.0119 ± 0.0004"], "share": [1.0]}


def test_gains_stand_in_brackets_under_each_scoring() -> None:
    e = pairs()
    found = gu.compare_closings(e.queries, e.gallery, TWO, {"": NOISE})
    told = survival.by_scoring(found)
    assert list(told) == list(gu.scoring.SCORINGS)
    row = found[(found["closing"] == "mean shift") & (found["scoring"] == "cosine")].iloc[0]
    gain = survival.told(row, "gain", signed=True)
    assert told.loc["mean shift", "cosine"].endswith(f"({gain})")
    assert "(" not in told.loc["original", "cosine"]


def free_pairs(rows: int, dim: int = 5, seed: int = 0) -> gu.Embeddings:
    generator = torch.Generator().manual_seed(seed)
    sides = torch.randn(2, rows, dim, generator=generator, dtype=torch.float64)
    return gu.Embeddings(sides[0], sides[1], info={"model": "m"})


@given(copies=st.lists(st.integers(0, 5), min_size=2, max_size=12), seed=st.integers(0, 20))
def test_doubles_are_one_item_that_answers_for_all(copies: list[int], seed: int) -> None:
    e = free_pairs(6, seed=seed)
    double = gu.Embeddings(e.queries[: len(copies)].repeat(2, 1)[: len(copies)], e.gallery[copies])
    one = survival.distinct_items(double)
    assert len(one.gallery) == len(set(copies))
    assert torch.equal(one.gallery[one.targets], double.gallery)


def test_an_item_and_its_double_share_their_wins_and_one_item_has_them_all() -> None:
    noise = gu.GaussianNoise(0.1)
    gallery = torch.eye(4, dtype=torch.float64)[[0, 0, 1]]
    double = gu.Embeddings(gallery[:1], gallery, torch.tensor([0]))
    one = survival.distinct_items(double)
    before = gu.robustness(double.queries, double.gallery, noise)
    after = gu.robustness(one.queries, one.gallery, noise)
    assert float(before) == pytest.approx(float(after) / 2, abs=1e-2)
    with pytest.raises(ValueError, match="embeddings: expected targets"):
        survival.distinct_items(gu.Embeddings(gallery[:1], gallery))


def test_equal_items_become_one() -> None:
    gallery = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))[[0, 1, 0, 2, 1]]
    e = survival.distinct_items(gu.Embeddings(torch.randn(5, 5), gallery))
    assert torch.equal(e.gallery, gallery[[0, 1, 3]])
    assert e.targets.tolist() == [0, 1, 0, 2, 1]


def test_a_caption_of_two_images_is_one_item() -> None:
    captions = torch.eye(4)[[0, 1, 2, 0, 3, 1]]
    owned = {"model": "m", "caption_image": [0, 0, 1, 1, 2, 2]}
    e = survival.distinct_items(gu.Embeddings(torch.randn(3, 4), captions, info=owned))
    assert torch.equal(e.gallery, torch.eye(4))
    assert e.targets.tolist() == [0, 2, 3]
    assert e.info == {"model": "m"}
