"""What closing is worth on sets of pairs: answerable queries, three scorings, paired errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.datasets import DataUnavailable, load, published, published_sources
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.geometry import gap_vector
from gaputils.models import load_model, training_steps
from gaputils.noise import GaussianNoise
from gaputils.pages.survival import distinct_items
from gaputils.scoring import SCORINGS

UNTOUCHED, SHIFT, OURS = "original", "mean shift", "hull projection, centred"
CLOSINGS: dict[str, Closing | None] = {
    UNTOUCHED: None,
    SHIFT: MeanShift(),
    OURS: HullProjection(center=True),
}
BLOCK = 100
_ABOUT = ("model", "data", "trained", "loss", "hopfield", "trained_on")


def paired_sets() -> list[str]:
    """Names of the published sets of pairs whose gap nobody has closed yet."""
    table = published_sources()
    open_pairs = table[(table["sides"] == 2) & table["paired"] & table["closed_from"].isna()]
    return list(open_pairs.index)


def load_sets(names: Iterable[str]) -> tuple[dict[str, Embeddings], dict[str, str]]:
    """Those of the sets `names` that can be had, with rows of norm 1, and why each other cannot."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = published(name, normalize=True)
        except DataUnavailable as error:
            missing[name] = str(error)
    return found, missing


_SHORTER = {
    "OpenAI ": "",
    "RN50 of the CLOOB ablation": "ablation",
    ", epoch ": " ",
    "InfoLOOB and Hopfield": "InfoLOOB + H.",
    "InfoNCE and Hopfield": "InfoNCE + H.",
    ", random weights": " (random)",
    " val2017": "",
    " val": "",
    " test": "",
    " and their descriptions": "",
    "cell images and molecules": "cells",
    ", 100 pairs": "",
    ", 100 triplets": "",
}


def short_title(model: str, data: str, name: str = "") -> str:
    """Model and data of the published set `name` in few words, for a row or a panel.

    >>> short_title("OpenAI CLIP RN50", "COCO val, 100 pairs")
    'CLIP RN50, COCO'
    >>> short_title("ImageBind huge", "AudioSet, 100 triplets", "triplet-text-audio")
    'ImageBind huge, AudioSet, text–audio'
    """
    title = f"{model}, {data}"
    for words, fewer in _SHORTER.items():
        title = title.replace(words, fewer)
    sides = name.partition("triplet-")[2].replace("-", "–")
    return f"{title}, {sides}" if sides else title


def own_checkpoints(pairs: int = 500) -> dict[str, Embeddings]:
    """The book's own model at each step of its training on emoji: what goes on where all else is
    missing.
    """
    emoji, found = load("openmoji"), {}
    for step in training_steps():
        e = embed(load_model("tiny-openmoji", step=step), emoji, templates="an emoji of a {}.")
        name = f"tiny-openmoji, step {step}"
        info = {"model": name, "data": "OpenMoji", "trained": step > 0}
        sides = e.queries[:pairs].double(), e.gallery[:pairs].double()
        found[name] = Embeddings(*sides, info=info)
    return found


def measure_sets(sets: Mapping[str, Embeddings], variance: float, **options: Any) -> pd.DataFrame:
    """`measure` of every set, below each other, with the set's name, model, data, loss and gap.

    `gap` is the norm of the gap of all pairs and `outside` that of its part orthogonal to the
    gallery's hull, a mean over the blocks.
    """
    parts = []
    for name, e in sets.items():
        frame = measure(e, variance, **options)
        frame.insert(0, "set", name)
        for key in _ABOUT:
            frame[key] = e.info.get(key)
        frame["pairs"] = len(e.queries)
        frame["gap"] = float(torch.as_tensor(gap_vector(e.queries, e.gallery)).norm())
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def measure(
    embeddings: Embeddings,
    variance: float,
    scorings: Iterable[str] = SCORINGS,
    seed: int = 0,
) -> pd.DataFrame:
    """What each of `CLOSINGS` is worth on answerable queries, a row for each and each scoring.

    The pairs are taken in disjoint blocks of 100, equal items as one; each closing is fitted on the
    block, and Gaussian noise of total `variance` falls on the gallery that it returns. Columns:
    `robustness` (the answer is unchanged by the noise), `right` (the answer under noise is right),
    `accuracy` (without noise), `unchanged` (answers without noise that closing leaves as they
    were), each a mean over the queries of all blocks; `gain` and `right_gain` over the untouched
    embeddings under the same scoring, each with its paired bootstrap error over queries.
    """
    tasks = [distinct_items(block) for block in answerable_blocks(embeddings, BLOCK)]
    noises = {"": GaussianNoise(variance)}
    table = compare_blocks(tasks, CLOSINGS, noises, scorings=list(scorings), seed=seed)
    return table.assign(outside=np.mean([_part_outside(task) for task in tasks]))


def _part_outside(task: Embeddings) -> float:
    return float(MeanShift().fit(task.queries, task.gallery).shift_.norm())
