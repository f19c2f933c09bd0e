"""Accuracy and recall against the `clip-benchmark` package and against counting by hand."""

from __future__ import annotations

import numpy as np
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
    timing = same_numbers.time_classifiers(model, dataset.class_names, dataset.templates)
    assert timing["difference"] < 1e-6


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


def test_bad_arguments_are_named() -> None:
    e = random_task()
    with pytest.raises(ValueError, match="k: expected at most the 9 gallery items"):
        tasks.top_k(e.queries, e.gallery, 10)
    with pytest.raises(ValueError, match="scoring: expected one of"):
        tasks.zero_shot(e, "dot")
    with pytest.raises(ValueError, match=r"ks: expected at least one"):
        tasks.retrieval(random_task(5, 5), (), owners=range(5))
    with pytest.raises(ValueError, match=r"options: expected shape \(60, options, 5\)"):
        tasks.multiple_choice(e.queries, e.gallery)
    e.targets = None
    with pytest.raises(ValueError, match="expected targets"):
        tasks.zero_shot(e)
    with pytest.raises(ValueError, match="owners: expected the query of each gallery item"):
        tasks.retrieval(e)
