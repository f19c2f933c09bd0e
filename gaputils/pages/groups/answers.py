"""What the page's tables and sentences say, and whether the run bears them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaputils.closing import MeanShift
from gaputils.pages.groups.measures import BASELINE, UNTOUCHED, distances, learn
from gaputils.pages.groups.tasks import Labelled
from gaputils.pages.survival import SCALED, plus_minus

Frames = Mapping[str, pd.DataFrame]
HULL = "hull projection, centred"


def table(frames: Mapping[str, pd.DataFrame], measures: Mapping[str, str]) -> pd.DataFrame:
    """`measures` of each of `frames`, as from `summary`, under names for people, with errors."""

    def heading(title: str, words: str) -> str:
        parts = [title] * (len(frames) > 1) + [words] * (len(measures) > 1 or len(frames) == 1)
        return ", ".join(parts)

    columns = {
        heading(title, words): plus_minus(frame[measure], frame[f"{measure}_error"], 2)
        for title, frame in frames.items()
        for measure, words in measures.items()
    }
    return pd.DataFrame(columns, index=list(next(iter(frames.values())).index))


def distance_table(tasks: Mapping[str, Labelled]) -> pd.DataFrame:
    """`distances` of each task for readers, beside its gap and its rows."""
    rows = {}
    for name, task in tasks.items():
        found = distances(task, (UNTOUCHED, "mean shift", BASELINE))
        rows[name] = {
            "images": len(task.images),
            "texts": len(task.texts),
            "nearest other group": found["nearest"],
            "own other side": found[UNTOUCHED],
            "own, shifted": found["mean shift"],
            "own, centred": found[BASELINE],
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"images": int, "texts": int})


def numbers(
    tasks: Mapping[str, Labelled],
    measured: Frames,
    reverse: pd.DataFrame,
    noisy: pd.DataFrame,
    same: pd.DataFrame,
    draws: int,
) -> dict[str, str | int]:
    """Every number of the page's prose.

    `tasks` and `measured`, as from `summary`, are those of the pairs, the kinds and the ten classes
    in this order; `reverse` is that of the pairs by the groups of their images, `noisy` that of
    `text_only`, and `same` is as from `unmoved`.
    """
    pairs, _, ten = tasks.values()
    photos, kinds, classes = measured.values()
    half = next(pairs.halves(1))[0]
    alone, both = (str(noisy.index[place]) for place in (1, 3))
    changed = same["changed"].to_dict()
    return {
        "title": pairs.title.partition(",")[0],
        "count": pairs.count,
        "copies": int((ten.image_groups == 0).sum()),
        "templates": int((ten.text_groups == 0).sum()),
        "draws": draws,
        "rows": len(half.texts),
        "dim": half.texts.shape[1],
        "left": f"{100 * _left(half):.0f} %",
        **_value(photos, "v_measure", v_before=UNTOUCHED, v_after=BASELINE),
        **_value(photos, "by_side", side_before=UNTOUCHED),
        **_value(kinds, "v_measure", v_kinds_before=UNTOUCHED, v_kinds_after=BASELINE),
        **_gain(photos, "v_measure", v_gain=BASELINE, v_shift="mean shift"),
        **_gain(classes, "v_measure", v_shift_ten="mean shift", v_ten=BASELINE),
        **_value(
            photos, "other_side", other_before=UNTOUCHED, other_after=BASELINE, other_coral="CORAL"
        ),
        **_value(
            photos, "purity", purity_before=UNTOUCHED, purity_after=BASELINE, purity_coral="CORAL"
        ),
        **_value(photos, "text_to_image", t_before=UNTOUCHED, t_after=BASELINE),
        **_gain(photos, "text_to_image", t_gain=BASELINE, t_coral="CORAL"),
        **_value(reverse, "text_to_image", t_image_before=UNTOUCHED, t_image_after=BASELINE),
        **_gain(reverse, "text_to_image", t_image_gain=BASELINE),
        **_gain(photos, "image_to_text", i_hull=HULL, i_means=BASELINE, i_coral="CORAL"),
        **_gain(reverse, "text_to_image", t_image_coral="CORAL"),
        **_gain(
            reverse,
            "image_to_text",
            i_image_hull=HULL,
            i_image_means=BASELINE,
            i_image_coral="CORAL",
        ),
        "probe_images": int(same["images"].iloc[0]),
        "probe_shift": changed["mean shift"],
        "probe_hull": changed[HULL],
        "probe_means": changed[BASELINE],
        "probe_scaled": changed[SCALED],
        "draws_known": f"{100 / (2 * draws - 2) ** 0.5:.0f} %",
        **_gain(noisy, "right", noise_alone=alone, noise_baseline=BASELINE, noise_both=both),
    }


def _left(half: Labelled) -> float:
    """The share of the gap's length that is left by the mean shift."""
    shift = learn(MeanShift(), half)
    assert isinstance(shift, MeanShift)
    gap = half.images.mean(dim=0) - half.texts.mean(dim=0)
    return float((gap - shift.shift_).norm() / gap.norm())


