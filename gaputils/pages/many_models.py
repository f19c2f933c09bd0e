"""Thirty real models: what their gains have to do with their gaps, as a table and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.protocol import answerable_blocks, mean_over_groups, paired_gain
from gaputils.pages import glue, typeset, with_error
from gaputils.pages.born import one_row_a_run
from gaputils.pages.gains import BLOCK, CLOSINGS, OURS, SHIFT, UNTOUCHED, short_title
from gaputils.pages.survival import distinct_items
from gaputils.scoring import nearest
from gaputils.sweep.results import load_results

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
EXACT_TO = 1e-4
"""The error that `robustness` promises: a smaller gain is none that was seen."""
NARROW = 0.5
"""The gap below which one is called narrow."""
_DRAWN = [
    *("set", "model", "data", "trained", "gap"),
    *("closing", "scoring", "gain", "gain_error"),
]
_DEFAULTS: dict[Any, Any] = {"variance": 0.04, "dataset": "openmoji"}
_SWEPT = {SHIFT: "mean_shift", OURS: "hull_projection_centred"}
_OF_ABLATION = (
    *("ablation", "ablation_gap_least", "ablation_gap_most", "ablation_gap_recall"),
    *("ablation_gap_recall_least", "ablation_gap_recall_most"),
    *("ablation_ratio_least", "ablation_ratio_most", "ablation_recall", "ablation_recall_hopfield"),
    *("stuck_gap", "stuck_outside", "stuck_gain"),
)


def one_row_a_set(
    frame: pd.DataFrame, closing: str = SHIFT, scoring: str = "cosine"
) -> pd.DataFrame:
    """The rows of trained models under one closing and scoring."""
    chosen = frame["trained"] & (frame["closing"] == closing) & (frame["scoring"] == scoring)
    return frame[chosen].set_index("set")


def with_sweep(frame: pd.DataFrame, results: str | Path | None, variance: float) -> pd.DataFrame:
    """`frame` and below it the pretrained models of a sweep, at this `variance`, for `gain_by`.

    `results` is the sweep's ``results.parquet``; without one `frame` stays as it is. Raises
    `ValueError` if it has no pretrained model at that variance.
    """
    if not results:
        return frame
    runs = one_row_a_run(load_results(results))
    runs = runs.reindex(columns=[*dict.fromkeys([*runs.columns, *_DEFAULTS])]).fillna(_DEFAULTS)
    found = runs[(runs["kind"] == "pretrained") & (runs["variance"] == variance)]
    if found.empty:
        raise ValueError(f"results: {results} has no pretrained model at variance {variance:g}")
    rows = [
        {
            "set": run["name"],
            "model": f"{run['model']}, {run['pretrained']}",
            "data": run["dataset"],
            "trained": True,
            "gap": run["one_gap_norm"],
            "closing": closing,
            "scoring": scoring,
            "gain": run[f"one_gain_{key}_{scoring}"],
            "gain_error": run[f"one_gain_error_{key}_{scoring}"],
        }
        for run in found.to_dict("records")
        for closing, key in _SWEPT.items()
        for scoring in ("cosine", "euclidean")
        if f"one_gain_{key}_{scoring}" in found
    ]
    swept = pd.DataFrame(rows, columns=_DRAWN).dropna(subset="gain")
    return pd.concat([frame, swept], ignore_index=True)


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
            f"+ {OURS}": _gains(ours, "gain"),
            "right": before["right"].map("{:.2f}".format),
            f"+ {OURS} ": _gains(ours, "right_gain"),
        }
    ).set_index(
        pd.Index(
            map(short_title, before["model"], before["data"], before.index), name="model, data"
        )
    )


def _gains(rows: pd.DataFrame, column: str) -> pd.Series[str]:
    pairs = zip(rows[column], rows[f"{column}_error"], strict=True)
    told = [with_error(gain, error, signed=True) for gain, error in pairs]
    return pd.Series(told, index=rows.index)


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
    rows = rows.assign(way=rows["loss"] + hopfield, cell=cells).rename(columns={"way": "loss "})
    return rows.pivot(index="loss ", columns="trained_on", values="cell").rename_axis(None, axis=1)


def numbers(frame: pd.DataFrame) -> dict[str, float | int]:
    """Everything that the page's sentences say, by the key that they say it with."""
    found: dict[str, float | int] = {}
    for scoring in ("cosine", "euclidean"):
        shift, ours = (one_row_a_set(frame, closing, scoring) for closing in (SHIFT, OURS))
        for key, rows in (("shift", shift), ("ours", ours)):
            beyond = (2 * rows["gain_error"]).clip(lower=EXACT_TO)
            found[f"{key}_raised_{scoring}"] = int((rows["gain"] > beyond).sum())
            found[f"{key}_lowered_{scoring}"] = int((rows["gain"] < -2 * rows["gain_error"]).sum())
            right, error = rows["right_gain"], rows["right_gain_error"]
            found[f"{key}_right_raised_{scoring}"] = int((right > 2 * error).sum())
            found[f"{key}_right_lowered_{scoring}"] = int((right < -2 * error).sum())
            narrow = rows.loc[rows["gap"] < NARROW, "gain"]
            found[f"{key}_narrow_{scoring}"] = float(narrow.max()) if len(narrow) else 0.0
            most = rows.nlargest(1, "gain")[["gain", "gain_error"]].iloc[0]
            means: dict[str, Any] = {
                "mean": mean_over_groups(rows["gain"], rows["model"]),
                "most": most,
                "right_mean": mean_over_groups(right, rows["model"]),
            }
            for name, (value, error_of) in means.items():
                found[f"{key}_{name}_{scoring}"] = float(value)
                found[f"{key}_{name}_{scoring}_error"] = float(error_of)
        whole, outside = shift["gap"] ** 2, shift["outside"] ** 2
        for key, x in (("gap", shift["gap"]), ("square", whole), ("outside", outside)):
            r, low, high = correlation(x, shift["gain"], shift["model"])
            found |= {f"r_{key}_{scoring}": r, f"r_{key}_{scoring}_low": low}
            found[f"r_{key}_{scoring}_high"] = high
        more, low, high = correlation(outside, shift["gain"], shift["model"], over=whole)
        found |= {f"r_more_{scoring}": more, f"r_more_{scoring}_low": low}
        found[f"r_more_{scoring}_high"] = high
        lost = 1 - one_row_a_set(frame, UNTOUCHED, scoring)["robustness"]
        found[f"r_lost_{scoring}"] = correlation(shift["gap"], lost, shift["model"])[0]
        r, low, high = correlation(shift["gap"], shift["gain"], shift["model"], given=lost)
        found |= {f"r_partial_{scoring}": r, f"r_partial_{scoring}_low": low}
        found[f"r_partial_{scoring}_high"] = high
        found[f"ours_more_{scoring}"] = int((ours["gain"] >= shift["gain"]).sum())
    rows = one_row_a_set(frame)
    found |= {"sets": len(rows), "models": rows["model"].nunique(), "data": rows["data"].nunique()}
    found |= {"pairs_least": int(rows["pairs"].min()), "unchanged": float(frame["unchanged"].min())}
    product = one_row_a_set(frame, SHIFT, "inner-product")
    found["product_most"] = float(product["gain"].abs().max())
    twins = frame[~frame["trained"] & (frame["closing"] == SHIFT)]
    found["twins"] = int(twins["set"].nunique())
    found["from_amumo"] = int(rows.index.str.startswith("amumo").sum())
    same = ablation(frame)
    if len(same):
        ranks = same["gap"].rank().corr(same["accuracy"].rank())
        found |= {"ablation": len(same), "ablation_gap_recall": float(ranks)}
        within = [
            rows["gap"].rank().corr(rows["accuracy"].rank())
            for _, rows in same.groupby("trained_on")
        ]
        found["ablation_gap_recall_least"] = float(min(within))
        found["ablation_gap_recall_most"] = float(max(within))
        pairs = same.pivot(index=["trained_on", "hopfield"], columns="loss", values="gap")
        ratio = pairs["InfoLOOB"] / pairs["InfoNCE"]
        found |= {"ablation_ratio_least": ratio.min(), "ablation_ratio_most": ratio.max()}
        widest = same.loc[same.groupby(["loss", "hopfield"])["gap"].idxmax(), "trained_on"]
        found["ablation_widest_on_yfcc"] = int(widest.str.startswith("YFCC").sum())
        found["ablation_gap_least"] = float(same["gap"].min())
        found["ablation_gap_most"] = float(same["gap"].max())
        stuck = same.sort_values("outside").iloc[0]
        found |= {f"stuck_{key}": float(stuck[key]) for key in ("gap", "outside", "gain")}
    return found


