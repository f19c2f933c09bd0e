"""The page's pictures with their names, embedded by each build and under each template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gaputils._checks import as_generator, integer
from gaputils.datasets.base import ClassificationDataset, Images, TensorImages
from gaputils.datasets.openmoji import Augmentation, augment, catalogue, drawings
from gaputils.datasets.templates import SEEN, UNSEEN
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_classes, embed_images
from gaputils.models import Model
from gaputils.pages.real_changes.builds import Jpeg, in_int8, in_onnx, in_precision, resized

RUNTIME, INT8 = "ONNX Runtime", "int8, dynamic"
BILINEAR, ROUGH = "bilinear resize", "no antialiasing"


def emoji(count: int, size: int, seed: int = 0) -> ClassificationDataset:
    """`count` different emoji, drawn at `size` pixels a side, with one name each."""
    known, generator = catalogue(), as_generator(seed)
    chosen = torch.randperm(len(known), generator=generator)[: integer("count", count, low=2)]
    rows = chosen.sort().values.tolist()
    drawn = augment(drawings(size, rows), generator, Augmentation())
    return ClassificationDataset(
        "openmoji",
        TensorImages(drawn.mul(255).round().to(torch.uint8)),
        [known[row].names[0] for row in rows],
        torch.arange(len(rows)),
        SEEN,
        info={"title": f"{len(rows)} emoji of OpenMoji with their names"},
    )


def named(
    model: Model, data: ClassificationDataset, template: str, images: Images | None = None
) -> Embeddings:
    """Pictures as queries, names as gallery, row by row; `images` in the place of the data's."""
    pictures = embed_images(model, data.images if images is None else images)
    return Embeddings(pictures, _texts(model, data, [template])[0], data.targets)


def of_builds(model: Model, data: ClassificationDataset, template: str) -> dict[str, Embeddings]:
    """`named` by the same weights in other builds."""
    builds = {
        RUNTIME: in_onnx(model),
        "float16": in_precision(model, torch.float16),
        "bfloat16": in_precision(model, torch.bfloat16),
        INT8: in_int8(model),
    }
    return {name: named(build, data, template) for name, build in builds.items()}


def of_pixels(
    model: Model, data: ClassificationDataset, template: str, qualities: Sequence[int]
) -> dict[str, Embeddings]:
    """`named` with pictures that were resized otherwise, or stored as JPEG."""
    resizes = {
        BILINEAR: resized(model, "bilinear"),
        ROUGH: resized(model, "bicubic", antialias=False),
    }
    changed = {name: named(other, data, template) for name, other in resizes.items()}
    return changed | {
        f"JPEG {quality}": named(model, data, template, Jpeg(data.images, quality))
        for quality in qualities
    }


def templates(base: str, other: str, each: int) -> tuple[list[str], list[str]]:
    """At most `each` templates that the default model was trained with, `base` first, and as many
    that it never saw, `other` first.
    """
    return (
        list(dict.fromkeys([base, *SEEN]))[:each],
        list(dict.fromkeys([other, *UNSEEN]))[:each],
    )


def reworded(
    model: Model, data: ClassificationDataset, here: Embeddings, wordings: Sequence[str]
) -> dict[str, Embeddings]:
    """`here` with the names in other words, by template."""
    galleries = _texts(model, data, wordings)
    return {
        template: Embeddings(here.queries, gallery, here.targets)
        for template, gallery in zip(wordings, galleries, strict=True)
    }


def flipped(embeddings: Embeddings) -> Embeddings:
    """Names as queries and pictures as gallery."""
    return Embeddings(embeddings.gallery, embeddings.queries, embeddings.targets)


def stored(here: Embeddings, changes: Mapping[str, Embeddings]) -> dict[str, Embeddings]:
    """The gallery as each of `changes` has it, and the queries as they were."""
    return {
        name: Embeddings(here.queries, other.gallery, here.targets)
        for name, other in changes.items()
    }


def asked(here: Embeddings, changes: Mapping[str, Embeddings]) -> dict[str, Embeddings]:
    """The queries as each of `changes` has them, and the gallery as it was."""
    return {
        name: Embeddings(other.queries, here.gallery, here.targets)
        for name, other in changes.items()
    }


def _texts(model: Model, data: ClassificationDataset, wordings: Sequence[str]) -> Tensor:
    """(templates, m, d), a row a class."""
    return embed_classes(model, data.class_names, wordings, ensemble=False).transpose(0, 1)
