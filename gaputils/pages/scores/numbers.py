"""What the page's sentences say, by the key that they say it with, and whether they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from torch import Tensor

from gaputils.datasets import DataUnavailable, published_rows
from gaputils.embeddings import Embeddings
from gaputils.pages import typeset
from gaputils.pages.example import at_hand
from gaputils.pages.scores.answers import MISSING, told
from gaputils.pages.scores.cosines import CENTRED, CLOSED, STANDARD, UNTOUCHED, over_models
from gaputils.pages.scores.means import text_domains
from gaputils.pages.scores.mixing import norms, third_kind

Frames = Mapping[str, Any]

MODELS = (
    "liang2022-clip-coco",
    *(f"amumo-{name}-coco" for name in ("clip", "cyclip", "cloob", "cloob-laion", "imagebind")),
)
DOMAINS = (
    *("detic-coco", "detic-objects365", "detic-openimages"),
    *("clip-lt-imagenet", "clip-lt-imagenet-2"),
)
OTHER = "the other topic's"


def other_image_mean(e: Embeddings) -> Tensor | None:
    """SpLiCE's mean of other images for the model of `e`, if that is ViT-B/16 and it is at hand."""
    if e.info.get("model") != "OpenAI CLIP ViT-B/16":
        return None
    try:
        return published_rows("splice-image-mean-b16")[0].ravel()
    except DataUnavailable:
        return None


def numbers(e: Embeddings, frames: Frames, labels: int) -> dict[str, str | int]:
    """Every number of the page's prose. `frames` has what the page computed, by name, and `labels`
    is how many labels its classification has.
    """
    return {
        "title": str(e.info["title"]),
        "labels": labels,
        **_cosines(frames),
        **_thresholds(e, frames["areas"], frames["many"], frames["few"]),
        **_labels(frames["fitting"], frames["siglip"]),
        **_mixing(e, frames["averages"], frames["swaps"], frames["left"]),
        **_means(frames["means"], frames["rows"], frames["needed"]),
        "topics_cosine": f"{frames['alike']:.2f}",
    }


def _cosines(frames: Frames) -> dict[str, str | int]:
    pairs = frames["pairs"]
    match, other = pairs.loc["an image and its text"], pairs.loc["an image and another text"]
    several = over_models(at_hand(MODELS).items())
    matched = several["matched"] if len(several) else pd.Series(dtype=float)
    return {
        "match": f"{match['mean']:.2f}",
        "other": f"{other['mean']:.2f}",
        "texts": f"{pairs.loc['two texts', 'mean']:.2f}",
        "match_centred": f"{match['centred mean']:.2f}",
        "other_centred": f"{abs(other['centred mean']):.2f}",
        "models": len(several),
        "models_least": f"{matched.min():.2f}" if len(matched) else MISSING,
        "models_most": f"{matched.max():.2f}" if len(matched) else MISSING,
    }


def _thresholds(
    e: Embeddings, areas: pd.DataFrame, many: pd.DataFrame, few: pd.DataFrame
) -> dict[str, str | int]:
    plain: Any = areas.loc[UNTOUCHED]
    cut: Any = many.loc[UNTOUCHED]
    values: dict[str, str | int] = {
        "auroc": told(plain["match"], plain["match_error"]),
        "present": told(plain["present"], plain["present_error"]),
        "wrong": len(e.gallery) - 1,
        "passed": f"{cut['passed']:.0f}",
        "most": int(cut["most"]),
        "precision": f"{100 * cut['precision']:.1f} %",
        "high": told(*few.loc[UNTOUCHED, ["precision", "precision_error"]]),
    }
    for key, name in (("centred", CENTRED), ("closed", CLOSED), ("standard", STANDARD)):
        row: Any = areas.loc[name]
        gains = {"auroc": ("match", 4), "present": ("present", 3)}
        for label, (column, digits) in gains.items():
            gain, error = row[f"{column}_gain"], row[f"{column}_gain_error"]
            values[f"{label}_{key}"] = told(gain, error, digits, signed=True)
        row = few.loc[name]
        gain, error = row["precision_gain"], row["precision_gain_error"]
        values[f"high_{key}"] = told(gain, error, signed=True)
    return values


def _labels(fitting: pd.DataFrame, siglip: pd.DataFrame) -> dict[str, str | int]:
    plain: Any = fitting.loc["original"]
    more: Any = fitting.loc[CENTRED]
    kept: Any = fitting.loc["hull projection"]
    values: dict[str, str | int] = {
        "fits": f"{plain['fits']:.2f}",
        "none": f"{plain['none']:.2f}",
        "none_centred": f"{more['none']:.2f}",
        "told": told(plain["told"], plain["told_error"]),
        "told_cosine": told(plain["told_cosine"], plain["told_cosine_error"]),
        "told_gain": told(plain["told_gain"], plain["told_gain_error"], signed=True),
        "changed": typeset(f"{kept['changed']:.0e}"),
    }
    for key, column, form in (
        ("half", "cosine", ".3f"),
        ("largest", "largest", ".3f"),
        ("median", "median", ".0e"),
    ):
        found: Any = siglip.loc["as trained", column] if len(siglip) else MISSING
        told_ = f"{found:{form}}" if len(siglip) else MISSING
        values[f"siglip_{key}"] = typeset(told_)
    return values


