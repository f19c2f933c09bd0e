"""Whose mean is taken away, and from how many rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gaputils.closing import MeanShift
from gaputils.closing.on_hull import comparing
from gaputils.datasets import DataUnavailable, published_rows
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import mean_and_error, paired_gain
from gaputils.pages.scores.cosines import cosines

Means = tuple[Tensor, Tensor]


def right_both_ways(images: Tensor, texts: Tensor, means: Means | None = None) -> Tensor:
    """(n,) right answers of each pair by cosine, a mean over its image and its text as query."""
    if means is not None:
        images, texts = images - means[0], texts - means[1]
    own, ways = torch.arange(len(images)), ((images, texts), (texts, images))
    hits = torch.stack([cosines(*way).argmax(dim=1) == own for way in ways])
    return hits.double().mean(dim=0)


def topics(e: Embeddings, count: int = 2, seed: int = 0) -> Tensor:
    """(n,) what each pair is about: its text's cluster, by k-means of the texts alone."""
    found = KMeans(count, n_init=10, random_state=seed).fit_predict(e.gallery.double().numpy())
    return torch.from_numpy(found).long()


def whose_mean(e: Embeddings, image_mean: Tensor | None = None, seed: int = 0) -> pd.DataFrame:
    """Right answers within each of two `topics` after means from elsewhere are taken away.

    A row for no mean, the topic's own, the other topic's, and, if it is given, `image_mean` of
    other data beside the other topic's text mean. `apart`: the distance of the images' mean to
    that of the topic's own images; `right` and the paired `gain` with errors over the pairs.
    """
    images, texts = e.queries.double(), e.gallery.double()
    topic = topics(e, seed=seed)
    found: dict[str, list[Tensor]] = {}
    away: dict[str, list[float]] = {}
    for here in (topic == 0, topic == 1):
        own = images[here].mean(dim=0), texts[here].mean(dim=0)
        other = images[~here].mean(dim=0), texts[~here].mean(dim=0)
        sources: dict[str, Means | None] = {"none": None, "the topic's own": own}
        sources["the other topic's"] = other
        if image_mean is not None:
            sources["other data's images, other topic's texts"] = image_mean.double(), other[1]
        for name, means in sources.items():
            found.setdefault(name, []).append(right_both_ways(images[here], texts[here], means))
            if means is not None:
                away.setdefault(name, []).append(float((means[0] - own[0]).norm()))
    values = {name: torch.cat(parts).numpy() for name, parts in found.items()}
    rows = {}
    for name, right in values.items():
        share, error = mean_and_error(right)
        gain, gain_error = paired_gain(right, values["none"])
        rows[name] = {
            "apart": float(np.mean(away[name])) if name in away else float("nan"),
            "right": share,
            "error": error,
            "gain": gain,
            "gain_error": gain_error,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cosine_of_gaps(e: Embeddings, seed: int = 0) -> float:
    """The cosine between the gaps of the two `topics`. Rows of `e` are pairs."""
    topic = topics(e, seed=seed)
    differences = e.queries.double() - e.gallery.double()
    first, second = (differences[topic == which].mean(dim=0) for which in (0, 1))
    return float(cosine_similarity(first, second, dim=0))


def how_many_rows(
    e: Embeddings, counts: Iterable[int], draws: int = 20, seed: int = 0
) -> pd.DataFrame:
    """What is left of the gap, and right answers, after means of so many pairs are taken away.

    Means are of random pairs of one half, the rest is measured on the other half, `draws` times.
    `left`: the distance between the sides' means, as a share of the gap; `predicted`: the square
    root of its expected square by the sides' variances; `right` with the paired `gain` over no
    means, their errors the deviation over the draws of halves.
    """
    images, texts = e.queries.double(), e.gallery.double()
    half = len(images) // 2
    gap = float((images.mean(dim=0) - texts.mean(dim=0)).norm())
    spread = float((images - texts).var(dim=0).sum())
    random = np.random.default_rng(seed)
    orders = [torch.from_numpy(random.permutation(len(images))) for _ in range(draws)]
    rows = []
    for count in counts:
        left, right, gains = [], [], []
        for order in orders:
            learned, here = order[: min(count, half)], order[half:]
            sides = images[here], texts[here]
            means = images[learned].mean(dim=0), texts[learned].mean(dim=0)
            rest = (sides[0] - means[0]).mean(dim=0) - (sides[1] - means[1]).mean(dim=0)
            left.append(float(rest.square().sum()))
            right.append(float(right_both_ways(*sides, means).mean()))
            gains.append(right[-1] - float(right_both_ways(*sides).mean()))
        told = (spread * (1 / min(count, half) + 1 / (len(images) - half))) ** 0.5
        row = {"rows": count, "left": float(np.mean(left)) ** 0.5 / gap, "predicted": told / gap}
        row |= {"right": float(np.mean(right)), "gain": float(np.mean(gains))}
        rows.append(row | {"gain_error": float(np.std(gains))})
    return pd.DataFrame(rows)


def rows_that_pay(e: Embeddings, items: int) -> float:
    """How many queries the mean shift onto the first `items` of `e` needs before it is nearer than
    no shift: the sum of their queries' variances off the gallery's hull, over the squared length of
    the gap there. Rows of `e` are pairs.
    """
    rows, gallery = e.queries[:items].double(), e.gallery[:items]
    with comparing():
        shift = MeanShift().fit(rows, gallery)
    queries = rows - rows.mean(dim=0)
    off = queries - queries @ shift.components_.mT @ shift.components_
    return float(off.square().sum() / (len(off) - 1) / shift.shift_.square().sum())


def text_domains(names: Iterable[str], images: str) -> tuple[pd.DataFrame, str]:
    """How far apart the means of texts of several data sets are, beside their gaps to the mean of
    `images`; all of one model. A row a set: `texts`, `nearest`, `farthest`, `gap`, the least
    `cosine` of the gap with that of another set. Empty with a reason where they are not at hand.
    """
    try:
        found = [published_rows(name, normalize=True) for name in names]
        image = published_rows(images)[0].ravel().double()
    except DataUnavailable as error:
        return pd.DataFrame(), str(error)
    means = torch.stack([rows.mean(dim=0) for rows, _ in found])
    apart = torch.cdist(means, means)
    gaps = image - means
    alike = cosines(gaps, gaps)
    rows = [
        {
            "texts": str(about["data"]),
            "nearest": float(np.sort(distances)[1]),
            "farthest": float(distances.max()),
            "gap": float(gap.norm()),
            "cosine": float(least),
        }
        for (_, about), distances, gap, least in zip(
            found, apart.numpy(), gaps, alike.amin(dim=1), strict=True
        )
    ]
    return pd.DataFrame(rows), ""
