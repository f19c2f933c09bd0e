"""The gap of real models: tables, directions, one-sided gaps, on clouds whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.geometry import principal_coordinates
from gaputils.pages import real_models
from gaputils.pages.figures.real_models import clouds_grid, variance_shares


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def clouds(gap: float = 3.0, rows: int = 40, seed: int = 0) -> gu.Embeddings:
    """Pairs in five dimensions, apart along the last, in which the gallery has no variance."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    items[:, 4] = 0
    queries = items + 0.3 * torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    queries[:, 4] += gap
    return gu.Embeddings(queries, items, info={"model": "m", "trained": True})


def test_the_part_outside_is_all_of_an_orthogonal_gap() -> None:
    e = clouds()
    inside = gu.gap_vector(e.queries, e.gallery)[:4].norm()
    whole = gu.gap_vector(e.queries, e.gallery).norm()
    assert real_models.outside_the_hull(e) == pytest.approx(
        math.sqrt(1 - float(inside / whole) ** 2)
    )


def test_a_random_direction_makes_the_angle_of_the_free_dimensions() -> None:
    gallery = gu.geometry.Moments.of(clouds().gallery)
    assert real_models.angle_of_a_random_direction(gallery) == pytest.approx(
        math.degrees(math.asin(math.sqrt(1 / 5)))
    )


def test_pairs_farther_than_the_gap_are_counted() -> None:
    near, far = clouds(gap=0.0), clouds(gap=50.0)
    assert min(real_models.farther_than_the_gap(near)) > 0.9
    assert real_models.farther_than_the_gap(far) == (0, 0)
    assert real_models.along_the_gap({"near": near, "far": far}) == ["far"]


def test_tables_have_a_row_a_model_and_names_for_people() -> None:
    measured = real_models.measures({"a": clouds(), "b": clouds(seed=1)}, 40)
    table = real_models.table(measured)
    assert table.shape == (2, 6)
    assert table.loc["a", "gap"] == measured.loc["gap_norm", "a"]
    assert not table.isna().any(axis=None)
    shares = real_models.shares(measured)
    assert len(shares) == 2 * 2 * 3
    chosen = (shares["model"] == "b") & (shares["side"] == "gallery")
    found = shares[chosen].set_index("direction")["share"]
    assert found["gap"] < found["leading"]
    relative = real_models.relative_table(measured["a"])
    assert relative["value"].tolist() == [measured.loc[name, "a"] for name in real_models.RELATIVE]


def test_numbers_say_what_the_tables_do() -> None:
    pairs = {"first": clouds(), "second": clouds(0.2)}
    measured = real_models.measures(pairs, 40)
    found = real_models.directions(pairs)
    numbers = real_models.numbers(measured, pairs, found)
    assert (numbers["subject"], numbers["models"], numbers["sets"]) == ("first", 2, 2)
    assert numbers["gap"] == pytest.approx(3, abs=0.3)
    assert numbers["inside"] ** 2 + numbers["outside"] ** 2 == pytest.approx(1)
    assert numbers["fuller"] == 0
    assert numbers["emptied"] == "first, second"
    assert numbers["r1_images"] == measured.loc["queries_recall@1", "first"]
    assert 0 < numbers["gap_error"] < 0.5
    assert 0 <= numbers["r1_images_error"] < 0.1


def test_of_a_training_alone_the_last_step_is_spoken_of() -> None:
    pairs = {f"small model, step {step}": clouds(gap) for step, gap in ((0, 3.0), (50, 0.2))}
    measured, found = real_models.measures(pairs, 40), real_models.directions(pairs)
    assert real_models.numbers(measured, pairs, found)["subject"] == "small model, step 50"


def test_what_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, **_options) -> None:
        raise DataUnavailable(f"{name}: no route to host")

    monkeypatch.setattr(real_models, "published", nothing)
    monkeypatch.setattr(real_models, "published_rows", nothing)
    pairs, missing = real_models.load_pairs(
        ["liang2022-clasp"], "tiny-openmoji", "emoji10", "a {}", [0]
    )
    assert list(pairs) == ["small model, step 0"]
    assert missing == {"liang2022-clasp": "liang2022-clasp: no route to host"}
    assert real_models.lost(missing).endswith("liang2022-clasp: no route to host")
    assert real_models.lost({}) == ""
    table, lost = real_models.one_sided()
    assert isinstance(table, pd.DataFrame)
    assert table.empty
    assert len(lost) == len(real_models.ONE_SIDED) + 1


def test_grid_has_a_panel_for_each_model() -> None:
    frame = pd.concat(principal_coordinates(clouds(), 2).assign(model=m) for m in "abc")
    figure = clouds_grid(frame)
    assert [ax.get_title() for ax in figure.axes if ax.axison] == list("abc")
    figure.canvas.draw()


def test_variance_shares_place_each_share() -> None:
    frame = pd.DataFrame(
        {
            "model": ["a"] * 3,
            "side": ["queries"] * 3,
            "direction": ["gap", "random", "leading"],
            "share": [0.01, 0.002, 0.3],
        }
    )
    ax = variance_shares(frame)
    assert [c.get_offsets()[0][0] for c in ax.collections] == [0.01, 0.002, 0.3]
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()


def test_one_sided_gaps_are_the_known_ones(published, published_rows) -> None:
    for names in real_models.ONE_SIDED:
        for name in names:
            published_rows(name)
    published("siglip2-naflex")
    table, lost = real_models.one_sided()
    assert lost == {}
    gaps = table.set_index("texts")["gap"]
    assert gaps["1203 classes of LVIS, 'a {class}'"] == pytest.approx(0.91, abs=5e-3)
    assert gaps.iloc[-1] == pytest.approx(1.22, abs=5e-3)
