"""Clusters, neighbours and probes over both modalities, before and after each closing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import pairwise_distances, v_measure_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from gaputils._checks import integer
from gaputils.closing import (
    Centering,
    Closing,
    Coral,
    HullProjection,
    MeanShift,
    NaiveShift,
    Standardizing,
)
from gaputils.closing.catalogue import fitted, moved
from gaputils.pages.groups.tasks import Labelled
from gaputils.pages.survival import CLOSINGS, SCALED

Closings = Mapping[str, Closing | None]
Sides = tuple[Tensor, Tensor]

UNTOUCHED = "original"
BASELINE = "centring (C3)"
WAYS: dict[str, Closing | None] = {
    UNTOUCHED: None,
    "mean shift": MeanShift(),
    "hull projection, centred": HullProjection(center=True),
    BASELINE: Centering(),
    "standardising (I0T)": Standardizing(),
    "CORAL": Coral(),
}


def learn(closing: Closing | None, task: Labelled) -> Closing | None:
    """A copy of `closing` fitted on the images and texts of `task`; no label is seen."""
    return fitted(closing, task.images, task.texts)


def move(task: Labelled, way: str) -> Sides:
    """The images and texts of `task` after one of `WAYS` that was fitted on them."""
    return moved(learn(WAYS[way], task), task.images, task.texts)


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
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    groups = np.concatenate([task.image_groups, task.text_groups])
    side = np.repeat([0, 1], [len(task.images), len(task.texts)])
    same, other = (groups[nearest] == groups[:, None]), (side[nearest] != side[:, None])
    return float(same.mean()), float(other.mean())


def probe() -> Pipeline:
    """The linear probe: multinomial logistic regression with an intercept that is not penalised.

    Centring its training rows changes nothing about its optimum and lets it be reached sooner.
    """
    return make_pipeline(StandardScaler(with_std=False), LogisticRegression(C=10.0, max_iter=1000))


def group_means(rows: Tensor, groups: NDArray[Any]) -> Tensor:
    """(k, d) the mean of each group of `rows`."""
    parts = [rows[torch.from_numpy(groups == group)].mean(dim=0) for group in np.unique(groups)]
    return torch.stack(parts)


def distances(task: Labelled, ways: Iterable[str]) -> dict[str, float]:
    """`nearest`, from a group's mean to the nearest other group's of its own side, a mean over both
    sides, and for each of `ways` from a group's images to its texts: if that is the longer way,
    k-means does better to join two groups of one side than both sides of one group.
    """
    images, texts = (
        group_means(task.images, task.image_groups),
        group_means(task.texts, task.text_groups),
    )
    others = [torch.cdist(side, side).fill_diagonal_(torch.inf) for side in (images, texts)]
    found = {"nearest": float(torch.cat([part.amin(dim=1) for part in others]).mean())}
    for way in ways:
        sides = move(task, way)
        means = (
            group_means(sides[0], task.image_groups),
            group_means(sides[1], task.text_groups),
        )
        found[way] = float((means[0] - means[1]).norm(dim=1).mean())
    return found


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
            learned = learn(closing, here)
            sides = moved(learned, here.images, here.texts)
            far = moved(learned, there.images, there.texts)
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
    random halves is the standard error of a mean over all of the data, so one draw raises
    `ValueError`.
    """
    integer("draws", frame["draw"].nunique(), low=2)
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


def measure_all(
    tasks: Mapping[str, Labelled], draws: int = 10, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """`summary` of every one of `WAYS` on each of `tasks`."""
    return {name: summary(measured(task, WAYS, draws, seed)) for name, task in tasks.items()}


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
            learned = learn(WAYS[name], here)
            texts = moved(learned, here.images, here.texts)[1].numpy()
            images = moved(learned, there.images, there.texts)[0].numpy()
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


def unmoved(task: Labelled) -> pd.DataFrame:
    """How many images a ridge probe that was trained on the texts sees otherwise after each of
    the closings that keep a ranking and after taking means away, of how many. A closed form, so no
    optimiser blurs it.
    """
    here, there = next(task.halves(1))
    labels = {}
    kept = (UNTOUCHED, "mean shift", "hull projection, centred", BASELINE)
    for name, closing in ({name: WAYS[name] for name in kept} | {SCALED: CLOSINGS[SCALED]}).items():
        learned = learn(closing, here)
        texts = moved(learned, here.images, here.texts)[1].numpy()
        images = moved(learned, there.images, there.texts)[0].numpy()
        labels[name] = RidgeClassifier(solver="svd").fit(texts, here.text_groups).predict(images)
    changed = {name: int((found != labels[UNTOUCHED]).sum()) for name, found in labels.items()}
    frame = pd.DataFrame({"changed": changed}).drop(index=UNTOUCHED)
    return frame.assign(images=len(there.images))
