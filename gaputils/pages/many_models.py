"""Thirty real models: what closing is worth on each, and what its gap has to do with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.datasets import DataUnavailable, load, published, published_sources
from gaputils.embed import embed
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import answerable_blocks, distinct_items, paired_gain
from gaputils.geometry import gap_vector
from gaputils.models import load_model, training_steps
from gaputils.noise import GaussianNoise
from gaputils.pages import glue
from gaputils.robustness import accuracy_under_noise, estimate, robustness
from gaputils.scoring import SCORINGS, nearest

UNTOUCHED, SHIFT, OURS = "untouched", "mean shift", "projected and centred"
CLOSINGS: dict[str, Closing | None] = {
    UNTOUCHED: None,
    SHIFT: MeanShift(),
    OURS: HullProjection(center=True),
}
BLOCK = 100
SHOWN = [
    "liang2022-clip-coco",
    "liang2022-videoclip-msrvtt",
    "amumo-clip-coco",
    "amumo-cyclip-diffusiondb",
    "amumo-imagebind-coco",
    "amumo-imagebind-triplet-image-text",
    "amumo-cloob-laion-coco",
    "amumo-cloome-cloob-cells",
]
ABLE = 0.6
"""R@1 from which models of the ablation count as nearly equally able."""

_OF_ABLATION = (
    *("ablation", "ablation_able", "ablation_gap_least", "ablation_gap_most"),
    *("ablation_right_least", "ablation_right_most", "stuck_gap", "stuck_outside", "stuck_gain"),
)
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


def own_checkpoints(pairs: int = 500) -> dict[str, Embeddings]:
    """The book's own model at each step of its training on emoji: what goes on where all else is
    missing.
    """
    emoji, found = load("openmoji"), {}
    for step in training_steps():
        e = embed(load_model("tiny-openmoji", step=step), emoji, templates="an emoji of a {}.")
        info = {"model": f"tiny-openmoji, step {step}", "data": "OpenMoji", "trained": step > 0}
        sides = e.queries[:pairs].double(), e.gallery[:pairs].double()
        found[info["model"]] = Embeddings(*sides, info=info)
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
    draws: int = 200,
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
    noise = GaussianNoise(variance)
    tasks = [distinct_items(block) for block in answerable_blocks(embeddings, BLOCK)]
    sides = {name: [_close(closing, task) for task in tasks] for name, closing in CLOSINGS.items()}
    targets = [task.targets for task in tasks]
    outside = np.mean([_part_outside(task) for task in tasks])
    rows = []
    for scoring in scorings:
        found = {
            name: torch.cat([nearest(*pair, scoring) for pair in pairs])
            for name, pairs in sides.items()
        }
        survival = {
            name: _survival(pairs, targets, noise, scoring, draws, seed)
            for name, pairs in sides.items()
        }
        for name in CLOSINGS:
            row: dict[str, Any] = {"closing": name, "scoring": scoring, "outside": outside}
            for column in ("robustness", "right"):
                values = survival[name][column]
                row[column] = float(values.mean())
                key = "gain" if column == "robustness" else "right_gain"
                gain = paired_gain(values, survival[UNTOUCHED][column], seed=seed)
                row[key], row[f"{key}_error"] = gain
            row["accuracy"] = float((found[name] == torch.cat(targets)).double().mean())
            row["unchanged"] = float((found[name] == found[UNTOUCHED]).double().mean())
            rows.append(row)
    return pd.DataFrame(rows)


def _close(closing: Closing | None, task: Embeddings) -> tuple[Tensor, Tensor]:
    if closing is None:
        return task.queries, task.gallery
    return closing.fit(task.queries, task.gallery).transform(task.queries, task.gallery)


def _part_outside(task: Embeddings) -> float:
    return float(MeanShift().fit(task.queries, task.gallery).shift_.norm())


def _survival(
    pairs: Sequence[tuple[Tensor, Tensor]],
    targets: Sequence[Any],
    noise: GaussianNoise,
    scoring: str,
    draws: int,
    seed: int,
) -> dict[str, Tensor]:
    """Per query of all blocks: the probability that its answer is unchanged, and that it is right."""
    each = [
        _of_block(*pair, wanted, noise, scoring, draws, seed)
        for pair, wanted in zip(pairs, targets, strict=True)
    ]
    return {
        name: torch.cat([block[k] for block in each])
        for k, name in enumerate(("robustness", "right"))
    }


def _of_block(
    queries: Tensor,
    gallery: Tensor,
    wanted: Tensor,
    noise: GaussianNoise,
    scoring: str,
    draws: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    if scoring == "cosine":
        options: dict[str, Any] = {"scoring": scoring, "draws": draws, "seed": seed}
        kept, right = estimate(queries, gallery, noise, targets=wanted, **options)
        assert right is not None
        return kept.per_query.double(), right.per_query.double()
    return (
        robustness(queries, gallery, noise, scoring=scoring),
        accuracy_under_noise(queries, gallery, wanted, noise, scoring=scoring),
    )


def one_row_a_set(
    frame: pd.DataFrame, closing: str = SHIFT, scoring: str = "cosine"
) -> pd.DataFrame:
    """The rows of trained models under one closing and scoring."""
    chosen = frame["trained"] & (frame["closing"] == closing) & (frame["scoring"] == scoring)
    return frame[chosen].set_index("set")


def correlation(
    x: Any, y: Any, groups: Any, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Pearson's r of `x` (n,) and `y` (n,) and its 95 % bootstrap interval over `groups` (n,).

    Sets of one model are drawn together, since they are no independent evidence.
    """
    of_group = pd.factorize(np.asarray(groups))[0]
    count = int(of_group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    weights = np.vstack([np.ones(len(of_group)), drawn[:, of_group]])
    weights = weights / weights.sum(axis=1, keepdims=True)
    columns = [np.asarray(value, dtype=float) for value in (x, y)]
    a, b = (column - weights @ column[:, None] for column in columns)
    products = [(weights * u * v).sum(axis=1) for u, v in ((a, b), (a, a), (b, b))]
    with np.errstate(invalid="ignore"):
        r = products[0] / np.sqrt(products[1] * products[2])
    low, high = np.nanpercentile(r[1:], [2.5, 97.5])
    return float(r[0]), float(low), float(high)


def table(frame: pd.DataFrame, sets: Sequence[str] | None = None) -> pd.DataFrame:
    """Under cosine, a row for each of `sets` (all): gap, survival, gains with their errors."""
    under = frame[frame["scoring"] == "cosine"]
    if sets is not None and set(sets) & set(under["set"]):
        under = under[under["set"].isin(sets)]
    before, shift, ours = (
        under[under["closing"] == closing].set_index("set") for closing in CLOSINGS
    )
    return pd.DataFrame(
        {
            "gap": before["gap"].map("{:.2f}".format),
            "unchanged": before["robustness"].map("{:.2f}".format),
            "+ mean shift": _gains(shift, "gain"),
            "+ projected and centred": _gains(ours, "gain"),
            "right": before["right"].map("{:.2f}".format),
            "+ projected and centred ": _gains(ours, "right_gain"),
        }
    ).set_index((before["model"] + ", " + before["data"]).rename("model, data"))


def _gains(rows: pd.DataFrame, column: str) -> pd.Series[str]:
    pairs = zip(rows[column], rows[f"{column}_error"], strict=True)
    return pd.Series([f"{gain:+.3f} ± {error:.3f}" for gain, error in pairs], index=rows.index)


def ablation(frame: pd.DataFrame) -> pd.DataFrame:
    """The models that differ in their loss alone, one row each, by loss and training set."""
    rows = one_row_a_set(frame)
    return rows[rows["trained_on"].notna()].sort_values(["trained_on", "loss", "hopfield"])


def ablation_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Gap and R@1 of the ablation: a row for each loss, a column for each training set."""
    rows = ablation(frame)
    hopfield = np.where(rows["hopfield"].astype(bool), " and Hopfield", "")
    cells = [
        f"{gap:.2f} ({right:.2f})" for gap, right in zip(rows["gap"], rows["accuracy"], strict=True)
    ]
    rows = rows.assign(way=rows["loss"] + hopfield, cell=cells)
    return rows.pivot(index="way", columns="trained_on", values="cell").rename_axis(None, axis=1)


def numbers(frame: pd.DataFrame) -> dict[str, float | int]:
    """Everything that the page's sentences say, by the key that they say it with."""
    found: dict[str, float | int] = {}
    for scoring in ("cosine", "euclidean"):
        shift, ours = (one_row_a_set(frame, closing, scoring) for closing in (SHIFT, OURS))
        for key, rows in (("shift", shift), ("ours", ours)):
            found[f"{key}_raised_{scoring}"] = int((rows["gain"] > 2 * rows["gain_error"]).sum())
            found[f"{key}_lowered_{scoring}"] = int((rows["gain"] < -2 * rows["gain_error"]).sum())
            right, error = rows["right_gain"], rows["right_gain_error"]
            found[f"{key}_right_raised_{scoring}"] = int((right > 2 * error).sum())
            found[f"{key}_right_lowered_{scoring}"] = int((right < -2 * error).sum())
            found[f"{key}_mean_{scoring}"] = float(rows["gain"].mean())
            found[f"{key}_most_{scoring}"] = float(rows["gain"].max())
            found[f"{key}_right_mean_{scoring}"] = float(right.mean())
        for key, x in (("gap", shift["gap"]), ("outside", shift["outside"] ** 2)):
            r, low, high = correlation(x, shift["gain"], shift["model"])
            found |= {f"r_{key}_{scoring}": r, f"r_{key}_{scoring}_low": low}
            found[f"r_{key}_{scoring}_high"] = high
        found[f"ours_more_{scoring}"] = int((ours["gain"] >= shift["gain"]).sum())
    rows = one_row_a_set(frame)
    found |= {"sets": len(rows), "models": rows["model"].nunique(), "data": rows["data"].nunique()}
    found |= {"pairs_least": int(rows["pairs"].min()), "unchanged": float(frame["unchanged"].min())}
    product = one_row_a_set(frame, SHIFT, "inner-product")
    found["product_most"] = float(product["gain"].abs().max())
    twins = frame[~frame["trained"] & (frame["closing"] == SHIFT)]
    found["twins"] = int(twins["set"].nunique())
    same = ablation(frame)
    if len(same):
        able = same[same["accuracy"] >= ABLE]
        found |= {"ablation": len(same), "ablation_able": len(able)}
        for key, column in (("gap", "gap"), ("right", "accuracy")):
            found[f"ablation_{key}_least"] = float(able[column].min())
            found[f"ablation_{key}_most"] = float(able[column].max())
        stuck = same.loc[(same["outside"] / same["gap"]).idxmin()]
        found |= {f"stuck_{key}": float(stuck[key]) for key in ("gap", "outside", "gain")}
    return found


def check(found: Mapping[str, float | int]) -> None:
    """Fail unless the run bears out what the page's sentences say of the published sets."""
    claims = {
        "the shift lowers the robustness of no model": found["shift_lowered_cosine"] == 0
        and found["shift_lowered_euclidean"] == 0,
        "the gain of the shift grows with the gap": min(
            found["r_gap_cosine_low"], found["r_gap_euclidean_low"]
        )
        > 0,
        "the part of the gap outside the hull tells the gain better than the gap": all(
            found[f"r_outside_{s}"] > found[f"r_gap_{s}"] for s in ("cosine", "euclidean")
        ),
        "under inner product the shift changes nothing": found["product_most"] < 1e-4,
        "closing changes no answer without noise": found["unchanged"] == 1,
        "projected and centred, most gains are at least the shift's": found["ours_more_cosine"]
        > 0.9 * found["sets"],
        "right answers gain less than unchanged ones": found["ours_right_mean_cosine"]
        < found["ours_mean_cosine"] / 2,
    }
    failed = [claim for claim, holds in claims.items() if not holds]
    if failed:
        raise AssertionError(f"the run does not bear out: {'; '.join(failed)}")


def glue_numbers(found: Mapping[str, float | int]) -> None:
    """Make `found` available to the prose under "many_" and each key, gains with three digits,
    other shares with two, and a dash for what only the published sets can tell.
    """
    for key in _OF_ABLATION:
        glue(f"many_{key}", "–")
    for key, value in found.items():
        digits = 3 if any(part in key for part in ("mean", "most_", "outside_", "gain")) else 2
        glue(f"many_{key}", value if isinstance(value, int) else f"{value:.{digits}f}")


def describe(sets: Mapping[str, Embeddings], missing: Mapping[str, str]) -> str:
    """A sentence that says which models the page is about, and how to get those it lacks."""
    if not missing:
        return f"All {len(sets)} published sets are at hand."
    first = next(iter(missing.values()))
    lost = f"{len(missing)} of {len(sets) + len(missing)} published sets are not at hand ({first})"
    if sets:
        return f"{lost} The page goes on with the other {len(sets)}; its sentences are about all."
    return (
        f"{lost} The page goes on with the steps of this book's own small model: its figures and "
        "tables show that, and its sentences are about the published sets."
    )
