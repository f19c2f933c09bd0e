"""One rule for ties in every ranking: of equal items the first, whatever else is asked for."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from torch import Tensor

import gaputils as gu
from gaputils import closing, scoring
from gaputils.pages.multiple_choice import choice_answers, hard_choices
from gaputils.scoring import (
    SCORINGS,
    choice_costs,
    first_equals,
    least,
    nearest,
    nearly_equal,
    top_k,
)
from gaputils.tasks import mixed_retrieval

DTYPES = [torch.float16, torch.float32, torch.float64]

pytestmark = pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")


def _gallery(m: int = 1000, d: int = 37, seed: int = 0) -> Tensor:
    """Rows of which about half occur again, some many times, in float64 that half can hold."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(m, d))
    for copy in rng.permutation(m)[: m // 2]:
        rows[copy] = rows[rng.integers(m)]
    rows[rng.permutation(m)[:20]] = rows[7]
    return torch.from_numpy(rows).half().double()


def _reference(query: Tensor, gallery: Tensor, name: str) -> list[int]:
    """The ranking of one query by a loop in float64; Python's sort keeps equals in order."""
    costs = []
    for item in gallery.double().numpy():
        product = math.fsum(query.double().numpy() * item)
        if name == "euclidean":
            costs.append(math.fsum((query.double().numpy() - item) ** 2))
        elif name == "cosine":
            costs.append(-product / math.sqrt(math.fsum(item * item)))
        else:
            costs.append(-product)
    return sorted(range(len(costs)), key=costs.__getitem__)


@pytest.mark.parametrize("name", ["euclidean", "inner-product"])
@pytest.mark.parametrize("offset", [1.0, 1e2, 1e4])
def test_what_all_items_share_drowns_nothing(name: str, offset: float) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(50, 6)), offset + rng.normal(size=(40, 6))
    if name == "euclidean":
        queries += offset
    queries, gallery = (torch.from_numpy(side).float() for side in (queries, gallery))
    wanted = [_reference(query, gallery, name)[:3] for query in queries]
    assert top_k(queries, gallery, 3, name).tolist() == wanted
    assert nearest(queries, gallery, name).tolist() == [first for first, *_ in wanted]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1e6, 1e10, 1e15])
def test_an_item_far_from_all_drowns_nothing(length: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    queries = torch.from_numpy(rng.normal(size=(30, 16))).to(dtype)
    gallery = torch.from_numpy(rng.normal(size=(10, 16))).to(dtype)
    with_it = torch.cat([gallery, length * gallery[:1]])
    for method in ("exact", "monte-carlo"):
        kept = [
            gu.robustness(queries, items, gu.GaussianNoise(1.0), method=method)
            for items in (gallery, with_it)
        ]
        within = 1e-6 if method == "exact" else 0.1
        torch.testing.assert_close(*kept, rtol=0, atol=within)
    torch.testing.assert_close(
        gu.certified_radius(queries, with_it), gu.certified_radius(queries, gallery)
    )


def test_whole_numbers_far_away_tie_as_near_ones_do() -> None:
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 2, size=(60, 8))).float()
    far = codes + 1000
    for name in ("euclidean", "inner-product"):
        queries = codes[:20] if name == "inner-product" else far[:20]
        wanted = [_reference(query, far, name)[:5] for query in queries]
        assert top_k(queries, far, 5, name).tolist() == wanted


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1e15])
def test_a_rows_length_alone_wins_no_cosine(size: float) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = (torch.from_numpy(rng.normal(size=(20, 16))).float() for _ in range(2))
    wanted = nearest(queries, gallery, "cosine")
    gallery[7] *= size
    queries[3] *= size
    assert torch.equal(nearest(queries, gallery, "cosine"), wanted)
    options = gallery.expand(20, -1, -1)
    assert torch.equal(choice_costs(queries, options, "cosine").argmin(dim=1), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SCORINGS)
