"""The headline's words and numbers, on rows small enough to check by hand."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import gaputils as gu
from gaputils.closing import catalogue
from gaputils.pages import intro


@pytest.fixture(scope="module")
def task() -> gu.Embeddings:
    generator = torch.Generator().manual_seed(0)
    texts = F.normalize(torch.randn(40, 24, generator=generator, dtype=torch.float64), dim=1)
    images = texts + 0.15 * torch.randn(40, 24, generator=generator, dtype=torch.float64)
    images[:, 0] += 1.0
    return gu.Embeddings(images, texts, normalize=True)


@pytest.fixture(scope="module")
def frame(task: gu.Embeddings) -> pd.DataFrame:
    return intro.headline(task, 0.1, (10, 20))


def test_all_queries_count_and_keep_their_answers(frame: pd.DataFrame) -> None:
    assert sorted(frame["captions"].unique()) == [10, 20]
    kept = frame[frame["closing"].isin(list(intro.CLOSINGS))]
    assert (kept["unchanged"] == 1).all()
    assert (kept[kept["closing"] == intro.ORIGINAL]["gain"] == 0).all()


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product"])
def test_the_headline_is_the_mean_over_all_blocks(
    task: gu.Embeddings, frame: pd.DataFrame, scoring: str
) -> None:
    noise = gu.GaussianNoise(0.1)
    found = frame.set_index(["captions", "closing", "scoring"])
    for name, closing in intro.CLOSINGS.items():
        kept = []
        for start in (0, 20):
            sides = task.queries[start : start + 20], task.gallery[start : start + 20]
            if closing is not None:
                sides = catalogue.copy(closing).fit(*sides).transform(*sides)
            kept.append(gu.robustness(*sides, noise, scoring=scoring))
        row = found.loc[(20, name, scoring)]
        assert row["robustness"] == pytest.approx(float(torch.cat(kept).mean()), abs=1e-6)
        start = found.loc[(20, intro.ORIGINAL, scoring), "robustness"]
        assert row["gain"] == pytest.approx(row["robustness"] - start, abs=1e-9)


@pytest.mark.parametrize(
    ("closing", "gain", "error", "words"),
    [
        (intro.ORIGINAL, 0.0, 0.0, "0.868"),
        (intro.SHIFT, 0.0, 0.0, "0.868 (+0)"),
        (intro.SHIFT, 0.02438, 0.00127, "0.868 (+0.024 ± 0.001)"),
        (intro.SHIFT, 0.00543, 0.0002, "0.868 (+0.0054 ± 0.0002)"),
        (intro.SHIFT, -0.0132, 0.004, "0.868 (−0.013 ± 0.004)"),
    ],
)
def test_a_cell_says_level_gain_and_error(closing, gain, error, words) -> None:
    row = {"closing": closing, "robustness": 0.8678, "gain": gain, "gain_error": error}
    assert intro.cell(row) == words


def test_leading_dimensions_keep_the_products_that_they_can(task: gu.Embeddings) -> None:
    few = intro.leading_dimensions(task, 5)
    assert few.queries.shape == (40, 5)
    torch.testing.assert_close(few.gallery.norm(dim=1), torch.ones(40, dtype=torch.float64))
    whole = intro.leading_dimensions(task, 24)
    torch.testing.assert_close(whole.queries @ whole.gallery.T, task.queries @ task.gallery.T)


def test_nothing_is_left_when_the_hull_fills_the_space(
    task: gu.Embeddings, frame: pd.DataFrame
) -> None:
    few = intro.headline(intro.leading_dimensions(task, 5), 0.1, (10,))
    found = intro.numbers(frame, few)
    assert found["full_most"] < 1e-9
    claims = intro.claims(frame, found)
    assert claims["no answer without noise changes"]
    assert claims["with a full hull nothing is left"]
    assert not intro.claims(frame, {**found, "full_most": 0.1})["with a full hull nothing is left"]


def test_fewer_bits_are_more_noise(task: gu.Embeddings) -> None:
    stored = intro.storage_noise(task)
    assert 0 < stored["eight_bits"] < stored["four_bits"] < stored["one_bit"]


def test_noise_first_is_the_noisy_rows_less_their_clean_mean(task: gu.Embeddings) -> None:
    found = intro.noise_first(task, 0.4, 40)
    generator, hits = torch.Generator().manual_seed(1), []
    queries, middle = task.queries - task.queries.mean(0), task.gallery.mean(0)
    for _ in range(500):
        noise = torch.randn(40, 24, generator=generator, dtype=torch.float64)
        noisy = task.gallery + noise * (0.4 / 24) ** 0.5
        products = queries @ F.normalize(noisy - middle, dim=1).T
        hits.append((products.argmax(1) == torch.arange(40)).double().mean())
    drawn = torch.stack(hits)
    error = float(drawn.std()) / 500**0.5
    assert found["few_means_first"] == pytest.approx(float(drawn.mean()), abs=4 * error)
    assert found["few_means_first_error"] > 0