def _value(frame: pd.DataFrame, measure: str, **ways: str) -> dict[str, str]:
    return {
        key: plus_minus([frame.loc[way, measure]], [frame.loc[way, f"{measure}_error"]], 2)[0]
        for key, way in ways.items()
    }


def _gain(frame: pd.DataFrame, measure: str, **ways: str) -> dict[str, str]:
    gain, error = frame[f"{measure}_gain"], frame[f"{measure}_gain_error"]
    return {
        key: plus_minus(gain[[way]], error[[way]], 2, signed=True)[0] for key, way in ways.items()
    }


def claims(
    measured: Frames,
    moving: Frames,
    reverse: pd.DataFrame,
    same: pd.DataFrame,
    apart: pd.DataFrame,
    found: Mapping[str, NDArray[Any]],
) -> dict[str, bool]:
    """The page's sentences, and whether the run bears them out.

    `moving` has the pairs' `over_gap` in front, `apart` is as from `distance_table`, and `found`
    has the clusters that the first figure shows, by way, those of the images in front.
    """
    photos, kinds, classes = measured.values()
    images, texts = np.split(found[UNTOUCHED], 2)
    by_share = next(iter(moving.values()))["v_measure"]
    start, middle, end = np.interp([0.0, 0.5, 1.0], by_share.index, by_share)
    gain, error = photos["v_measure_gain"], photos["v_measure_gain_error"]
    across = photos["other_side"]
    kept = ["mean shift", HULL]
    directions = ("text_to_image", "image_to_text")
    to_kinds: Any = kinds.loc[BASELINE]
    to_classes = classes["v_measure_gain"]
    back: Any = reverse.loc[HULL]
    plain: Any = reverse.loc[BASELINE]
    own: Any = photos.loc[BASELINE]
    other = apart["nearest other group"]
    turned = (apart["own, shifted"] < other).tolist()
    return {
        "untouched, the other side is the longer way": bool(
            (apart["own other side"] > other).all()
        ),
        "after the means it is the shorter way": bool((apart["own, centred"] < other).all()),
        "after the shift it is so for the ten classes alone": turned == [False, False, True],
        "untouched, no cluster holds images and texts": not len(np.intersect1d(images, texts)),
        "photographs gain nothing until half of the gap is closed": middle - start
        < 0.3 * (end - start),
        "means raise the V-measure of photographs": gain[BASELINE] > 2 * error[BASELINE],
        "means raise the V-measure of kinds": to_kinds["v_measure_gain"]
        > 2 * to_kinds["v_measure_gain_error"],
        "the shift and the projection gain nothing where the hull is large": bool(
            (gain[kept] < 2 * error[kept]).all()
        ),
        "on the ten classes the shift gains nearly what means do": to_classes["mean shift"]
        > 0.7 * to_classes[BASELINE],
        "CORAL mixes far more": across["CORAL"] > 2 * across[BASELINE],
        "CORAL loses purity": photos["purity_gain"]["CORAL"] < 0,
        "CORAL gains from texts to images and loses in reverse": photos["text_to_image_gain"][
            "CORAL"
        ]
        > 0
        > photos["image_to_text_gain"]["CORAL"],
        "no probe moves with the shift or the projection": bool(
            (same.loc[kept, "changed"] == 0).all()
        ),
        "probes move with the means": same["changed"][BASELINE] > 0,
        "scaling moves some probes": same["changed"][SCALED] > 0,
        "means help the probes of photographs": all(
            each[f"{way}_gain"] > 0 for each in (own, plain) for way in directions
        ),
        "beyond doubt by the images' groups, from images to texts": plain["image_to_text_gain"]
        > 2 * plain["image_to_text_gain_error"],
        "on kinds the gain is within two errors": all(
            abs(to_kinds[f"{way}_gain"]) < 2 * to_kinds[f"{way}_gain_error"] for way in directions
        ),
        "projecting helps from images to texts": back["image_to_text_gain"]
        > 2 * back["image_to_text_gain_error"],
    }