def test_rankings_are_those_of_a_loop(name: str, dtype: torch.dtype) -> None:
    gallery = _gallery()
    queries = gallery[torch.randperm(1000, generator=torch.Generator().manual_seed(1))[:12]]
    queries = (queries + 0.05 * _gallery(12, seed=2)).half().double()
    wanted = torch.tensor([_reference(query, gallery, name) for query in queries])
    x, y = queries.to(dtype), gallery.to(dtype)
    assert torch.equal(nearest(x, y, name), wanted[:, 0])
    for k in (1, 2, 3, 10, 25):
        assert torch.equal(top_k(x, y, k, name), wanted[:, :k])
        for row in range(len(x)):
            assert torch.equal(top_k(x[row : row + 1], y, k, name)[0], wanted[row, :k])


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize("m", [2, 3, 7, 17, 33, 129, 1000, 1003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_copy_at_the_end_never_wins(name: str, m: int, dtype: torch.dtype) -> None:
    """The last columns of a product are where routines change their order of summation."""
    generator = torch.Generator().manual_seed(m)
    gallery = torch.randn(m, 515, generator=generator, dtype=dtype)
    copies = max(1, m // 3)
    gallery[-copies:] = gallery[:copies]
    queries = gallery[:copies] + 0.1 * torch.randn(copies, 515, generator=generator, dtype=dtype)
    for rows in (1, 2, 3, 5, copies):
        found = nearest(queries[:rows], gallery, name)
        assert torch.equal(found, top_k(queries[:rows], gallery, 1, name)[:, 0])
        assert torch.equal(found, top_k(queries[:rows], gallery, min(2, m), name)[:, 0])
        assert bool((found < m - copies).all())
        if name != "inner-product":
            assert torch.equal(found, torch.arange(min(rows, copies)))


@pytest.mark.parametrize("size", [2**10, 2**12, 2**24])
def test_blocks_change_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = _gallery(400).float()
    queries = _gallery(90, seed=3).float()
    found = {}
    for name in SCORINGS:
        found[name] = nearest(queries, gallery, name)
    split = torch.split
    monkeypatch.setattr(torch, "split", lambda rows, _: split(rows, max(1, size // 400)))
    for name in SCORINGS:
        assert torch.equal(nearest(queries, gallery, name), found[name])
        assert torch.equal(top_k(queries, gallery, 7, name)[:, 0], found[name])


def test_the_least_of_integers_with_many_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    for values in (1, 2, 5, 50):
        costs = torch.randint(values, (40, 60), generator=generator).float()
        costs[:, ::7] *= -0.0
        wanted = costs.argsort(dim=1, stable=True)
        for k in (1, 2, 5, 30, 59, 60):
            assert torch.equal(least(costs, k), wanted[:, :k])


def test_first_equals_is_that_of_a_loop() -> None:
    for rows in (_gallery(200, 3), _gallery(150, 1), torch.zeros(5, 6), _gallery(90).round()):
        seen: dict[tuple, int] = {}
        wanted = [seen.setdefault(tuple(row), place) for place, row in enumerate(rows.tolist())]
        assert first_equals(rows).tolist() == wanted
    assert first_equals(torch.randn(100, 4, generator=torch.Generator().manual_seed(0))) is None
    first_entries_alike = torch.eye(8).roll(4, dims=1)
    assert first_equals(first_entries_alike) is None
    assert first_equals(torch.tensor([[0.0, 1.0], [-0.0, 1.0]])).tolist() == [0, 0]


def _case(name: str) -> gu.Embeddings:
    """All queries of class 134, which the gallery holds again as row 517."""
    generator = torch.Generator().manual_seed(5)
    gallery = torch.nn.functional.normalize(torch.randn(1000, 64, generator=generator))
    gallery[517] = gallery[134]
    queries = gallery[134] + 0.05 * torch.randn(50, 64, generator=generator)
    return gu.Embeddings(queries, gallery, torch.full((50,), 134), {"scoring": name})


@pytest.mark.parametrize("name", SCORINGS)
def test_every_measure_counts_the_first_of_two_equal_classes(name: str) -> None:
    e = _case(name)
    assert gu.zero_shot(e, name)["top1"] == 1
    assert gu.zero_shot(e, name)["mean_per_class"] == 1
    for ks in ((1,), (1, 5, 10), (1, 1000)):
        assert gu.retrieval(e, ks, name)["queries_recall@1"] == 1
    noise = gu.GaussianNoise(1e-12)
    draws = {"method": "monte-carlo", "draws": 20, "scoring": name}
    kept = gu.robustness(e.queries, e.gallery, noise, **draws)
    right = gu.accuracy_under_noise(e.queries, e.gallery, e.targets, noise, **draws)
    assert torch.equal(kept, right)
    still = gu.GaussianNoise(0.0)
    kept = gu.robustness(e.queries, e.gallery, still, "monte-carlo", scoring=name)
    assert bool((kept == 1).all())
    if name != "cosine":
        assert bool((gu.robustness(e.queries, e.gallery, still, scoring=name) == 1).all())


def test_reports_and_curves_count_the_first_of_two_equal_classes() -> None:
    e = _case("euclidean")
    table = gu.benefits(e)
    assert (table["accuracy"] == 1).all()
    assert (table["unchanged"] == 1).all()
    curve = gu.robustness_curve(
        e.queries, e.gallery, gu.MeanShift(), [0, 0.5, 1], gu.GaussianNoise(0), targets=e.targets
    )
    for column in ("robustness", "unchanged", "accuracy", "right"):
        assert (curve[column] == 1).all()
    frame = gu.compare_closings(
        e.queries, e.gallery, {"none": None}, {"none": gu.GaussianNoise(0)}, targets=e.targets
    )
    assert (frame[["accuracy", "unchanged", "robustness"]] == 1).all(axis=None)


def _closings() -> list[closing.Closing]:
    classes = [c for c in vars(closing).values() if inspect.isclass(c)]
    apart = (closing.Closing, closing.MixedGallery)
    made = [c for c in classes if issubclass(c, closing.Closing) and c not in apart]
    return [c() for c in made if not inspect.isabstract(c) and _without_arguments(c)]


def _without_arguments(kind: type) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    return all(p.default is not inspect.Parameter.empty for p in parameters)


@pytest.mark.parametrize("method", _closings(), ids=lambda c: type(c).__name__)
def test_equal_items_are_equal_after_a_closing(method: closing.Closing) -> None:
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(203, 65, generator=generator)
    gallery[150:] = gallery[:53]
    queries = torch.randn(203, 65, generator=generator)
    _, moved = method.fit(queries, gallery).transform(queries, gallery)
    assert torch.equal(moved[150:], moved[:53])


@pytest.mark.parametrize("center", [True, False])
def test_equal_items_of_a_mixed_gallery_stay_equal(center: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = {kind: torch.randn(203, 65, generator=generator) for kind in ("image", "text")}
    for items in rows.values():
        items[150:] = items[:53]
    queries = torch.randn(203, 65, generator=generator)
    _, moved = closing.MixedGallery(center=center).fit(queries, rows).transform(queries, rows)
    for items in moved.values():
        assert torch.equal(items[150:], items[:53])


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_of_equal_options_the_first_is_chosen(name: str, dtype: torch.dtype) -> None:
    options = _gallery(60 * 9, 33).view(60, 9, 33)
    options[:, 8] = options[:, 2]
    options[1::2, 7] = options[1::2, 0]
    queries = (options[torch.arange(60), torch.tensor([2, 0] * 30)] * 2).to(dtype)
    flat = options.to(dtype)
    found = gu.multiple_choice(queries, flat, name)
    for query, own, answer in zip(queries, options, found, strict=True):
        assert int(answer) == _reference(query, own, name)[0]
    noise = gu.GaussianNoise(0.0)
    if name != "cosine":
        told = choice_answers(queries, flat, found, [noise], name)
        assert told.right is not None
        for share in (told.kept[0].per_query, told.right[0].per_query):
            assert torch.equal(share, torch.ones_like(share))


def test_hard_choices_take_the_first_of_equal_texts() -> None:
    texts = torch.nn.functional.normalize(_gallery(100, 16).float())
    asked, rows, place = hard_choices(texts, torch.arange(100), options=5)
    twins = first_equals(texts)
    for target in range(100):
        likeness = (texts.double() @ texts[target].double())[twins]
        likeness[target] = math.inf
        wanted = likeness.argsort(descending=True, stable=True)[:5]
        assert rows[target, place[target]] == asked[target]
        assert set(rows[target].tolist()) == set(wanted.tolist())


def test_all_costs_share_a_block_size() -> None:
    gallery = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    blocks = list(scoring.all_costs(gallery, gallery, "euclidean"))
    assert torch.equal(torch.cat(blocks), scoring.cost(gallery, gallery, "euclidean"))


@pytest.mark.parametrize("name", SCORINGS)
def test_a_mixed_search_takes_the_first_of_equal_items(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(203, 65, generator=generator)
    images[150:] = images[:53]
    labels = torch.arange(203)
    found = mixed_retrieval(
        3 * images[:53], {"image": images}, labels[:53], {"image": labels}, k=1, scoring=name
    )
    wanted = torch.tensor([int(row) for row in nearest(3 * images[:53], images, name)])
    assert bool((wanted < 150).all())
    assert found["recall@1"] == float((wanted == labels[:53]).double().mean())


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize(("count", "dim"), [(1, 3), (300, 5), (260, 700)])
@pytest.mark.parametrize("offset", [0.0, 1e5])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_precise_costs_are_sums_in_higher_precision(
    name: str, count: int, dim: int, offset: float, dtype: torch.dtype
) -> None:
    """Whatever the offset, up to a constant that inner products rank the same by."""
    rng = np.random.default_rng(dim)
    queries, gallery = (
        torch.from_numpy(rng.normal(size=(rows, dim)) + offset).to(dtype) for rows in (count, 4)
    )
    middle, wide = scoring.centered(gallery, name)
    found, norms = scoring.precise_costs(queries, wide, name, middle)
    y, x = (side.double().numpy().astype(np.longdouble) for side in (queries, gallery))
    shift = middle.numpy().astype(np.longdouble)
    if name == "euclidean":
        expected = np.square(y[:, None] - x).sum(axis=2)
        y = y - shift
    else:
        lengths = np.sqrt(np.square(x).sum(axis=1)) if name == "cosine" else np.ones(4)
        expected = -(y @ (x - shift).T) / lengths
        x = x / lengths[:, None]
    terms = dim * np.abs(y).max() * np.abs(x - (name != "cosine") * shift).max()
    np.testing.assert_allclose(
        found.numpy(), expected.astype(float), rtol=1e-12, atol=1e-15 * float(terms)
    )
    np.testing.assert_allclose(norms.numpy(), np.sqrt(np.square(y).sum(axis=1)).astype(float))


@pytest.mark.parametrize(
    ("other", "ours"), [("dot", "inner-product"), ("L2", "euclidean"), ("cos", "cosine")]
)
def test_a_name_of_other_libraries_is_told_ours(other: str, ours: str) -> None:
    with pytest.raises(ValueError, match=f"^scoring: .*got '{other}'; that is '{ours}' here$"):
        nearest(torch.eye(2), torch.eye(2), other)
    with pytest.raises(ValueError, match=r"got 'l1'$"):
        nearest(torch.eye(2), torch.eye(2), "l1")


@pytest.mark.parametrize("name", SCORINGS)
def test_rankings_under_autocast_are_those_without(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, gallery = torch.randn(2, 50, 64, generator=generator) / 100 + 1
    plain = top_k(queries, gallery, 20, name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(top_k(queries, gallery, 20, name), plain)


def test_rows_that_single_precision_cannot_tell_apart_are_nearly_equal() -> None:
    generator = torch.Generator().manual_seed(0)
    once = torch.nn.functional.normalize(torch.randn(40, 16, generator=generator), dim=1)
    again = torch.nn.functional.normalize(once.double() + 1e-6, dim=1).float()
    other = torch.nn.functional.normalize(once.double() + 1e-2, dim=1).float()
    rows = torch.cat([once, again, other])
    found = nearly_equal(rows[:40], rows)
    near = torch.cdist(rows[:40].double(), rows.double()) < 1.5e-3
    assert torch.equal(found, near)
    assert found.sum(1).tolist() == [2] * 40
    assert torch.equal(nearly_equal(rows[:40] + 1, rows + 1), found)
