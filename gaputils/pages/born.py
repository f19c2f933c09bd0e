"""One data set through every checkpoint of a training: cosines, gap and robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, integer, unit_rows
from gaputils.closing import HullProjection, MeanShift
from gaputils.closing.catalogue import Closings
from gaputils.datasets.base import ClassificationDataset
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_classes
from gaputils.evaluation.compare import compare_closings
from gaputils.geometry import gap_vector
from gaputils.models.model import Model
from gaputils.noise.perturbations import GaussianNoise
from gaputils.tasks import zero_shot
from gaputils.tiny_openmoji.checkpoints import DATA

CLOSINGS: Closings = {
    "original": None,
    "mean shift": MeanShift(),
    "hull projection": HullProjection(),
}
PAIRS = {
    "two images": ("image", "image"),
    "two texts": ("text", "text"),
    "image and text": ("image", "text"),
}


def cosine_sample(e: Embeddings, pairs: int = 4000, seed: Seed = 0) -> pd.DataFrame:
    """Cosines of `pairs` random pairs of each kind, two different items each.

    Columns: "pairs" (the keys of `PAIRS`), "cosine". A cone is a side whose own cosines are high;
    a gap is a third kind that is lower than both. Raises `ValueError` for a side of one row or
    with a row of norm zero.
    """
    integer("pairs", pairs, low=1)
    generator = as_generator(seed)
    unit = {"image": unit_rows("queries", e.queries), "text": unit_rows("gallery", e.gallery)}
    for name, rows in (("queries", e.queries), ("gallery", e.gallery)):
        if len(rows) < 2:
            raise ValueError(f"{name}: expected at least 2 rows to make pairs, got 1")
    frames = []
    for meaning, (one, other) in PAIRS.items():
        first = torch.randint(len(unit[one]), (pairs,), generator=generator)
        away = torch.randint(1, len(unit[other]), (pairs,), generator=generator)
        second = (first + away) % len(unit[other])
        cosine = (unit[one][first] * unit[other][second]).sum(1)
        frames.append(pd.DataFrame({"pairs": meaning, "cosine": cosine.cpu().numpy()}))
    return pd.concat(frames, ignore_index=True)


def gap_and_robustness(history: Mapping[int, Embeddings], noise: GaussianNoise) -> pd.DataFrame:
    """Gap, clean accuracy and exact robustness at each step, before and after closing.

    One row a step and closing ("original", "mean shift", "hull projection"), with the columns of
    `compare_closings` under Euclidean scoring, the `step` and its `gap_norm`. Raises `ValueError`
    if a step's embeddings have no targets.
    """
    parts = []
    for step, e in history.items():
        if e.targets is None:
            raise ValueError(f"history: expected targets at every step, got none at step {step}")
        frame = compare_closings(
            e.queries,
            e.gallery,
            CLOSINGS,
            {"noise": noise},
            targets=e.answers,
            scorings=["euclidean"],
        )
        gap = float(gap_vector(e.queries, e.gallery).norm())
        parts.append(frame.assign(step=step, gap_norm=gap))
    return pd.concat(parts, ignore_index=True)


def accuracy_by_template(
    model: Model, images: Tensor, dataset: ClassificationDataset, templates: Sequence[str]
) -> list[float]:
    """Zero-shot accuracy of embedded `images` of `dataset` with each template by itself."""
    texts = embed_classes(model, dataset.class_names, templates, ensemble=False)
    return [
        float(zero_shot(Embeddings(images, texts[:, which], dataset.targets))["top1"])
        for which in range(len(templates))
    ]


def recorded() -> pd.DataFrame:
    """The shipped recordings: one row a recorded step, seed and setting of the logit scale.

    `setting` is "fixed at 100" (the recipe of `tiny-openmoji`; seed 0 is the shipped model),
    "fixed at 14" or "learned from 14" (both on the recipe's schedule, ended at step 400) or
    "annealed" (at 100, twice as long, until the learning rate is 0); the other columns are those
    of `measure` with the step and the losses.
    """
    return pd.read_csv(DATA / "trajectories.csv")


def one_row_a_run(results: pd.DataFrame) -> pd.DataFrame:
    """Runs of the page *One model in numbers*, one row each: parameters, values, `name`, `kind`.

    `kind` is "published", "published, random", "training history", "trained for this page" or, for
    a model that was loaded with weights of its own, "pretrained".
    """
    rows = results[results["page"] == "one_model"]
    values = rows.pivot(index="run", columns="name", values="value").drop(columns="one_name")
    names = rows[rows["name"] == "one_name"].set_index("run")["text"].astype(str)
    given = [c for c in rows.columns if c not in ("page", "name", "value", "text")]
    parameters = rows[given].drop_duplicates("run").set_index("run")
    frame = parameters.join(values)
    frame.insert(0, "name", names)
    frame.insert(0, "kind", [_kind(row) for row in parameters.to_dict("records")])
    return frame.sort_values(["kind", "name"]).reset_index(drop=True)


def _kind(parameters: dict[Any, Any]) -> str:
    published = parameters.get("published")
    if isinstance(published, str) and published:
        return "published, random" if published.endswith("-random") else "published"
    weights, trained = parameters.get("pretrained"), parameters.get("train_steps")
    if isinstance(weights, str) and weights:
        return "pretrained"
    return "trained for this page" if trained and not pd.isna(trained) else "training history"
