"""The gap of real models: its measures, its direction beside others, and gaps of one-sided sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.closing import MeanShift
from gaputils.datasets import DataUnavailable, load, published, published_rows
from gaputils.embeddings import Embeddings, known_targets
from gaputils.encoding.embed import embed
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.geometry import Moments, gap_vector, measure_gap, principal_coordinates
from gaputils.geometry.moments import moment_measures
from gaputils.models import load_model, training_steps
from gaputils.pages.gains import short_title
from gaputils.tasks import retrieval

SHOWN = {
    "gap_norm": "gap",
    "matched_cosine": "cosine of pairs",
    "unmatched_cosine": "of others",
    "effective_rank_queries": "rank of images",
    "effective_rank_gallery": "rank of texts",
    "queries_recall@1": "R@1",
}
_STEP = "small model, step"
RANKS = ["rank of images", "rank of texts"]
DIRECTION = [
    *("gap_norm", "emptier_than_gap_queries", "emptier_than_gap_gallery"),
    *("gap_angle_queries", "gap_angle_gallery"),
]
RELATIVE = {
    "rmg_schrodi": "pairs over pairs and spread",
    "rmg_few_dims": "the same, off by four",
    "rmg_centroid": "gap over spread",
}
ONE_SIDED = [
    ("vlpart-lvis", "splice-image-mean-rn50"),
    ("vlpart-paco", "splice-image-mean-rn50"),
    ("clip-lt-imagenet", "splice-image-mean-b32"),
    ("detic-objects365", "splice-image-mean-b32"),
    ("detic-openimages", "splice-image-mean-b32"),
]


def load_pairs(
    families: Sequence[str], model: str, dataset: str, template: str, steps: Sequence[int] = ()
) -> tuple[dict[str, Embeddings], dict[str, str]]:
    """The published `families` that can be had and `model` at `steps` of its training (all).

    A short label for each, and for those that cannot be had the reason.
    """
    pairs, missing = {}, {}
    for name in families:
        try:
            e = published(name)
        except DataUnavailable as error:
            missing[name] = str(error)
        else:
            pairs[short_title(e.info["model"], e.info["data"])] = e
    drawn = load(dataset)
    history: Sequence[int | None] = steps or (
        training_steps() if model == "tiny-openmoji" else [None]
    )
    for step in history:
        label = model if step is None else f"{_STEP} {step}"
        pairs[label] = embed(load_model(model, step=step), drawn, templates=template)
    return pairs, missing


def measures(pairs: Mapping[str, Embeddings], rows: int, seed: int = 0) -> pd.DataFrame:
    """Every measure of the gap and recall@1, a row each, for each of `pairs`, a column each."""
    columns = {}
    for name, e in pairs.items():
        found = measure_gap(e, max_rows=rows, seed=seed)
        columns[name] = pd.concat([pd.Series(found), retrieval(e, (1,))])
    return pd.DataFrame(columns)


def directions(sets: Mapping[str, Embeddings], seed: int = 0) -> pd.DataFrame:
    """Where each gap points, a row a set: its angle to either hull beside that of a random
    direction, and the share of random directions that are emptier on either side.
    """
    found = {}
    for name, e in sets.items():
        queries, gallery = Moments.of(e.queries), Moments.of(e.gallery)
        found[name] = {
            **moment_measures(queries, gallery, DIRECTION, seed=seed),
            "angle_random": angle_of_a_random_direction(gallery),
            "trained": e.info.get("trained", True),
        }
    return pd.DataFrame.from_dict(found, orient="index").infer_objects()


def angle_of_a_random_direction(moments: Moments) -> float:
    """Degrees between a random direction and the hull of rows with `moments`, by its dimension."""
    return math.degrees(math.asin(math.sqrt((moments.dim - moments.rank) / moments.dim)))


def outside_the_hull(e: Embeddings) -> float:
    """Share of the gap's length that is orthogonal to the gallery's hull: what a shift can use."""
    shift = MeanShift().fit(e.queries, e.gallery).shift_
    return float(shift.norm() / gap_vector(e.queries, e.gallery).double().norm())


def farther_than_the_gap(e: Embeddings) -> tuple[float, float]:
    """Share of pairs of two queries, and of two gallery items, that are farther apart than the
    means of the two sides are.
    """
    gap = gap_vector(e.queries, e.gallery).norm()
    first, second = (
        float((torch.pdist(side) > gap).double().mean()) for side in (e.queries, e.gallery)
    )
    return first, second


def along_the_gap(pairs: Mapping[str, Embeddings]) -> list[str]:
    """Those of `pairs` whose gap lies along the first principal component of both sides."""
    found = []
    for name, e in pairs.items():
        frame = principal_coordinates(e, 1, rows=len(e.queries))
        means = frame.groupby("side")["pc1"].mean()
        gap = float(gap_vector(e.queries, e.gallery).norm())
        if abs(means["queries"] - means["gallery"]) > 0.9 * gap:
            found.append(name)
    return found


def coordinates(pairs: Mapping[str, Embeddings], rows: int = 300) -> pd.DataFrame:
    """The first two principal coordinates of each of `pairs`, stacked, with a column `model`."""
    frames = [
        principal_coordinates(e, 2, rows=rows).assign(model=name) for name, e in pairs.items()
    ]
    return pd.concat(frames)


def shares(measured: pd.DataFrame) -> pd.DataFrame:
    """Shares of variance along the gap, random directions and the leading component, tidy."""
    directions = ("gap", "random", "leading")
    rows = [
        {"model": name, "side": side, "direction": kind, "share": share}
        for name, column in measured.items()
        for side in ("queries", "gallery")
        for kind in directions
        for share in [column[f"variance_share_{kind}_{side}"]]
    ]
    return pd.DataFrame(rows)


def table(measured: pd.DataFrame) -> pd.DataFrame:
    """Six measures of each model, a row each, under names for people; ranks as whole numbers."""
    shown = measured.loc[list(SHOWN)].rename(index=SHOWN).T.rename_axis("model")
    return shown.assign(**{name: shown[name].round().astype(int) for name in RANKS})


def ends(measured: pd.DataFrame) -> pd.DataFrame:
    """The columns of `measured` but for the steps between a training's first and last."""
    steps = [name for name in measured if ", step " in str(name)]
    return measured.drop(columns=steps[1:-1])


