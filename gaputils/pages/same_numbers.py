"""The same accuracies and recalls from the `clip-benchmark` package, to compare with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils.datasets import load
from gaputils.datasets.base import ClassificationDataset
from gaputils.encoding.embed import embed, embed_classes, image_batches, in_batches
from gaputils.evaluation.protocol import mean_and_error
from gaputils.models.loading import load_model
from gaputils.models.model import Model
from gaputils.pages import with_error
from gaputils.scoring import nearest
from gaputils.tasks import retrieval, zero_shot

_NAMES = {"top1": "acc1", "top5": "acc5", "mean_per_class": "mean_per_class_recall"}


def compare_data_sets(model: Model, templates: Mapping[str, int]) -> pd.DataFrame:
    """`compare_zero_shot` on several data sets, each with its first templates, as many as told."""
    parts = {}
    for name, count in templates.items():
        data = load(name)
        parts[name] = compare_zero_shot(model, data, data.templates[:count])
    return pd.concat(parts)


def captions_of(dataset: ClassificationDataset, images: int, captions: int) -> list[list[str]]:
    """The first templates, `captions` of them, filled for each of the first `images` classes."""
    return [
        [template.format(name) for template in dataset.templates[:captions]]
        for name in dataset.class_names[:images]
    ]


def compare_zero_shot(
    model: Model, dataset: ClassificationDataset, templates: Sequence[str]
) -> pd.DataFrame:
    """Zero-shot accuracy by both packages: rows top1, top5, mean_per_class; columns "gaputils",
    "clip-benchmark".

    Both encode the same preprocessed pixels in single precision. Raises `ModuleNotFoundError` if
    `clip-benchmark` is not installed.
    """
    from clip_benchmark.metrics import (
        zeroshot_classification as theirs,
    )

    ours = zero_shot(embed(model, dataset, templates=templates))
    batches = _Batches(model, dataset)
    with _quiet(), _numbers_of_arrays(theirs):
        other = theirs.evaluate(
            model.module,
            batches,
            model.tokenizer,
            list(dataset.class_names),
            [template.replace("{}", "{c}") for template in templates],
            str(model.device),
            amp=False,
        )
    return pd.DataFrame(
        {
            "gaputils": ours,
            "clip-benchmark": pd.Series({k: float(other[v]) for k, v in _NAMES.items()}),
        }
    )


def compare_retrieval(
    model: Model, images: Tensor, captions: Sequence[Sequence[str]], ks: Sequence[int] = (1, 5)
) -> pd.DataFrame:
    """Recall@k both ways by both packages, for preprocessed `images` (n, 3, height, width) and the
    captions of each. Columns "gaputils", "clip-benchmark".
    """
    from clip_benchmark.metrics import (
        zeroshot_retrieval as theirs,
    )

    from gaputils.embeddings import Embeddings

    flat = [caption for own in captions for caption in own]
    owners = torch.tensor([i for i, own in enumerate(captions) for _ in own])
    first = torch.tensor([len(own) for own in captions]).cumsum(0) - len(captions[0])
    e = Embeddings(model.encode_images(images).cpu(), model.encode_texts(flat).cpu(), first)
    ours = retrieval(e, ks, owners=owners)
    batches = [(images[i : i + 64], captions[i : i + 64]) for i in range(0, len(images), 64)]
    with _quiet():
        other = theirs.evaluate(
            model.module, batches, model.tokenizer, str(model.device), False, list(ks)
        )
    renamed = {f"queries_recall@{k}": other[f"text_retrieval_recall@{k}"] for k in ks}
    renamed |= {f"gallery_recall@{k}": other[f"image_retrieval_recall@{k}"] for k in ks}
    return pd.DataFrame({"gaputils": ours, "clip-benchmark": pd.Series(renamed)})


def by_step(
    steps: Sequence[int | None], name: str = "emoji10", template: str = "a photo of a {}."
) -> pd.DataFrame:
    """Top-1 accuracy of the shipped model at steps of its training (None: the last), with errors.

    An error is a bootstrap over the pictures.
    """
    rows: dict[str, str] = {}
    data = load(name)
    for step in steps:
        model = load_model("tiny-openmoji", step=step, device="cpu")
        e = embed(model, data, templates=template)
        right = e.right(nearest(e.queries, e.gallery, "cosine"))
        rows["the last" if step is None else str(step)] = with_error(*mean_and_error(right))
    accuracy = list(rows.values())
    return pd.DataFrame({"step": list(rows), f"accuracy on {name}": accuracy})


def their_classifier(model: Model, class_names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """The class embeddings (classes, dim) of `clip-benchmark`'s own function, on the CPU."""
    from clip_benchmark.metrics import (
        zeroshot_classification as theirs,
    )

    listed = [template.replace("{}", "{c}") for template in templates]
    with _quiet():
        found: Tensor = theirs.zero_shot_classifier(
            model.module, model.tokenizer, list(class_names), listed, str(model.device), amp=False
        )
    return found.T.cpu()


def classifier_difference(
    model: Model, class_names: Sequence[str], templates: Sequence[str]
) -> float:
    """The largest difference between the two packages' class embeddings in any coordinate."""
    ours = embed_classes(model, class_names, templates)[:, 0]
    return float((ours - their_classifier(model, class_names, templates)).abs().max())


class _Batches:
    """The loader that `clip-benchmark` expects: batches of pixels and targets, and the classes."""

    def __init__(self, model: Model, dataset: ClassificationDataset, size: int = 200) -> None:
        self.model, self.data, self.size = model, dataset, size
        self.dataset = self
        self.classes = list(dataset.class_names)

    def __len__(self) -> int:
        return -(-len(self.data) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        places = in_batches(0, len(self.data), self.size)
        found = image_batches(self.model, self.data.images, places)
        for place, batch in zip(places, found, strict=True):
            pixels = self.model.normalize(batch) if batch.dtype == torch.uint8 else batch
            yield pixels, self.data.targets[place]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _numbers_of_arrays(module: Any) -> Iterator[None]:
    """Let `module` call float() on arrays of one number, which NumPy no longer does."""

    def number(value: Any) -> float:
        return float(value.item()) if hasattr(value, "item") else float(value)

    module.float = number
    try:
        yield
    finally:
        del module.float


_WORDS = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_per_class": "mean over classes",
    "queries_recall@1": "image → text, R@1",
    "queries_recall@5": "image → text, R@5",
    "gallery_recall@1": "text → image, R@1",
    "gallery_recall@5": "text → image, R@5",
}


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """A comparison with its measures, the last level of its index, in words."""
    names = ["data set", "measure"][-frame.index.nlevels :]
    return frame.rename(index=_WORDS).rename_axis(names)