def recall_by_loss(sets: Mapping[str, Embeddings]) -> dict[str, float]:
    """By how much R@1 of InfoLOOB exceeds that of InfoNCE, and its error, for `numbers`' keys.

    A mean over the training sets of the ablation among `sets`, without the Hopfield retrieval and
    with it. The error is a bootstrap over the queries, which all models of the ablation share;
    nothing where the ablation is not whole.
    """
    hits: dict[bool, dict[str, list[np.ndarray]]] = {}
    for e in sets.values():
        if e.info.get("trained_on") is not None:
            task = distinct_items(answerable_blocks(e, BLOCK)[0])
            hit = nearest(task.queries, task.gallery, "cosine") == known_targets(task)
            by_loss = hits.setdefault(bool(e.info["hopfield"]), {"InfoLOOB": [], "InfoNCE": []})
            by_loss[e.info["loss"]].append(hit.double().cpu().numpy())
    found: dict[str, float] = {}
    for hopfield, by_loss in hits.items():
        losses = by_loss["InfoLOOB"], by_loss["InfoNCE"]
        if len(losses[0]) == len(losses[1]):
            key = f"ablation_recall{'_hopfield' * hopfield}"
            gain, error = paired_gain(*(np.mean(each, axis=0) for each in losses))
            found |= {key: gain, f"{key}_error": error}
    return found