def relative_table(measures_of_one: pd.Series[float]) -> pd.DataFrame:
    """The three relative gaps of one model."""
    rows = [(RELATIVE[name], name, measures_of_one[name]) for name in RELATIVE]
    return pd.DataFrame(rows, columns=["what is divided by what", "name", "value"])


def one_sided() -> tuple[pd.DataFrame, dict[str, str]]:
    """Gaps of sets whose sides were published apart: texts of classes and the mean of images, and
    the one sigmoid model, whose images and prompts do not pair. A row each; and what is missing.
    """
    rows, missing = [], {}
    for texts, images in ONE_SIDED:
        try:
            gallery, about = published_rows(texts, normalize=True)
            mean, _ = published_rows(images)
        except DataUnavailable as error:
            missing[texts] = str(error)
        else:
            rows.append(_gap_row(about, mean.double(), gallery, "a mean"))
    try:
        e = published("siglip2-naflex")
    except DataUnavailable as error:
        missing["siglip2-naflex"] = str(error)
    else:
        images_, texts_ = e.queries.double(), e.gallery.double()
        rows.append(_gap_row(e.info, images_, texts_, str(len(images_))))
    columns = ["model", "texts", "number", "images", "loss", "gap"]
    return pd.DataFrame(rows, columns=columns), missing


def _gap_row(info: Mapping[str, Any], images: Tensor, texts: Tensor, of: str) -> tuple[Any, ...]:
    gap = float((images.mean(0) - texts.mean(0)).norm())
    return info["model"], info["data"], len(texts), of, info["loss"], gap


def numbers(
    measured: pd.DataFrame, pairs: Mapping[str, Embeddings], found: pd.DataFrame
) -> dict[str, float | int | str]:
    """What the page's sentences say, by the key that they say it with.

    They speak of the first of `pairs`, or of the last if all are steps of one training.
    """
    others = (name for name in pairs if not name.startswith(_STEP))
    subject = next(others, list(pairs)[-1])
    e, first = pairs[subject], measured[subject]
    along = along_the_gap(pairs)
    exceptions = [name for name in pairs if name not in along]
    farther = farther_than_the_gap(e)
    trained = found[found["trained"]]
    sides = [f"emptier_than_gap_{side}" for side in ("queries", "gallery")]
    angles = trained[["gap_angle_queries", "gap_angle_gallery"]]
    fuller = (trained[sides] > 0.5).all(axis=1)
    emptier = list(trained.index[~fuller])
    spectrum = principal_coordinates(e).attrs["shares"]
    apart = e.queries - e.gallery[known_targets(e)]
    return {
        "subject": subject,
        "models": len(pairs),
        "first_is_gap": len(along),
        "others": ", ".join(exceptions),
        "pc1": 100 * spectrum[0],
        "pc2": 100 * spectrum[1],
        "farther_images": 100 * farther[0],
        "farther_texts": 100 * farther[1],
        "gap": first["gap_norm"],
        "separable": 100 * measured.loc["linear_separability"].min(),
        "gap_separable": 100 * measured.loc["gap_separability"].min(),
        "matched": first["matched_cosine"],
        "unmatched": first["unmatched_cosine"],
        "share_images": 100 * first["variance_share_gap_queries"],
        "share_texts": 100 * first["variance_share_gap_gallery"],
        "share_average": 100 * first["variance_share_average"],
        "emptier_images": 100 * first["emptier_than_gap_queries"],
        "emptier_texts": 100 * first["emptier_than_gap_gallery"],
        "sets": len(trained),
        "fuller": int(fuller.sum()),
        "emptied": ", ".join(emptier),
        "angle_least": float(angles.min().min()),
        "angle_most": float(angles.max().max()),
        "angle_below": int((angles.max(axis=1) < trained["angle_random"]).sum()),
        "angle_images": first["gap_angle_queries"],
        "angle_texts": first["gap_angle_gallery"],
        "angle_random": angle_of_a_random_direction(Moments.of(e.gallery)),
        "outside": outside_the_hull(e),
        "inside": math.sqrt(max(0.0, 1 - outside_the_hull(e) ** 2)),
        "items": len(e.gallery),
        "gap_error": float(np.linalg.norm(bootstrap_means(apart), axis=1).std()),
        "r1_images": first["queries_recall@1"],
        "r1_texts": first["gallery_recall@1"],
        "r1_images_error": _of_share(first["queries_recall@1"], len(e.queries)),
        "r1_texts_error": _of_share(first["gallery_recall@1"], len(e.gallery)),
    }


def _of_share(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)


def lost(missing: Mapping[str, str]) -> str:
    """What to say of published embeddings that are `missing`; nothing if none are."""
    if not missing:
        return ""
    return (
        f"Of the published embeddings {len(missing)} are not at hand. What is shown stops at those "
        f"that are; sentences are about all. {next(iter(missing.values()))}"
    )
