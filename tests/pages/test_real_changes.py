"""Changed builds, pixels and words: against the plain calls that they stand for."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import gaputils as gu
from gaputils.pages import real_changes
from gaputils.pages.figures import real_changes as figures
from gaputils.pages.real_changes import builds, shape, tables
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, PAIR
from gaputils.scoring import nearest

mpl.use("agg")
CLOSING = "hull projection"
WAYS = {"original": None, CLOSING: gu.HullProjection()}
BASE = "a photo of a {}."


@pytest.fixture(scope="module")
def model() -> gu.models.Model:
    return gu.load_model("tiny-openmoji", step=400, device="cpu")


@pytest.fixture(scope="module")
def data() -> gu.datasets.base.ClassificationDataset:
    return real_changes.emoji(12, 80)


def pairs(n: int = 24, d: int = 40, seed: int = 0) -> gu.Embeddings:
    """Unit rows with a gap, row i of one side beside row i of the other."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(n, d, generator=generator, dtype=torch.float64)
    near = items + 0.8 * torch.randn(n, d, generator=generator, dtype=torch.float64)
    offset = 3 * torch.eye(d, dtype=torch.float64)[0]
    return gu.Embeddings(F.normalize(near + offset), F.normalize(items), torch.arange(n))


def changed(e: gu.Embeddings, scale: float = 0.3, seed: int = 1) -> gu.Embeddings:
    noise = torch.randn(*e.gallery.shape, generator=torch.Generator().manual_seed(seed))
    return gu.Embeddings(e.queries, F.normalize(e.gallery + scale * noise / 6), e.targets)


def of(frame: pd.DataFrame, closing: str, scoring: str = "cosine") -> pd.Series:
    (row,) = (frame[(frame["closing"] == closing) & (frame["scoring"] == scoring)]).iloc
    return row


def by_hand(e, other, closing, size, scoring="cosine"):
    """Kept and right answers, gallery by gallery."""
    kept, right = [], []
    for start in range(0, len(e.gallery), size):
        rows = slice(start, start + size)
        before, after = (
            (e.queries[rows], e.gallery[rows]),
            (other.queries[rows], other.gallery[rows]),
        )
        if closing is not None:
            way = type(closing)(**closing.get_params()).fit(*before)
            with gu.closing.on_hull.comparing():
                before, after = tuple(way.transform(*before)), tuple(way.transform(*after))
        first, then = nearest(*before, scoring), nearest(*after, scoring)
        kept.append(first == then)
        right.append(then == torch.arange(size))
    return float(torch.cat(kept).double().mean()), float(torch.cat(right).double().mean())


@pytest.mark.parametrize("scoring", ["cosine", "euclidean"])
def test_survive_counts_what_the_plain_calls_give(scoring) -> None:
    e = pairs()
    other = changed(e, 1.5)
    frame = real_changes.survive(e, {"c": other}, WAYS, size=8, scorings=[scoring], bootstrap=50)
    for name, closing in WAYS.items():
        row = of(frame, name, scoring)
        assert (row["robustness"], row["right"]) == pytest.approx(
            by_hand(e, other, closing, 8, scoring)
        )
    assert of(frame, ORIGINAL, scoring)["robustness"] < 1


def test_several_changes_are_averaged_query_by_query() -> None:
    e = pairs()
    some = [changed(e, seed=seed) for seed in (1, 2, 3)]
    both = real_changes.survive(e, {"all": some}, WAYS, size=8, bootstrap=20)
    each = real_changes.survive(e, {str(i): c for i, c in enumerate(some)}, WAYS, size=8)
    for name in WAYS:
        single = each.loc[each["closing"] == name, "robustness"]
        assert of(both, name)["robustness"] == pytest.approx(single.mean())


def test_queries_from_another_build_get_the_answers_they_get_without_closing() -> None:
    e = pairs()
    asking = real_changes.flipped(changed(real_changes.flipped(e), 1.0))
    ways = {name: CLOSINGS[name] for name in (ORIGINAL, "mean shift", CENTRED)}
    frame = real_changes.survive(e, {"q": asking}, ways, size=8, bootstrap=20)
    assert of(frame, ORIGINAL)["robustness"] < 1
    assert (frame[["gain", "right_gain", "gain_error", "right_gain_error"]] == 0).all(axis=None)