def check(found: Mapping[str, float | int]) -> None:
    """Fail unless the run bears out what the page's sentences say of the published sets."""
    claims = {
        "the shift lowers the robustness of no model": found["shift_lowered_cosine"] == 0
        and found["shift_lowered_euclidean"] == 0,
        "where the gap is narrow the shift hardly gains": found["shift_narrow_cosine"] < 2e-3,
        "the gain of the shift grows with the gap": min(
            found["r_gap_cosine_low"], found["r_gap_euclidean_low"]
        )
        > 0,
        "these models cannot tell the part outside the hull from the whole gap": all(
            found[f"r_more_{s}_low"] <= 0 <= found[f"r_more_{s}_high"]
            for s in ("cosine", "euclidean")
        ),
        "under inner product the shift changes nothing": found["product_most"] < 1e-4,
        "closing changes no answer without noise": found["unchanged"] == 1,
        "projected and centred, most gains are at least the shift's": found["ours_more_cosine"]
        > 0.9 * found["sets"],
        "every loss of the ablation leaves its widest gap on YFCC": found["ablation_widest_on_yfcc"]
        == 4,
        "InfoLOOB leaves the narrower gap": found["ablation_ratio_most"] < 1,
        "the wider gaps of the ablation go with the better recall": found["ablation_gap_recall"]
        > 0.7,
        "without the retrieval InfoLOOB finds fewer captions": found["ablation_recall"]
        < -2 * found["ablation_recall_error"],
        "with it as many": abs(found["ablation_recall_hopfield"])
        <= found["ablation_recall_hopfield_error"],
        "right answers gain less than unchanged ones": found["ours_right_mean_cosine"]
        < found["ours_mean_cosine"] / 2,
        "a gap that cannot be moved gains nothing": found["stuck_gap"] > 0.3
        and abs(found["stuck_gain"]) < 5e-4,
    }
    failed = [claim for claim, holds in claims.items() if not holds]
    if failed:
        raise AssertionError(f"the run does not bear out: {'; '.join(failed)}")


def glue_numbers(found: Mapping[str, float | int]) -> None:
    """Make `found` available to the prose under "many_" and each key, gains with three digits or
    their error, other shares with two, and a dash for what only the published sets can tell.
    """
    for key in set(_OF_ABLATION) - set(found):
        glue(f"many_{key}", "–")
    for key, value in found.items():
        if f"{key}_error" in found:
            told = with_error(value, found[f"{key}_error"], signed=True)
            glue(f"many_{key}", told)
            continue
        digits = (
            3
            if any(
                part in key for part in ("_mean_", "_most_", "_narrow_", "stuck_outside", "_gain")
            )
            else 2
        )
        glue(f"many_{key}", value if isinstance(value, int) else typeset(f"{value:.{digits}f}"))


def describe(sets: Mapping[str, Embeddings], missing: Mapping[str, str]) -> str:
    """Which published sets the page lacks and how to get them; nothing if it has all."""
    if not missing:
        return ""
    first = next(iter(missing.values()))
    lost = f"{len(missing)} of {len(sets) + len(missing)} published sets are not at hand ({first})"
    if sets:
        return f"{lost} The page goes on with the other {len(sets)}; its sentences are about all."
    return (
        f"{lost} The page goes on with the steps of this book's own small model: its figures and "
        "tables show that, and its sentences are about the published sets."
    )


def correlation(
    x: Any,
    y: Any,
    groups: Any,
    resamples: int = 2000,
    seed: int = 0,
    *,
    over: Any = None,
    given: Any = None,
) -> tuple[float, float, float]:
    """Pearson's r of `x` (n,) and `y` (n,) and its 95 % bootstrap interval over `groups` (n,).

    Points of one group are drawn together: two data sets of one model are no independent evidence.
    With `over` (n,) it is the r of `x` less that of `over`, both over the same draws; with `given`
    (n,) the partial r, that variable held.

    >>> r, low, high = correlation([0, 1, 2, 4], [0, 1, 2, 4], groups=["a", "b", "c", "d"])
    >>> round(r, 6), round(low, 6), round(high, 6)
    (1.0, 1.0, 1.0)
    """
    of_group = pd.factorize(np.asarray(groups))[0]
    count = int(of_group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    weights = np.vstack([np.ones(len(of_group)), drawn[:, of_group]])
    weights = weights / weights.sum(axis=1, keepdims=True)
    r = _weighted_correlation(x, y, weights)
    if over is not None:
        r = r - _weighted_correlation(over, y, weights)
    if given is not None:
        of_x, of_y = (_weighted_correlation(given, value, weights) for value in (x, y))
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (r - of_x * of_y) / np.sqrt((1 - of_x**2) * (1 - of_y**2))
    low, high = np.nanpercentile(r[1:], [2.5, 97.5])
    return float(r[0]), float(low), float(high)


def _weighted_correlation(x: Any, y: Any, weights: np.ndarray) -> np.ndarray:
    columns = [np.asarray(value, dtype=float) for value in (x, y)]
    a, b = (column - weights @ column[:, None] for column in columns)
    products = [(weights * u * v).sum(axis=1) for u, v in ((a, b), (a, a), (b, b))]
    with np.errstate(invalid="ignore"):
        r: np.ndarray = products[0] / np.sqrt(products[1] * products[2])
    return r
