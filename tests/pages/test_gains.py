"""What closing is worth on sets of pairs: as `robustness` says it, query by query."""

from __future__ import annotations

import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.evaluation.protocol import paired_gain
from gaputils.pages import gains


def clouds(rows: int, gap: float, seed: int = 0, **info) -> gu.Embeddings:
    """Pairs of unit rows whose two sides stand `gap` apart."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(rows, 24, generator=generator, dtype=torch.float64)
    noise = 0.4 * torch.randn(rows, 24, generator=generator, dtype=torch.float64)
    offset = torch.zeros(24, dtype=torch.float64)
    offset[0] = gap * 5
    sides = [
        torch.nn.functional.normalize(x, dim=1) for x in (items + noise + offset, items - offset)
    ]
    return gu.Embeddings(*sides, info={"model": "m", "data": "d", "trained": True, **info})


def test_measured_as_by_the_engine_and_paired_over_the_blocks(monkeypatch) -> None:
    monkeypatch.setattr(gains, "BLOCK", 8)
    e = clouds(16, 0.5)
    frame = gains.measure(e, 0.1, scorings=["euclidean"]).set_index("closing")
    noise = gu.GaussianNoise(0.1)
    before, after = [], []
    for part in (slice(0, 8), slice(8, 16)):
        sides = e.queries[part], e.gallery[part]
        before.append(gu.robustness(*sides, noise))
        after.append(gu.robustness(*gu.MeanShift().fit_transform(*sides), noise))
    row = frame.loc[gains.SHIFT]
    assert row["robustness"] == pytest.approx(float(torch.cat(after).mean()), abs=1e-6)
    gain = paired_gain(torch.cat(after), torch.cat(before))
    assert (row["gain"], row["gain_error"]) == pytest.approx(gain, abs=1e-6)
    assert frame.loc[gains.UNTOUCHED, "gain"] == 0
    assert row["gain"] > 0
    assert (frame["unchanged"] == 1).all()


def test_under_inner_product_the_shift_changes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(gains, "BLOCK", 10)
    frame = gains.measure(clouds(10, 0.5), 0.1, scorings=["inner-product"]).set_index("closing")
    assert frame.loc[gains.SHIFT, "gain"] == pytest.approx(0, abs=1e-5)


def test_every_scoring_of_every_set_has_a_row_and_says_what_it_is(monkeypatch) -> None:
    monkeypatch.setattr(gains, "BLOCK", 10)
    sets = {"near": clouds(10, 0.0, loss="InfoNCE"), "far": clouds(10, 1.0)}
    frame = gains.measure_sets(sets, 0.1)
    assert len(frame) == 2 * 3 * 3
    gap = frame.groupby("set")["gap"].first()
    assert gap["far"] > gap["near"]
    assert (frame["outside"] <= frame["gap"] + 1e-9).all()
    assert set(frame.loc[frame["set"] == "near", "loss"]) == {"InfoNCE"}
    assert frame[["robustness", "right", "accuracy", "unchanged"]].stack().between(0, 1).all()


def test_what_cannot_be_had_is_named_with_its_reason(monkeypatch) -> None:
    def found(name: str, normalize: bool) -> gu.Embeddings:
        assert normalize
        if name == "lost":
            raise DataUnavailable("lost: no route to host")
        return clouds(4, 0.1)

    monkeypatch.setattr(gains, "published", found)
    sets, missing = gains.load_sets(["there", "lost"])
    assert list(sets) == ["there"]
    assert missing == {"lost": "lost: no route to host"}


def test_the_sets_are_pairs_whose_gap_is_open() -> None:
    names = gains.paired_sets()
    assert len(names) == 32
    assert not any(
        name.endswith("-closed") or name.startswith(("siglip", "detic")) for name in names
    )
