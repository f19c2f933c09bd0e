"""Accuracy and recall against the `clip-benchmark` package and against counting by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

import gaputils as gu
from gaputils import tasks
from gaputils.pages import same_numbers

pytestmark = pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cpu")


@pytest.mark.parametrize(("name", "templates"), [("emoji10", 3), ("openmoji", 1)])
def test_zero_shot_equals_clip_benchmark(model: gu.Model, name: str, templates: int) -> None:
    dataset = gu.datasets.load(name)
    table = same_numbers.compare_zero_shot(model, dataset, dataset.templates[:templates])
    assert list(table.index) == ["top1", "top5", "mean_per_class"]
    np.testing.assert_allclose(table["gaputils"], table["clip-benchmark"], rtol=0, atol=1e-7)
    assert table["gaputils"].gt(0.4).all()


@pytest.mark.parametrize("captions", [1, 3])
def test_retrieval_equals_clip_benchmark(model: gu.Model, captions: int) -> None:
    dataset = gu.datasets.load("openmoji")
    pixels = torch.stack([model.preprocess(dataset.images[i]) for i in range(160)])
    templates = dataset.templates[:captions]
    texts = [[t.format(dataset.class_names[i]) for t in templates] for i in range(160)]
    table = same_numbers.compare_retrieval(model, pixels, texts)
    np.testing.assert_allclose(table["gaputils"], table["clip-benchmark"], rtol=0, atol=1e-7)
    assert table["gaputils"].between(0.2, 0.999).all()


def test_class_embeddings_equal_clip_benchmark(model: gu.Model) -> None:
    dataset = gu.datasets.load("emoji10")
    names, templates = dataset.class_names, dataset.templates
    assert same_numbers.classifier_difference(model, names, templates) < 1e-6


def random_task(n: int = 60, m: int = 9, d: int = 5) -> gu.Embeddings:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(m, d))
    targets = rng.integers(m - 1, size=n)
    return gu.Embeddings(gallery[targets] + rng.normal(size=(n, d)), gallery, targets)


@pytest.mark.parametrize("scoring", ["cosine", "euclidean", "inner-product"])
def test_zero_shot_against_scikit_learn(scoring: str) -> None:
    e = random_task()
    x, y, t = e.queries.numpy(), e.gallery.numpy(), e.targets.numpy()
    scores = {
        "cosine": x @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T,
        "inner-product": x @ y.T,
        "euclidean": -np.linalg.norm(x[:, None] - y, axis=2),
    }[scoring]
    accuracy = tasks.zero_shot(e, scoring)
    labels = np.arange(len(y))
    assert accuracy["top1"] == pytest.approx(top_k_accuracy_score(t, scores, k=1, labels=labels))
    assert accuracy["top5"] == pytest.approx(top_k_accuracy_score(t, scores, k=5, labels=labels))
    assert accuracy["mean_per_class"] == pytest.approx(balanced_accuracy_score(t, scores.argmax(1)))


def test_few_classes_have_no_top5() -> None:
    assert np.isnan(tasks.zero_shot(random_task(m=4))["top5"])


def test_published_clip_recall(published) -> None:
    e = published("liang2022-clip-coco")
    recall = tasks.retrieval(e, (1,))
    assert recall["queries_recall@1"] == pytest.approx(0.552)
    assert recall["gallery_recall@1"] == pytest.approx(0.506)


def test_caption_owners_come_from_the_info() -> None:
    x = torch.eye(3)
    gallery = torch.eye(3)[[0, 0, 1, 2, 2]] + 0.1
    e = gu.Embeddings(x, gallery, [0, 2, 3], {"caption_image": [0, 0, 1, 2, 2]})
    assert (tasks.retrieval(e, (1, 99)) == 1).all()
    e.info["caption_image"] = [1, 1, 0, 2, 2]
    assert tasks.retrieval(e, (1,))["queries_recall@1"] == pytest.approx(1 / 3)
    assert tasks.retrieval(e, (1,))["gallery_recall@1"] == pytest.approx(2 / 5)


def test_recall_of_several_queries_an_item_against_a_loop() -> None:
    e = random_task()
    t = e.targets.numpy()
    x, y = (torch.nn.functional.normalize(side).numpy() for side in (e.queries, e.gallery))
    scores = x @ y.T
    recall = tasks.retrieval(e, (1, 3))
    for k in (1, 3):
        there = [t[i] in np.argsort(-scores[i])[:k] for i in range(len(x))]
        back = [j in t[np.argsort(-scores[:, j])[:k]] for j in np.unique(t)]
        assert recall[f"queries_recall@{k}"] == pytest.approx(np.mean(there))
        assert recall[f"gallery_recall@{k}"] == pytest.approx(np.mean(back))


@pytest.mark.parametrize("scoring", ["cosine", "euclidean", "inner-product"])
def test_multiple_choice_is_zero_shot_row_by_row(scoring: str) -> None:
    rng = np.random.default_rng(0)
    x, options = rng.normal(size=(20, 6)), rng.normal(size=(20, 4, 6))
    chosen = tasks.multiple_choice(x, options, scoring)
    for i in range(20):
        assert int(chosen[i]) == int(tasks.top_k(x[i : i + 1], options[i], 1, scoring))


def test_options_keep_a_precision_beyond_that_of_the_queries() -> None:
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=(30, 8))).astype(np.float32)
    options = 1000 + 1e-5 * rng.normal(size=(30, 4, 8))
    chosen = tasks.multiple_choice(x, options, "euclidean")
    distances = np.linalg.norm(x[:, None].astype(float) - options, axis=2)
    assert chosen.tolist() == distances.argmin(axis=1).tolist()


def test_bad_options_are_named() -> None:
    x, options = np.ones((2, 3)), np.ones((2, 4, 3))
    options[1, 2] = 0
    with pytest.raises(ValueError, match=r"^options: expected rows of norm above zero for cosine"):
        tasks.multiple_choice(x, options)
    for count in (2.0, True, "2", 3):
        e = gu.Embeddings(x, np.ones((4, 3)), info={"options": count})
        with pytest.raises(ValueError, match=r"^embeddings: expected those of a multiple-choice"):
            gu.as_choices(e)


def test_bad_arguments_are_named() -> None:
    e = random_task()
    with pytest.raises(ValueError, match="k: expected at most the 9 gallery items"):
        tasks.top_k(e.queries, e.gallery, 10)
    with pytest.raises(ValueError, match="scoring: expected one of"):
        tasks.zero_shot(e, "dot")
    with pytest.raises(ValueError, match=r"ks: expected at least one"):
        tasks.retrieval(random_task(5, 5), (), owners=range(5))
    with pytest.raises(TypeError, match="ks: expected a list of numbers, got int 5"):
        tasks.retrieval(e, ks=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"options: expected shape \(60, options, 5\)"):
        tasks.multiple_choice(e.queries, e.gallery)
    e.targets = None
    with pytest.raises(ValueError, match="expected targets"):
        tasks.zero_shot(e)
    with pytest.raises(ValueError, match="owners: expected the query of each gallery item"):
        tasks.retrieval(e)


def mixture(seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, dict]:
    """Twelve queries, two kinds of items, and labels of which some queries have several."""
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(12, 6))
    kinds = {"image": rng.normal(size=(12, 6)), "text": rng.normal(size=(20, 6)) + 1}
    labels = {"image": np.arange(12), "text": rng.integers(0, 12, 20)}
    return queries, kinds, np.arange(12), labels


@pytest.mark.parametrize("k", [1, 5, 32])
def test_mixed_retrieval_agrees_with_scikit_learn_and_with_counting(k: int) -> None:
    from sklearn.metrics import ndcg_score

    queries, kinds, asked, labels = mixture()
    found = gu.tasks.mixed_retrieval(queries, kinds, asked, labels, k)
    items = np.concatenate(list(kinds.values()))
    right = asked[:, None] == np.concatenate(list(labels.values()))
    assert found[f"ndcg@{k}"] == pytest.approx(ndcg_score(right, queries @ items.T, k=k))
    best = np.argsort(-(queries @ items.T), axis=1)[:, :k]
    hits = np.take_along_axis(right, best, axis=1)
    assert found[f"recall@{k}"] == pytest.approx((hits.sum(1) / right.sum(1)).mean())
    pictures = best < 12
    assert found[f"recall@{k}[image]"] == pytest.approx((hits & pictures).any(1).mean())
    assert found[f"share@{k}[image]"] == pytest.approx(pictures.mean())
    assert found[f"share@{k}[image]"] + found[f"share@{k}[text]"] == pytest.approx(1)
    texts = right[:, 12:].sum(1)
    some = texts > 0
    share = (hits & ~pictures).sum(1)[some] / texts[some]
    assert found[f"recall@{k}[text]"] == pytest.approx(share.mean())


def test_of_equal_scores_the_first_kind_and_the_first_item_come_first() -> None:
    scores = {"b": np.zeros((1, 3)), "a": np.zeros((1, 3))}
    found = gu.tasks.rate_mixed(scores, [7], {"b": [7, 0, 0], "a": [7, 0, 0]}, k=1)
    assert found["share@1[b]"].item() == 1
    assert found["ndcg@1"].item() == 1
    later = gu.tasks.rate_mixed(scores, [7], {"b": [0, 7, 0], "a": [7, 0, 0]}, k=1)
    assert later["ndcg@1"].item() == 0


def test_a_query_that_is_stored_does_not_find_itself() -> None:
    queries, kinds, asked, labels = mixture(1)
    kinds["text"][:12] = queries
    labels["text"][:12] = asked
    rows = {"text": np.arange(12)}
    found = gu.tasks.mixed_retrieval(
        queries, kinds, asked, labels, k=31, own=rows, scoring="cosine"
    )
    without = gu.tasks.rate_mixed(
        {"image": np.zeros((12, 12)), "text": np.zeros((12, 8))},
        asked,
        {"image": labels["image"], "text": labels["text"][12:]},
        k=20,
    )
    assert found["recall@31"] == 1
    assert found["share@31[text]"] == pytest.approx(19 / 31)
    assert (without["recall@20"] == 1).all()
    one = gu.tasks.mixed_retrieval(queries, kinds, asked, labels, k=1, scoring="cosine")
    assert one["recall@1[text]"] > 0
    alone = gu.tasks.mixed_retrieval(queries, kinds, asked, labels, k=1, own=rows, scoring="cosine")
    assert alone["share@1[text]"] < one["share@1[text]"] == 1


def test_queries_in_parts_give_the_mean_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, kinds, asked, labels = mixture()
    whole = gu.tasks.mixed_retrieval(queries, kinds, asked, labels, k=4)
    monkeypatch.setattr("gaputils.tasks._SCORES_AT_ONCE", 3 * 32)
    parts = gu.tasks.mixed_retrieval(queries, kinds, asked, labels, k=4)
    pd.testing.assert_series_equal(parts, whole)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"galleries": [1]}, TypeError, "^galleries: expected a mapping by kind, got list"),
        ({"galleries": {}}, ValueError, "^galleries: expected at least one kind, got none"),
        ({"k": 0}, ValueError, "^k: expected an integer of at least 1, got 0"),
        ({"k": 33}, ValueError, "^k: expected at most the 32 items, got 33"),
        ({"query_labels": [1]}, ValueError, r"^query_labels: expected shape \(12,\), got \(1,\)"),
        ({"item_labels": {"image": [1]}}, ValueError, "^item_labels: expected kinds .*'text'"),
        (
            {"query_labels": np.full(12, 99)},
            ValueError,
            "^query_labels: expected a right item for every query, 12 of 12 have none",
        ),
        ({"own": {"audio": np.zeros(12, int)}}, ValueError, "^own: expected kinds among .*'audio'"),
        ({"own": {"text": np.full(12, 20)}}, ValueError, r"^own\['text'\]: expected indices"),
        ({"scoring": "l2"}, ValueError, "^scoring: expected one of"),
    ],
)
def test_a_mixed_search_that_makes_no_sense_is_refused(
    change: dict[str, Any], error: type, message: str
) -> None:
    queries, kinds, asked, labels = mixture()
    arguments: dict[str, Any] = {
        "queries": queries,
        "galleries": kinds,
        "query_labels": asked,
        "item_labels": labels,
    }
    with pytest.raises(error, match=message):
        gu.tasks.mixed_retrieval(**{**arguments, **change})


def test_scores_of_kinds_need_the_same_queries() -> None:
    scores = {"a": np.zeros((2, 3)), "b": np.zeros((3, 3))}
    with pytest.raises(ValueError, match=r"^scores: expected one row a query in every kind"):
        gu.tasks.rate_mixed(scores, [0, 1], {"a": [0, 1, 2], "b": [0, 1, 2]}, k=1)


def test_long_labels_of_two_types_are_told_apart() -> None:
    labels = np.array([2**60, 2**60 + 1, 2**60 + 2])
    rows = {"image": np.eye(3), "text": np.eye(3)}
    for kind in (np.int64, np.uint64):
        given = {"image": labels.astype(kind), "text": labels}
        assert gu.tasks.mixed_retrieval(np.eye(3), rows, labels, given, k=2)["recall@2"] == 1


def test_own_items_of_mixed_retrieval_are_checked_as_one() -> None:
    rows, labels = {"text": np.eye(3)}, [0, 0, 0]
    for own, message in (
        ({"text": [0, 1, 2, 0]}, r"^own\['text'\]: "),
        ({"text": [0, 1]}, r"^own\['text'\]: "),
        ({"text": [0, 1, 3]}, r"^own\['text'\]: "),
        ({"image": [0, 1, 2]}, "^own: expected kinds among text, got 'image'"),
    ):
        with pytest.raises(ValueError, match=message):
            gu.tasks.mixed_retrieval(np.eye(3), rows, labels, {"text": labels}, k=2, own=own)
    listed = gu.tasks.mixed_retrieval(
        np.eye(3), rows, labels, {"text": labels}, k=2, own={"text": [0, 1, 2]}
    )
    series = pd.Series([0, 1, 2], index=[7, 8, 9])
    again = gu.tasks.mixed_retrieval(
        np.eye(3), rows, labels, {"text": labels}, k=2, own={"text": series}
    )
    pd.testing.assert_series_equal(listed, again)
