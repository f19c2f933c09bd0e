"""Images and texts with a group each: pairs, kinds of emoji, and ten emoji redrawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from gaputils._checks import as_generator
from gaputils.datasets import load
from gaputils.datasets.base import TensorImages
from gaputils.datasets.openmoji import Augmentation, augment, catalogue, drawings
from gaputils.datasets.templates import SEEN
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_images
from gaputils.models import Model

# Ranges of code points that hold one kind of thing; an emoji is of the kind of its first.
KINDS: dict[str, tuple[tuple[int, int], ...]] = {
    "flags": ((0x1F1E6, 0x1F1FF),),
    "food": ((0x1F32D, 0x1F32F), (0x1F345, 0x1F37F), (0x1F950, 0x1F96F), (0x1F9C0, 0x1F9CB)),
    "plants": ((0x1F330, 0x1F344),),
    "animals": ((0x1F400, 0x1F43F), (0x1F980, 0x1F9AE)),
    "faces": ((0x1F600, 0x1F637), (0x1F641, 0x1F644), (0x1F910, 0x1F915), (0x1F970, 0x1F976)),
    "clocks": ((0x1F550, 0x1F567),),
    "vehicles": ((0x1F680, 0x1F6A4), (0x1F6F4, 0x1F6FC)),
    "buildings": ((0x1F3D4, 0x1F3F0),),
    "sky": ((0x1F300, 0x1F321), (0x1F324, 0x1F32C)),
    "hearts": ((0x1F493, 0x1F49F),),
}


@dataclass(frozen=True)
class Labelled:
    """Images and texts with a group each; `pairs` says that row i of one belongs to row i."""

    title: str
    images: Tensor
    texts: Tensor
    image_groups: NDArray[Any]
    text_groups: NDArray[Any]
    pairs: bool = True

    @property
    def count(self) -> int:
        return len(np.unique(self.image_groups))

    def of(self, images: NDArray[Any], texts: NDArray[Any]) -> Labelled:
        """Those rows of either side."""
        return Labelled(
            self.title,
            self.images[images],
            self.texts[texts],
            self.image_groups[images],
            self.text_groups[texts],
            self.pairs,
        )

    def halves(self, draws: int, seed: int = 0) -> Iterator[tuple[Labelled, Labelled]]:
        """Random halves and what is left of each; a pair is never torn."""
        random = np.random.default_rng(seed)
        for _ in range(draws):
            first = random.permutation(len(self.images))
            second = first if self.pairs else random.permutation(len(self.texts))
            cuts = len(first) // 2, len(second) // 2
            yield (
                self.of(first[: cuts[0]], second[: cuts[1]]),
                self.of(first[cuts[0] :], second[cuts[1] :]),
            )


def pairs_by(e: Embeddings, side: str, count: int = 10, seed: int = 0) -> Labelled:
    """The pairs of `e`, each in the group of its "text" or "image": k-means of that side alone."""
    images, texts = e.queries.double(), e.gallery.double()
    rows = (texts if side == "text" else images).numpy()
    groups = KMeans(count, n_init=10, random_state=seed).fit_predict(rows)
    title = str(e.info.get("title", "pairs"))
    return Labelled(f"{title}, groups of its {side}s", images, texts, groups, groups)


def emoji_kinds(model: Model, most: int = 40, seed: int = 0) -> Labelled:
    """Emoji, drawn with variations, and their names in the groups of `KINDS`, so many at most."""
    random = np.random.default_rng(seed)
    emoji = catalogue()
    kinds = np.array([kind_of(one.characters) for one in emoji])
    chosen = [random.permutation(np.flatnonzero(kinds == kind))[:most] for kind in KINDS]
    rows = np.concatenate(chosen)
    drawn = augment(drawings(48, list(rows)), as_generator(seed), Augmentation())
    pixels = drawn.mul_(255).round_().to(torch.uint8)
    images = embed_images(model, TensorImages(pixels)).cpu()
    texts = model.encode_texts([f"an emoji of a {emoji[row].names[0]}." for row in rows])
    groups = np.repeat(np.arange(len(KINDS)), [len(part) for part in chosen])
    return Labelled("emoji, ten kinds of things", images, texts.cpu(), groups, groups)


def kind_of(characters: str) -> str:
    """The one of `KINDS`, or "" for others and for emoji that join several."""
    point = ord(characters[0])
    joined = "\u200d" in characters
    for kind, ranges in KINDS.items():
        if not joined and any(low <= point <= high for low, high in ranges):
            return kind
    return ""


def emoji_classes(model: Model, copies: int = 20) -> Labelled:
    """`copies` renderings of each of ten emoji, and their names in every template of training."""
    classes = load("emoji10", copies=copies)
    words = [template.format(name) for name in classes.class_names for template in SEEN]
    texts = model.encode_texts(words).cpu()
    groups = np.repeat(np.arange(len(classes.class_names)), len(SEEN))
    images = embed_images(model, classes.images).cpu()
    title = "ten emoji, redrawn"
    return Labelled(title, images, texts, classes.targets.numpy(), groups, pairs=False)
