"""The gallery's texts of every kind of data set, and what belongs to what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gaputils._checks import listed
from gaputils.datasets.base import PROMPT, CaptionDataset, ChoiceDataset, ClassificationDataset
from gaputils.datasets.templates import as_templates

AnyDataset = ClassificationDataset | CaptionDataset | ChoiceDataset


@dataclass(frozen=True)
class Texts:
    """`texts` (m,): class names, captions, or the filled prompts of all questions.

    `targets` (n,) is the text that answers each image, `owners` (m,) each caption's image.
    """

    kind: str
    texts: Sequence[str]
    templates: tuple[str, ...] | None
    targets: Tensor | None
    owners: Tensor | None = None
    options: int | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def description(self) -> dict[str, Any]:
        """What a manifest says of them; a checksum stands for the texts and what belongs to what.

        Class names are listed, captions are not.
        """
        total = hashlib.sha256()
        for text in self.texts:
            total.update(json.dumps(text).encode())
        for rows in (self.targets, self.owners):
            total.update(b";" if rows is None else json.dumps(rows.tolist()).encode())
        return {"kind": self.kind, "content_sha256": total.hexdigest(), **self.labels()}

    def labels(self) -> dict[str, Any]:
        """What says how the texts were made: templates, class names, options a question."""
        return {
            "templates": None if self.templates is None else list(self.templates),
            "class_names": list(self.texts) if self.kind == "classes" else None,
            "options": self.options,
        }


def kept(templates: str | Iterable[str] | None) -> str | tuple[str, ...] | None:
    """`templates`, which may come one at a time, to be read more than once."""
    if templates is None or isinstance(templates, str):
        return templates
    return tuple(listed("templates", templates, "template"))


def gather_texts(dataset: AnyDataset, templates: str | Sequence[str] | None) -> Texts:
    """The texts of `dataset`; `templates` for class names, or the one prompt of choices."""
    if isinstance(dataset, ClassificationDataset):
        used = as_templates(dataset.templates if templates is None else templates)
        return Texts("classes", dataset.class_names, used, dataset.targets)
    if isinstance(dataset, CaptionDataset):
        if templates is not None:
            raise ValueError(f"templates: the captions of {dataset.name!r} take none")
        first = _first_captions(dataset)
        return Texts("captions", dataset.captions, None, first, dataset.caption_image)
    if templates is not None and not isinstance(templates, str):
        raise ValueError(f"templates: expected one prompt with '{{choice}}', got {templates!r}")
    prompt = PROMPT if templates is None else templates
    filled = dataset.prompts(prompt)
    options = len(filled[0])
    right = None
    if dataset.answers is not None:
        right = torch.arange(len(filled)) * options + dataset.answers
    flat = [text for some in filled for text in some]
    return Texts("choices", flat, (prompt,), right, options=options)


def _first_captions(dataset: CaptionDataset) -> Tensor:
    """Each image's first caption (n,)."""
    order = torch.arange(len(dataset.caption_image) - 1, -1, -1)
    first = torch.full((len(dataset.images),), -1)
    first[dataset.caption_image[order]] = order
    if bool((first < 0).any()):
        missing = int((first < 0).nonzero()[0])
        raise ValueError(f"dataset: image {missing} of {dataset.name!r} has no caption")
    return first
