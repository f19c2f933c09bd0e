"""Real indexes of closed rows: what they find, hold against direct computation."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages import compressed_indexes as page
from gaputils.pages import survival
from gaputils.pages.compressed_indexes import axes, indexes
from gaputils.pages.figures import compressed_indexes as figures
from gaputils.pages.figures import methods

mpl.use("agg")
pytest.importorskip("faiss")

CLOSED = page.CLOSINGS[page.CENTRED]


def task(n: int = 40, m: int = 30, d: int = 64, seed: int = 0) -> gu.Embeddings:
    """Unit rows with a gap; query i is near item i mod m."""
    rng = np.random.default_rng(seed)
    gallery = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(m, d))) + 0.7)
    queries = gallery[torch.arange(n) % m] + 0.12 * torch.tensor(rng.normal(size=(n, d)))
    queries = torch.nn.functional.normalize(queries - 0.15)
    return gu.Embeddings(queries, gallery, torch.arange(n) % m)


def truth(e: gu.Embeddings, k: int) -> torch.Tensor:
    return (e.queries @ e.gallery.T).topk(k, dim=1).indices


@pytest.mark.parametrize("scoring", indexes.SCORINGS)
@pytest.mark.parametrize("index", ["flat", "HNSW", "qdrant local"])
def test_what_keeps_floats_finds_every_answer(index: str, scoring: str) -> None:
    if index.startswith("qdrant"):
        pytest.importorskip("qdrant_client")
    e = task()
    found = indexes.search(e.queries, e.gallery, index, scoring, 5)
    assert torch.equal(found.items, truth(e, 5))
    assert found.bytes >= 30 * 64 * 4


def test_qdrants_local_mode_compares_floats_whatever_is_asked_for() -> None:
    qdrant = pytest.importorskip("qdrant_client")
    models = qdrant.models
    e = task()
    store = qdrant.QdrantClient(":memory:")
    store.create_collection(
        "a",
        vectors_config=models.VectorParams(
            size=64, distance=models.Distance.DOT, datatype=models.Datatype.UINT8
        ),
        quantization_config=models.BinaryQuantization(
            binary=models.BinaryQuantizationConfig(always_ram=True)
        ),
    )
    store.upload_collection("a", vectors=e.gallery.float().numpy(), ids=range(30))
    [best] = store.query_points("a", query=e.queries[3].tolist(), limit=1).points
    scores = e.queries[3] @ e.gallery.T
    assert best.id == int(scores.argmax())
    assert best.score == pytest.approx(float(scores.max()), rel=1e-5)


@pytest.mark.parametrize("scoring", indexes.SCORINGS)
@pytest.mark.parametrize("index", ["SQ8", "SQ4", "PQ"])
def test_a_faiss_index_ranks_its_decoded_rows(index: str, scoring: str) -> None:
    e = task()
    found = indexes.search(e.queries, e.gallery, index, scoring, 3)
    rows = indexes.decoded(e.gallery, index, scoring)
    assert rows.dtype == e.gallery.dtype
    score = e.queries @ rows.T if scoring == "inner-product" else -torch.cdist(e.queries, rows)
    of_found = score.gather(1, found.items)
    torch.testing.assert_close(of_found, score.topk(3, dim=1).values, atol=1e-5, rtol=0)


def test_codes_are_as_small_as_they_say() -> None:
    gallery = task(m=2000, d=64).gallery
    expected = {"flat": 256, "SQ8": 64, "SQ4": 32, "PQ": 4, "binary": 8}
    for index, size in expected.items():
        spent = indexes.search(gallery[:1], gallery, index).bytes / 2000
        assert size <= spent < size + 5, index


def test_binary_counts_differing_signs() -> None:
    e = task(d=60)
    found = indexes.search(e.queries, e.gallery, "binary", k=3).items
    signs = (e.queries >= 0)[:, None] != (e.gallery >= 0)[None]
    differ = signs.sum(dim=2)
    best = differ.sort(dim=1).values[:, :3]
    assert torch.equal(differ.gather(1, found), best)


def test_lancedb_codes_lose_answers_and_its_own_refining_is_our_reranking() -> None:
    pytest.importorskip("lancedb")
    e = task(n=90)
    alone = indexes.search(e.queries, e.gallery, "LanceDB PQ", k=10).items
    assert alone.shape == (90, 10)
    right = truth(e, 1)
    assert 0 < float((alone[:, :1] == right).double().mean()) < 1
    refined = indexes._lancedb(e.queries, e.gallery, "inner-product", 1, 0, refine=30).items
    assert torch.equal(refined, right)  # all thirty candidates, ranked again by floats
    among = (alone == right).any(dim=1).double().mean()
    some = indexes._lancedb(e.queries, e.gallery, "inner-product", 1, 0, refine=10).items
    assert float((some == right).double().mean()) == pytest.approx(float(among), abs=0.15)


def test_scalar_codes_do_not_care_where_the_rows_are() -> None:
    e = task()
    closing = gu.HullProjection(center=True).fit(e.queries, e.gallery)
    queries, centred = closing.transform(e.queries, e.gallery)
    moved, stayed = (indexes.search(queries, rows, "SQ4") for rows in (centred, e.gallery))
    assert float((moved.items == stayed.items).double().mean()) > 0.95


def test_bad_arguments() -> None:
    e = task()
    with pytest.raises(ValueError, match=r"index: expected one of flat, .* got 'IVF'"):
        indexes.search(e.queries, e.gallery, "IVF")
    with pytest.raises(ValueError, match=r"scoring: expected .* got 'cosine'"):
        indexes.search(e.queries, e.gallery, "flat", "cosine")
    with pytest.raises(ValueError, match=r"gallery: PQ learns 16 centres, .* got 9"):
        indexes.search(e.queries, e.gallery[:9], "PQ")
    with pytest.raises(ValueError, match=r"gallery: PQ learns 16 centres, .* got 9"):
        indexes.decoded(e.gallery[:9], "PQ")
    with pytest.raises(ValueError, match="candidates: "):
        page.compare_indexes([e], {"original": None}, ["flat"], candidates=[0])


def test_found_and_gains_are_paired_shares_of_the_floats_answers() -> None:
    blocks = [task(seed=0), task(seed=1)]
    frame = page.compare_indexes(
        blocks, survival.PAIR, ["SQ4", "PQ"], ["euclidean"], candidates=[1, 5]
    ).set_index(["index", "closing", "candidates"])
    hits = {}
    for name, closing in survival.PAIR.items():
        for count in (1, 5):
            each = []
            for e in blocks:
                sides = (e.queries, e.gallery)
                if closing is not None:
                    sides = gu.HullProjection(center=True).fit_transform(*sides)
                items = indexes.search(*sides, "PQ", "euclidean", 5).items[:, :count]
                each.append((items == truth(e, 1)).any(dim=1).double())
            hits[name, count] = torch.cat(each)
            row = frame.loc[("PQ", name, count)]
            assert row["found"] == pytest.approx(float(hits[name, count].mean()))
            gain = hits[name, count] - hits[page.ORIGINAL, count]
            assert row["gain"] == pytest.approx(float(gain.mean()))
            told = float(gain.std(correction=0)) / len(gain) ** 0.5
            assert row["gain_error"] == pytest.approx(told, rel=0.15, abs=1e-9)
    assert (frame["found"].xs(5, level=2) >= frame["found"].xs(1, level=2)).all()


def test_each_variance_is_that_of_the_decoded_rows() -> None:
    e = task()
    for index in ("SQ8", "SQ4", "PQ"):
        rows = torch.tensor(indexes.build(e.gallery, index).reconstruct_n(0, 30))[:, :64].double()
        expected = float((rows - e.gallery).square().sum(dim=1).mean())
        assert page.equivalent_variance([e], index) == pytest.approx(expected)
    spent = [page.equivalent_variance([e], name) for name in ("flat", "SQ8", "SQ4", "PQ")]
    assert spent == sorted(spent)
    assert page.equivalent_variance([e], "LanceDB PQ") is None
    assert page.equivalent_variance([e], "binary") > spent[2]


def test_a_basis_is_as_large_as_the_gallery_that_it_serves() -> None:
    numbers = page.numbers_stored(100, 512, 99)
    assert list(numbers.values()) == [51_200, 512, 51_200, 9_900, 61_100]
    e = task()
    closing = gu.HullProjection().fit(e.queries, e.gallery)
    kept = closing.components_.numel() + closing.center_.numel()
    assert page.hull_rank(e.gallery) == 29
    assert kept == page.numbers_stored(30, 64, 29)["the hull's basis and c, for the projection"]
    table = page.storage_table(100, 512, 99, 29_777)
    assert table["kB"].to_list() == ["205", "2", "205", "40", "244", "30"]


def test_no_gain_is_left_where_the_hull_fills_the_space() -> None:
    full = task(n=60, m=60, d=16)
    frame = page.gains_over_sizes({"16 dimensions": full}, [20, 60], ["SQ4", "PQ"])
    crowded = frame[frame["items"] == 60]
    assert (crowded["gain"].abs() < 1e-12).all()
    assert set(frame["dim"]) == {16}
    flat = torch.nn.functional.pad(full.gallery, (0, 8))
    lifted = gu.Embeddings(torch.nn.functional.pad(full.queries, (0, 8), value=0.2), flat)
    table = page.crowded_table({"full": [full], "flat": [lifted]}, {"alone": flat}, ["SQ4"])
    assert table["hull / space"].to_list() == ["16 / 16", "16 / 24", "16 / 24"]
    assert table.loc["full", "SQ4"] == "0"
    assert table.loc["alone", "SQ4"] == "no queries"


def test_the_oblique_projection_is_learned_from_the_other_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = [task(seed=seed) for seed in range(3)]
    seen = []

    def watched(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        seen.append(before)
        return gu.covariance_between(before, after)

    monkeypatch.setattr(page, "covariance_between", watched)
    gain, error = page.oblique_gain(blocks, "SQ4")
    assert abs(gain) < 0.3
    assert error >= 0
    for place, rows in enumerate(seen):
        own = blocks[place].gallery
        assert len(rows) == 60
        assert not (rows[:, None] == own[None]).all(dim=2).any()


def test_the_grid_gets_finer_about_the_circumcentre() -> None:
    e = task()
    frame = page.over_bins([e], [8, 64]).set_index(["closing", "bins"])
    rounded = gu.UniformQuantization(8).quantize(e.gallery)
    kept = torch.cdist(e.queries, rounded).argmin(1) == truth(e, 1)[:, 0]
    assert frame.loc[("original", 8), "robustness"] == pytest.approx(float(kept.double().mean()))
    about = frame["robustness"].xs(page.ABOUT_C)
    assert (about >= frame["robustness"].xs("original")).all()
    assert survival.CENTRED not in frame.index.get_level_values(0)


def test_moving_alone_is_held_against_the_shift_query_by_query() -> None:
    e = task()
    difference, error = page.about_beside_shift([e, e], 8)
    frame = page.over_bins([e], [8]).set_index("closing")["robustness"]
    assert difference == pytest.approx(frame[page.ABOUT_C] - frame["mean shift"])
    assert difference != 0
    assert 0 < error < 0.2


@pytest.mark.parametrize("turn", axes.AXES.values())
def test_every_rotation_keeps_the_scores_and_opq_brings_the_codes_nearer(turn: axes.Turn) -> None:
    gallery = task().gallery
    rotation = turn(gallery, 1)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(64, dtype=rotation.dtype))
    if turn is axes.optimized:
        off = [
            float((rows - indexes.decoded(rows, "PQ", seed=1)).square().sum())
            for rows in (gallery, gallery @ rotation)
        ]
        assert off[1] < 0.8 * off[0]


def test_gains_over_axes_are_paired_means_over_seeds() -> None:
    blocks = [task(seed=0), task(seed=1)]
    frame = axes.over_axes(blocks, [3, 4])
    line, level = frame.loc["rotated at random"].loc[["inner-product", "cosine"]].iloc
    names = ("untouched", "centred", "behind", "level")
    hits: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for e in blocks:
        for seed in (3, 4):
            rotation = axes.at_random(e.gallery, seed)
            sides = e.queries @ rotation, e.gallery @ rotation
            centred = gu.HullProjection(center=True).fit_transform(*sides)
            found, closed = (
                (indexes.search(*pair, "PQ", k=10, seed=seed).items == truth(e, 1)).numpy()
                for pair in (sides, centred)
            )
            hits["untouched"].append(found[:, 0])
            hits["centred"].append(closed[:, 0])
            hits["behind"].append(closed[:, :5].any(1).astype(int) - found.any(1))
            rows = indexes.decoded(centred[1], "PQ", seed=seed)
            cosines = torch.cosine_similarity(centred[0][:, None], rows, dim=2)
            hits["level"].append((cosines.argmax(1) == truth(e, 1)[:, 0]).numpy())
    each = {name: np.reshape(of, (2, 2, -1)).mean(1).ravel() for name, of in hits.items()}
    gain = each["centred"] - each["untouched"]
    assert line["untouched"] == pytest.approx(each["untouched"].mean())
    assert line["centred"] == pytest.approx(gain.mean())
    assert line["five"] == pytest.approx(each["behind"].mean())
    assert line["centred_error"] == pytest.approx(gain.std() / len(gain) ** 0.5, rel=0.15)
    assert level["untouched"] + level["centred"] == pytest.approx(each["level"].mean())
    assert level["level"] == pytest.approx(level["untouched"] - line["untouched"])
    others = frame.drop(["rotated by OPQ", axes.ELSEWHERE])
    gains = others[["centred", "plain"]].add(others["untouched"], axis=0).stack()
    assert (frame["untouched"] - frame["ahead"]).to_list() == pytest.approx([gains.max()] * 8)
    *row, closing = gains.idxmax()
    same = others.loc[tuple(row)]
    assert (same["ahead"], same["ahead_error"]) == pytest.approx(
        (-same[closing], same[f"{closing}_error"]), rel=1e-9
    )
    told = axes.axes_table(frame).loc["rotated at random, inner-product", "gain, centred"]
    assert told.startswith(f"{gain.mean():+.3f} ± ".replace("-", "−"))


def test_opq_of_other_rows_is_learned_from_the_other_galleries() -> None:
    blocks = [task(seed=seed) for seed in range(3)]
    frame = axes.over_axes(blocks, [3], axes=[axes.ELSEWHERE])
    found = []
    for e, *others in (blocks, [blocks[1], blocks[0], blocks[2]], [blocks[2], *blocks[:2]]):
        rotation = axes.optimized(torch.cat([one.gallery for one in others]), 3)
        first = indexes.search(e.queries @ rotation, e.gallery @ rotation, "PQ", seed=3).items
        found.append((first == truth(e, 1)).double())
    untouched = frame.loc[(axes.ELSEWHERE, "inner-product"), "untouched"]
    assert untouched == pytest.approx(float(torch.cat(found).mean()))
    with pytest.raises(ValueError, match="blocks: expected two or more"):
        axes.over_axes(blocks[:1], [3])


def test_float_queries_are_scored_with_the_signs_of_the_items() -> None:
    blocks = [task(seed=0), task(seed=1)]
    hits = []
    for e in blocks:
        centred = gu.HullProjection(center=True).fit_transform(e.queries, e.gallery)
        for queries, gallery in ((e.queries, e.gallery), centred):
            sums = queries.numpy() @ np.where(gallery.numpy() < 0, -1.0, 1.0).T
            hits.append(sums.argmax(1) == truth(e, 1)[:, 0].numpy())
    untouched, closed = np.concatenate(hits[::2]) * 1.0, np.concatenate(hits[1::2]) * 1.0
    found = page.floats_against_signs(blocks)
    assert found["found"] == pytest.approx(untouched.mean())
    assert found["gain"] == pytest.approx((closed - untouched).mean())
    error = (closed - untouched).std() / len(closed) ** 0.5
    assert found["gain_error"] == pytest.approx(error, rel=0.15)


def test_figures_show_what_the_frames_hold() -> None:
    blocks = [task()]
    frame = page.compare_indexes(blocks, survival.CLOSINGS, ["flat", "PQ"], candidates=[1, 10])
    drawn = figures.index_dots(frame)
    assert [ax.get_title() for ax in drawn.axes] == ["inner product", "Euclidean distance"]
    shown = frame[(frame["scoring"] == "euclidean") & (frame["candidates"] == 1)]
    shown = shown[shown["closing"] == "mean shift"]
    marks = [c for c in drawn.axes[1].containers if c.get_label() == "mean shift"]
    assert list(marks[0][0].get_xdata()) == shown["found"].to_list()
    lines = figures.candidate_lines(frame[frame["scoring"] == "euclidean"])
    assert [ax.get_title() for ax in lines.axes] == ["flat", "PQ"]
    sizes = page.gains_over_sizes({"a": blocks[0]}, [10, 30], ["SQ4"])
    [ax] = figures.size_lines(sizes).axes
    assert list(ax.containers[0][0].get_xdata()) == [10, 30]
    table = page.cost_table(frame, blocks)
    assert table.loc["flat", "untouched"] == "1.000"
    other = page.euclidean_table(frame, ["PQ"])
    assert other.loc["PQ", "mean shift"].startswith(f"{shown['gain'].iloc[1]:+.3f} ± ")
    _, ax = plt.subplots()
    assert methods.closing_lines(page.over_bins(blocks, [8]), "bins", "robustness", ax) is ax
    plt.close("all")