def test_refitted_closings_that_keep_rankings_answer_as_the_original() -> None:
    e = pairs()
    frame = real_changes.survive(e, {"c": changed(e)}, WAYS, size=8, refit=True, bootstrap=20)
    assert of(frame, CLOSING)["gain"] == 0
    assert of(frame, CLOSING)["right_gain"] == 0


def test_a_change_within_the_hull_leaves_closing_nothing_to_do() -> None:
    e = pairs(n=30)
    within = gu.Embeddings(e.queries, e.gallery[torch.arange(30).roll(1)], e.targets)
    mixed = gu.Embeddings(e.queries, 0.6 * e.gallery + 0.4 * within.gallery, e.targets)
    row = shape.shapes({"c": (e.gallery, mixed.gallery)}, 30).loc["c"]
    assert row["inside"] == pytest.approx(1)
    assert row["chance"] == pytest.approx(29 / 40)
    frame = real_changes.survive(
        e, {"c": mixed}, WAYS, size=30, scorings=["euclidean"], bootstrap=20
    )
    assert of(frame, ORIGINAL, "euclidean")["robustness"] < 1
    assert of(frame, CLOSING, "euclidean")["gain"] == 0


def test_the_shape_of_isotropic_noise_is_chance_and_of_one_step_common() -> None:
    rows = torch.randn(400, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(400, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = shape.shapes({"noise": (rows, rows + noise), "step": (rows, rows + noise + 9.0)}, 20)
    assert found.loc["noise", "inside"] == pytest.approx(19 / 50, abs=0.03)
    assert found.loc["noise", "common"] == pytest.approx(1 / 20, abs=0.01)
    assert found.loc["step", "common"] > 0.98


def test_a_step_that_all_items_share_has_no_size_of_its_own_and_moves_no_answer() -> None:
    e = pairs()
    step = torch.randn(e.dim, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    other = changed(e)
    moved = gu.Embeddings(e.queries, other.gallery + step, e.targets)
    moves = (other.gallery - e.gallery).numpy()
    expected = moves.var(axis=0).sum()
    found = real_changes.single_sizes(e, {"alone": other, "with a step": moved})
    assert found.to_list() == pytest.approx([expected, expected])
    both = (nearest(e.queries, one.gallery, "inner-product") for one in (other, moved))
    assert torch.equal(*both)


def test_templates_are_parted_by_the_answers_that_stay() -> None:
    e = pairs()
    changes = {"a": changed(e), "b": changed(e, seed=2)}
    steady = torch.tensor([[True, True, True, False], [True, True, False, False]])
    parts = real_changes.by_steadiness(changes, steady)
    assert parts == {"few": [changes["b"]], "most": [changes["a"]]}
    every = real_changes.by_steadiness(changes, steady, least=0.5)
    assert every == {"most": list(changes.values())}


def test_the_covariance_is_that_of_the_other_items() -> None:
    e = pairs()
    other = changed(e)
    spoilt = gu.Embeddings(e.queries, other.gallery.clone(), e.targets)
    spoilt.gallery[:8] *= 7
    one, two = (shape.projections(e, c, 8)[0]["oblique projection"] for c in (other, spoilt))
    assert np.array_equal(one.covariance, two.covariance)
    expected = gu.noise.covariance_between(e.gallery[8:], other.gallery[8:])
    assert torch.equal(one.covariance, expected)


def test_the_noise_of_leads_is_that_of_the_scores() -> None:
    e = pairs(n=8)
    other = changed(e)
    steps = e.queries @ (other.gallery - e.gallery).T
    order = (e.queries @ e.gallery.T).argsort(dim=1, descending=True)
    leads = [steps[i, order[i, 0]] - steps[i, order[i, 1]] for i in range(8)]
    every = [
        (steps[i, j] - steps[i, k]) ** 2
        for i in range(8)
        for j in range(8)
        for k in range(8)
        if j != k
    ]
    found = tables.lead_noise(e, other, [{"original": None}], 8).loc["original"]
    assert found["nearest two"] == pytest.approx(float(torch.stack(leads).square().mean()))
    assert found["any two"] == pytest.approx(float(torch.stack(every).mean()))


def test_builds_differ_by_their_rounding(model, data) -> None:
    here = real_changes.named(model, data, BASE)
    found = real_changes.of_builds(model, data, BASE)
    sizes = real_changes.sizes(here, found)
    assert sizes["ONNX Runtime"] < 1e-11 < sizes["float16"] < 1e-6 < sizes["bfloat16"] < 1e-3
    assert 1e-7 < sizes[real_changes.INT8] < 1e-3
    assert real_changes.sizes(here, found, "queries")["ONNX Runtime"] < 1e-11


def test_onnx_takes_any_number_of_rows_and_refuses_another_precision(model) -> None:
    build = builds.in_onnx(model)
    texts = ["a cat", "a dog", "a bus"]
    torch.testing.assert_close(
        build.encode_texts(texts), model.encode_texts(texts), atol=1e-5, rtol=0
    )
    with pytest.raises(ValueError, match="float32 on the CPU"):
        builds.in_onnx(builds.in_precision(model, torch.bfloat16))


def test_resizing_follows_its_rule(model, data) -> None:
    picture = data.images[0]
    mean, std = (torch.tensor(v)[:, None, None] for v in (model.mean, model.std))
    expected = picture.resize((48, 48), Image.Resampling.BILINEAR)
    found = builds.resized(model, "bilinear").preprocess(picture) * std + mean
    pixels = torch.from_numpy(np.array(expected)).permute(2, 0, 1) / 255
    torch.testing.assert_close(found, pixels, atol=1e-5, rtol=0)
    rough = builds.resized(model, "bicubic", antialias=False).preprocess(picture) * std + mean
    whole = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    expected = F.interpolate(whole, (48, 48), mode="bicubic", align_corners=False)[0]
    torch.testing.assert_close(rough, expected, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="one Resize of torchvision"):
        builds.resized(builds.replace(model, preprocess=print), "bilinear")


def test_jpeg_gives_back_what_was_stored(data) -> None:
    stored = io.BytesIO()
    data.images[3].save(stored, "JPEG", quality=20)
    found = builds.Jpeg(data.images, 20)
    assert len(found) == 12
    assert np.array_equal(np.asarray(found[3]), np.asarray(Image.open(stored)))
    with pytest.raises(ValueError, match="quality"):
        builds.Jpeg(data.images, 0)


def test_pixels_and_words_change_one_side_alone(model, data) -> None:
    here = real_changes.named(model, data, BASE)
    pixels = real_changes.of_pixels(model, data, BASE, [30])
    assert list(pixels) == ["bilinear resize", "no antialiasing", "JPEG 30"]
    assert all(torch.equal(e.gallery, here.gallery) for e in pixels.values())
    assert all(not torch.equal(e.queries, here.queries) for e in pixels.values())
    seen, unseen = real_changes.templates(BASE, "a photograph of a {}.", 3)
    words = real_changes.reworded(model, data, here, [*seen, *unseen])
    torch.testing.assert_close(words[BASE].gallery, here.gallery, atol=1e-6, rtol=0)
    assert all(torch.equal(e.queries, here.queries) for e in words.values())
    kept = real_changes.steadiness(here, [here, *words.values()], 6)
    assert bool(kept[0].all())
    assert kept.shape == (7, 12)


def test_the_figure_and_the_tables_show_what_they_are_given() -> None:
    import matplotlib.pyplot as plt

    e = pairs()
    changes = {"a": changed(e, 0.1), "b": changed(e, 0.4)}
    frame = real_changes.survive(e, changes, PAIR, size=8, bootstrap=20)
    sizes = real_changes.sizes(e, changes)
    table = real_changes.change_table(frame, sizes)
    assert table.index.tolist() == ["a", "b"]
    assert table.iloc[0, 1].startswith(
        f"{of(frame[frame['noise'] == 'a'], ORIGINAL)['robustness']:.3f}"
    )
    gaussian = real_changes.isotropic(e, [1e-3, 1e-2], 8, 0)
    _, ax = plt.subplots()
    points = real_changes.of_closing(frame, CENTRED, sizes)
    figures.gain_by_size(gaussian, {"other words": points}, ax)
    assert ax.get_xscale() == "log"
    assert [c.get_label() for c in ax.containers] == ["other words"]
    found = real_changes.obliquely(e, {"one": changes["b"]}, 8)
    assert real_changes.oblique_table(found).shape == (1, 6)
    noise = shape.lead_noise(e, changes["b"], shape.projections(e, changes["b"], 8), 8)
    row = noise.loc["original"]
    assert found.loc["one", "near"] == pytest.approx(row["nearest two"] / row["any two"])
    plt.close("all")
