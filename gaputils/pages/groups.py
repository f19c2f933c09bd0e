"""Groups and transfer: clusters, neighbours and probes over both modalities, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances, v_measure_score
from torch import Tensor
from torch.nn.functional import normalize

from gaputils.closing import Centering, Closing, Coral, HullProjection, MeanShift, NaiveShift
from gaputils.closing import Standardizing
from gaputils.closing.catalogue import moved
from gaputils.closing.on_hull import comparing
from gaputils.datasets import load
from gaputils.datasets.openmoji import catalogue
from gaputils.datasets.templates import SEEN
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_images
from gaputils.models import Model

Closings = Mapping[str, Closing | None]
Sides = tuple[Tensor, Tensor]

UNTOUCHED = "untouched"
BASELINE = "each mean taken away"
WAYS: dict[str, Closing | None] = {
    UNTOUCHED: None,
    "mean shift": MeanShift(),
    "hull projection, centred": HullProjection(center=True),
    BASELINE: Centering(),
    "the same, at norm 1 (I0T)": Standardizing(),
    "each coordinate standardised": Standardizing(scale="coordinate"),
    "CORAL": Coral(),
}

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
    """Drawings of emoji and their names, in the groups of `KINDS`, at most so many of each."""
    random = np.random.default_rng(seed)
    emoji = catalogue()
    kinds = np.array([_kind(one.characters) for one in emoji])
    chosen = [random.permutation(np.flatnonzero(kinds == kind))[:most] for kind in KINDS]
    rows = np.concatenate(chosen)
    images = embed_images(model, load("openmoji").images)[rows].double()
    texts = model.encode_texts([f"an emoji of a {emoji[row].names[0]}." for row in rows])
    groups = np.repeat(np.arange(len(KINDS)), [len(part) for part in chosen])
    return Labelled("emoji, ten kinds of things", images, texts.cpu().double(), groups, groups)


def _kind(characters: str) -> str:
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
    texts = model.encode_texts(words).cpu().double()
    groups = np.repeat(np.arange(len(classes.class_names)), len(SEEN))
    images = embed_images(model, classes.images).double()
    title = "ten emoji, redrawn"
    return Labelled(title, images, texts, classes.targets.numpy(), groups, pairs=False)


def learn(closing: Closing | None, task: Labelled) -> Closing | None:
    """A copy of `closing` fitted on the images and texts of `task`; no label is seen."""
    if closing is None:
        return None
    with comparing():
        fitted: Closing = clone(closing).fit(task.images, task.texts)
    return fitted


def clusters(sides: Sides, count: int, seed: int = 0) -> NDArray[Any]:
    """k-means of both sides together."""
    rows = torch.cat(sides).numpy()
    found: NDArray[Any] = KMeans(count, n_init=3, random_state=seed).fit_predict(rows)
    return found


def purity(task: Labelled, sides: Sides, k: int = 10) -> tuple[float, float]:
    """Share of each row's `k` nearest of both sides that have its group, and that are of the other
    side. Neither the row itself nor its partner counts.
    """
    rows = torch.cat(sides).numpy()
    distances = pairwise_distances(rows)
    np.fill_diagonal(distances, np.inf)
    if task.pairs:
        n = len(task.images)
        partner = np.arange(2 * n), np.roll(np.arange(2 * n), n)
        distances[partner] = np.inf
    nearest = np.argpartition(distances, k, axis=1)[:, :k]
    groups = np.concatenate([task.image_groups, task.text_groups])
    side = np.repeat([0, 1], [len(task.images), len(task.texts)])
    same, other = (groups[nearest] == groups[:, None]), (side[nearest] != side[:, None])
    return float(same.mean()), float(other.mean())


def probe() -> LogisticRegression:
    """The linear probe: multinomial logistic regression with an intercept that is not penalised."""
    return LogisticRegression(C=10.0, max_iter=1000)


def measured(task: Labelled, ways: Closings, draws: int = 10, seed: int = 0) -> pd.DataFrame:
    """Groups and transfer under each of `ways`, a row a way and random half.

    A closing is fitted on a half. Within it: `v_measure` of k-means on both sides, `by_side`, the
    V-measure of the same clusters with the modality, `purity` and `other_side` of the ten nearest.
    From it to the other half: `text_to_image`, the accuracy on images of a probe that saw texts
    alone, and `image_to_text`.
    """
    rows = []
    for draw, (here, there) in enumerate(task.halves(draws, seed)):
        groups = np.concatenate([here.image_groups, here.text_groups])
        side = np.repeat([0, 1], [len(here.images), len(here.texts)])
        for name, closing in ways.items():
            fitted = learn(closing, here)
            sides = moved(fitted, here.images, here.texts)
            far = moved(fitted, there.images, there.texts)
            found = clusters(sides, task.count, seed)
            same, other = purity(here, sides)
            of_texts = probe().fit(sides[1].numpy(), here.text_groups)
            of_images = probe().fit(sides[0].numpy(), here.image_groups)
            rows.append(
                {
                    "way": name,
                    "draw": draw,
                    "v_measure": v_measure_score(groups, found),
                    "by_side": v_measure_score(side, found),
                    "purity": same,
                    "other_side": other,
                    "text_to_image": of_texts.score(far[0].numpy(), there.image_groups),
                    "image_to_text": of_images.score(far[1].numpy(), there.text_groups),
                }
            )
    return pd.DataFrame(rows)


def summary(frame: pd.DataFrame, against: str = UNTOUCHED, key: str = "way") -> pd.DataFrame:
    """Means over the draws of `measured`, with the deviation of the differences to `against`.

    Each measure has one with "_gain" and one with "_gain_error" beside it. The deviation over
    random halves is the standard error of a mean over all of the data.
    """
    values = frame.set_index([key, "draw"])
    means = values.groupby(level=0, sort=False).mean()
    gains = values - values.loc[against].reindex(values.index.get_level_values("draw")).to_numpy()
    by_way = gains.groupby(level=0, sort=False)
    spread = values.groupby(level=0, sort=False).std().add_suffix("_error")
    return pd.concat(
        [
            means,
            spread,
            by_way.mean().add_suffix("_gain"),
            by_way.std().add_suffix("_gain_error"),
        ],
        axis=1,
    )


def over_gap(
    task: Labelled, shares: Iterable[float], draws: int = 5, seed: int = 0
) -> pd.DataFrame:
    """`summary` as the gap is closed by so much: a share of the difference of means is added to
    the texts. Index `closed`; compared with none.
    """
    ways: dict[str, Closing | None] = {f"{share:g}": NaiveShift(alpha=share) for share in shares}
    frame = measured(task, ways, draws, seed)
    found = summary(frame, next(iter(ways)))
    found.index = pd.Index([float(name) for name in found.index], name="closed")
    return found


def scatter(task: Labelled) -> dict[str, float]:
    """What k-means has to choose between: `modalities`, a quarter of the squared gap, which is what
    two clusters of one modality each save of the mean squared distance; and `groups`, the variance
    between the groups' means within a modality, a mean of both.
    """
    gap = task.images.mean(dim=0) - task.texts.mean(dim=0)
    parts = []
    sides = ((task.images, task.image_groups), (task.texts, task.text_groups))
    for rows, groups in sides:
        middle = rows.mean(dim=0)
        for group in np.unique(groups):
            own = rows[torch.from_numpy(groups == group)]
            parts.append(float((own.mean(dim=0) - middle).square().sum()) * len(own) / len(rows))
    return {
        "gap": float(gap.norm()),
        "modalities": float(gap.square().sum()) / 4,
        "groups": sum(parts) / 2,
    }


def text_only(
    task: Labelled, variances: Iterable[float], copies: int = 5, draws: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Accuracy on the other half's images of a probe that was trained on texts with noise added.

    With the rows as they are and with each mean taken away; `copies` of each text with Gaussian
    noise of each total variance (CapDec), none for a variance of zero. A row a way, variance and
    draw, as `summary` takes it with the key "way".
    """
    rows = []
    for draw, (here, there) in enumerate(task.halves(draws, seed)):
        for name in (UNTOUCHED, BASELINE):
            fitted = learn(WAYS[name], here)
            texts = moved(fitted, here.images, here.texts)[1].numpy()
            images = moved(fitted, there.images, there.texts)[0].numpy()
            for variance in variances:
                random = np.random.default_rng(seed + draw)
                many = np.tile(texts, (copies if variance else 1, 1))
                deviation = (variance / texts.shape[1]) ** 0.5
                noisy = many + deviation * random.standard_normal(many.shape)
                groups = np.tile(here.text_groups, len(many) // len(texts))
                right = probe().fit(noisy, groups).score(images, there.image_groups)
                label = f"{name}, noise {variance:g}" if variance else name
                rows.append({"way": label, "draw": draw, "right": right})
    return pd.DataFrame(rows)


def unit(rows: Tensor) -> Tensor:
    """Rows of norm 1 in double precision."""
    return normalize(rows.double(), dim=1)