def _mixing(
    e: Embeddings, averages: pd.DataFrame, swaps: pd.DataFrame, left: float
) -> dict[str, str | int]:
    half = averages[averages["share"] == 0.5].set_index("way")
    ends = averages[averages["way"] == "original"].set_index("share")
    third = third_kind(e)["mean"]
    norm, _ = norms()
    forms = {"least": ".1f", "most": ".1f", "cosine": ".3f", "product": ".3f"}
    forms["average"] = ".5f"
    return {
        "average_half": told(*half.loc["original", ["right", "error"]]),
        "average_gain": told(*half.loc[CENTRED, ["gain", "gain_error"]], signed=True),
        "average_image": told(*ends.loc[0, ["right", "error"]]),
        "average_text": told(*ends.loc[1, ["right", "error"]]),
        "average_more": told(*ends.loc[0.75, ["right", "error"]]),
        "third_text": f"{third['texts']:.2f}",
        "third_both": f"{third['image and text averaged']:.2f}",
        "third_image": f"{third['images']:.2f}",
        "swap": told(*swaps.loc["text as it is", ["found", "error"]]),
        "swap_chance": f"{float(swaps['found']['chance']):.3f}",
        "swap_gain": told(*swaps.loc["text moved by the gap", ["gain", "gain_error"]]),
        "swap_centred": told(*swaps.loc[CENTRED, ["gain", "gain_error"]]),
        "swap_left": f"{left:.2f}",
        **{f"norm_{key}": f"{norm[key]:{f}}" if norm else MISSING for key, f in forms.items()},
    }


def _means(means: pd.DataFrame, rows: pd.DataFrame, needed: float) -> dict[str, str | int]:
    gains = means[["gain", "gain_error"]]
    domains, _ = text_domains(DOMAINS, "splice-image-mean-b32")
    fewest, most = rows.iloc[0], rows.iloc[-1]
    return {
        "mean_own": told(*gains.loc["the topic's own"], signed=True),
        "mean_other": told(*gains.loc[OTHER], signed=True),
        "rows_needed": f"{needed:.2f}",
        "rows_first": told(fewest["gain"], fewest["gain_error"], signed=True),
        "rows_last": told(most["gain"], most["gain_error"], signed=True),
        "rows_least": int(fewest["rows"]),
        "rows_most": int(most["rows"]),
        "rows_left": f"{most['left']:.2f}",
        "domains": len(domains),
        "domains_least": f"{domains['cosine'].min():.3f}" if len(domains) else MISSING,
        "domains_most": f"{domains['farthest'].max():.2f}" if len(domains) else MISSING,
    }


def claims(frames: Frames) -> dict[str, bool]:
    """The page's sentences, and whether the run bears them out."""
    pairs, areas, many, few = (frames[name] for name in ("pairs", "areas", "many", "few"))
    fitting = frames["fitting"]
    averages, swaps, means, rows = (frames[name] for name in ("averages", "swaps", "means", "rows"))
    match = pairs.loc["an image and its text"]
    gain, present = areas["match_gain"], areas[["present_gain", "present_gain_error"]].iloc[1:]
    plain, centred = fitting.loc["original"], fitting.loc[CENTRED]
    right = averages[averages["way"] == "original"].set_index("share")["right"]
    other, fewest = means.loc[OTHER], rows.iloc[0]
    taken = [CENTRED, STANDARD]
    return {
        "unrelated captions are more alike than a pair": pairs.loc["two texts", "mean"]
        > match["mean"],
        "pairs lie right of nearly all else once centred": match["centred mean"]
        > 1.9 * pairs["centred spread"].iloc[1:].max(),
        "closing does nothing for a threshold": bool((gain[[CENTRED, CLOSED]].abs() < 0.001).all()),
        "z-scores are worth less than a hundredth": 0 < gain[STANDARD] < 0.01,
        "nothing changes a high threshold beyond about two errors": bool(
            (few["precision_gain"].abs() <= 2.25 * few["precision_gain_error"]).all()
        ),
        "no closing helps a high threshold": bool(
            (few.loc[[CENTRED, CLOSED], "precision_gain"] <= 0).all()
        ),
        "a flat cutoff is mostly wrong": many.loc[UNTOUCHED, "precision"] < 0.1,
        "standardising and z-scores do harm to telling whether it is there": bool(
            (
                present.loc[taken, "present_gain"] < -2 * present.loc[taken, "present_gain_error"]
            ).all()
        ),
        "the centred projection does no good there": present.loc[CLOSED, "present_gain"]
        < 2 * present.loc[CLOSED, "present_gain_error"],
        "three quarters of the name are the most": right[0.75] == right.max(),
        "the gaps of topics are more alike than 0.9": frames["alike"] > 0.9,
        "means of hundreds gain nothing": rows.iloc[-1]["gain"] < 2 * rows.iloc[-1]["gain_error"],
        "the largest cosine tells better than the largest probability": plain["told_gain"]
        > 2 * plain["told_gain_error"],
        "the projection changes no probability": fitting.loc["hull projection", "changed"] < 1e-9,
        "taking means away makes wrong probabilities more certain": centred["none"] > plain["none"],
        "averages beat drawings": right[0.5] > right[0.0] + 0.05,
        "a caption finds few of an image's neighbours": swaps["found"].iloc[0] < 0.5,
        "means of the wrong topic cost answers": other["gain"] < -2 * other["gain_error"],
        "one pair's means cost answers": fewest["gain"] < -2 * fewest["gain_error"],
        "the gap that is left is as predicted": bool(
            ((rows["left"] / rows["predicted"] - 1).abs() < 0.1).all()
        ),
    }
