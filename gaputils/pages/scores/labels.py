"""Probabilities of labels: the softmax over a few, and the sigmoid of SigLIP with its bias."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from gaputils.closing import Centering, Closing, HullProjection
from gaputils.closing.catalogue import close
from gaputils.datasets import DataUnavailable, published
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.pages.scores.cosines import CENTRED, cosines
from gaputils.theory import sigmoid

SCALE = 100.0
"""CLIP's logit scale at the end of its training (Radford et al. 2021)."""

# google/siglip2-base-patch16-naflex, as published beside its vectors (models/siglip2/
# calibration.json, at the commit of the set "siglip2-naflex"); the scale is stored as a logarithm.
LOG_SCALE, BIAS = 4.747554302215576, -16.776988983154297


def probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """(n, k) softmax of each query over its `labels` (n, k), from its `logits` (n, m)."""
    return logits.gather(1, labels).softmax(dim=1)


def draw_labels(n: int, k: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(n, k) labels of each query with its own in front, and (n, k) without it.

    Label i is that of query i; the k - 1 others are the same for both, and one more takes its own's
    place.
    """
    random = np.random.default_rng(seed)
    others = np.stack([random.choice(n - 1, size=k, replace=False) for _ in range(n)])
    others += others >= np.arange(n)[:, None]  # steps over the query's own
    fits = np.concatenate([np.arange(n)[:, None], others[:, 1:]], axis=1)
    return torch.from_numpy(fits), torch.from_numpy(others)


def none_fits(e: Embeddings, k: int = 10, seed: int = 0) -> pd.DataFrame:
    """The largest of `k` probabilities when the right label is among them and when it is not.

    A row for the untouched cosines, for each mean taken away, and for the hull projection, whose
    inner products are scored. Columns `fits` and `none`, the mean of the largest probability, with
    errors over the queries; `told`, the area under the curve of the largest probability as a sign
    that a label fits, `told_cosine` that of the largest score itself, and `told_gain` what the
    second has over the first, each with its bootstrap error over queries; `changed`, the greatest
    change of a probability from the untouched.
    """
    ways: dict[str, Closing | None] = {
        "original": None,
        CENTRED: Centering(renormalize=True),
        "hull projection": HullProjection(),
    }
    n = len(e.queries)
    fits, none = draw_labels(n, k, seed)
    rows = {}
    first: Tensor | None = None
    for name, closing in ways.items():
        moved = close(closing, e)
        product = isinstance(closing, HullProjection)
        scores = (
            moved.queries.double() @ moved.gallery.double().mT
            if product
            else cosines(moved.queries, moved.gallery)
        )
        both = torch.stack([probabilities(SCALE * scores, labels) for labels in (fits, none)])
        first = both if first is None else first
        top = both.amax(dim=2)
        best = torch.cat([scores.gather(1, labels).amax(dim=1) for labels in (fits, none)])
        errors = bootstrap_means(top.mT).std(axis=0)
        rows[name] = {
            "fits": float(top[0].mean()),
            "fits_error": errors[0],
            "none": float(top[1].mean()),
            "none_error": errors[1],
            **_told(top.ravel().numpy(), best.numpy(), seed),
            "changed": float((both - first).abs().max()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _told(top: NDArray[Any], best: NDArray[Any], seed: int, draws: int = 200) -> dict[str, float]:
    """Areas of the largest probability `top` and of the largest score `best`, both (2 n,) with
    those of queries whose label is there first, their difference, and bootstrap errors.
    """
    n = len(top) // 2
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    there, weights = np.repeat([True, False], n), np.vstack([np.ones(n), drawn])
    areas = np.array(
        [
            [roc_auc_score(there, score, sample_weight=np.tile(weight, 2)) for score in (top, best)]
            for weight in weights
        ]
    ).T
    found = {"told": areas[0], "told_cosine": areas[1], "told_gain": areas[1] - areas[0]}
    values = {name: float(area[0]) for name, area in found.items()}
    return values | {f"{name}_error": float(area[1:].std()) for name, area in found.items()}


def siglip() -> tuple[pd.DataFrame, str]:
    """SigLIP2's probabilities of twelve images and twelve texts that do not belong together.

    A row for the scale as it is meant, for its stored logarithm taken for the scale, and for
    centred rows with the bias left and with the bias moved by what the mean logit lost. Columns
    `scale`, `bias`, the `cosine` at which the probability is one half, and the `least`, `median`
    and `largest` probability. Empty with a reason where the vectors are not at hand.
    """
    try:
        e = published("siglip2-naflex", normalize=True)
    except DataUnavailable as error:
        return pd.DataFrame(), str(error)
    centred = close(Centering(renormalize=True), e)
    before, after = (cosines(each.queries, each.gallery).mean() for each in (e, centred))
    scale = math.exp(LOG_SCALE)
    moved = BIAS + scale * float(before - after)
    cases = [
        ("as trained", e, scale, BIAS),
        ("the logarithm for the scale", e, LOG_SCALE, BIAS),
        ("centred, bias left", centred, scale, BIAS),
        ("centred, bias moved", centred, scale, moved),
    ]
    rows = {}
    for name, task, by, bias in cases:
        found = sigmoid.probabilities(task.queries, task.gallery, 2 / by, bias + by)
        rows[name] = {
            "scale": by,
            "bias": bias,
            "cosine": -bias / by,
            "least": float(found.min()),
            "median": float(found.quantile(0.5)),
            "largest": float(found.max()),
        }
    return pd.DataFrame.from_dict(rows, orient="index"), ""
