"""The decision page: its lines run as printed, and its tables against direct computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.pages import survival
from gaputils.pages import your_own_embeddings as own
from tests.pages.test_survival import NOISE, pairs


@pytest.mark.parametrize("line", [own.CENTRE, own.SCALE, own.MIX])
def test_every_line_of_the_table_runs_on_numpy_arrays(line: str) -> None:
    e = pairs()
    names = {"gu": gu, "queries": e.queries.numpy(), "gallery": e.gallery.numpy()}
    names |= {"images": e.queries.numpy(), "texts": e.gallery.numpy()}
    moved = eval(line, names).transform_queries(e.queries.numpy()[:1])
    assert isinstance(moved, np.ndarray)


def test_decisions_have_the_gain_of_the_closing_that_they_name() -> None:
    sides = {name: (pairs(), 10) for name in ("few", "as many", "more")}
    frames = own.measured(sides, NOISE)
    table = own.decide(frames)
    assert len(table) == len(own.DECISIONS)
    first = table.iloc[0]
    summary = frames["few"][frames["few"]["scoring"] == "cosine"].set_index("closing")
    assert first["gain"] == pytest.approx(summary.loc[survival.CENTRED, "gain"])
    assert first["start"] == pytest.approx(summary.loc["original", "robustness"])
    by_cosine = table[table["line"] == "rank by cosine"].iloc[0]
    plain = frames["more"].set_index(["closing", "scoring"])["robustness"]
    gain = plain["original", "cosine"] - plain["original", "euclidean"]
    assert by_cosine["gain"] == pytest.approx(gain)
    mixed = pd.DataFrame({"recall@10[image]": [0.1, 0.75]}, index=["cosine", "mixed gallery"])
    shown = own.decision_table(table, mixed)
    assert shown.shape == (7, 6)
    assert shown["gain here"].iloc[2] == "0"
    assert shown["gain here"].iloc[-1] == "own image found: 0.10 to 0.75"
    kinds = shown["your gallery"].str.partition(",")[0]
    assert list(kinds) == [*["one kind"] * 6, "several kinds"]
    assert shown["take"].iloc[-1] == "gu.MixedGallery(<wbr>)"
    assert (shown["it will not"].str.len() > 10).all()
    by_distance = shown[shown["you rank by"] == "Euclidean distance"]["it will not"]
    assert "hull fills the space" not in by_distance.iloc[-1]  # scaling gains there too
    of_scoring = f" ± {by_cosine['gain_error']:.3f}, from the scoring alone"
    assert shown["gain here"].iloc[-2].endswith(of_scoring)


def test_codes_are_counted_against_the_floats() -> None:
    blocks = survival.tasks(pairs(), 10)
    code = gu.ScalarQuantization(2)
    row = own.survive_codes(blocks, {"2 bits": code}).iloc[0]
    kept = [
        gu.scoring.nearest(b.queries, code.quantize(b.gallery), "cosine")
        == gu.scoring.nearest(b.queries, b.gallery, "cosine")
        for b in blocks
    ]
    assert row["before"] == pytest.approx(float(torch.cat(kept).double().mean()))
    assert row["gain"] == pytest.approx(row["after"] - row["before"])
    spent = np.mean([gu.variance_between(b.gallery, code.quantize(b.gallery)) for b in blocks])
    assert row["variance"] == pytest.approx(spent)


def test_half_precision_is_the_variance_that_rounding_has() -> None:
    row = own.survive_codes(survival.tasks(pairs(), 10), {"float16": own.HalfPrecision()}).iloc[0]
    assert 0 < row["variance"] < 1e-6
    assert row["before"] == row["after"] == 1


def test_index_codes_are_what_faiss_gives_back() -> None:
    pytest.importorskip("faiss")
    e = pairs()
    _, decoded = own.IndexCodes("SQ8").apply(e.queries, e.gallery, torch.Generator())
    assert decoded.shape == e.gallery.shape
    assert gu.variance_between(e.gallery, decoded) < 1e-3
    with pytest.raises(ValueError, match="kind: expected one of"):
        own.IndexCodes("none")


def test_rows_embedded_anew_go_through_the_closing_that_was_fitted() -> None:
    block = survival.tasks(pairs(), 10)[0]
    same = own.survive_other_rows([block], [block.gallery], "the same").iloc[0]
    assert (same["before"], same["after"], same["variance"]) == (1, 1, 0)
    turned = own.survive_other_rows([block], [block.gallery.flip(0)], "other rows").iloc[0]
    assert turned["before"] < 1
