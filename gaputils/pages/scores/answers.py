"""The page's tables for readers, the last of them with each question and its number."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gaputils.pages import typeset
from gaputils.pages.scores.cosines import CENTRED, UNTOUCHED
from gaputils.pages.survival import plus_minus

MISSING = "not at hand"


def told(value: float, error: float, digits: int = 3, *, signed: bool = False) -> str:
    """`value` ± `error` as text."""
    return plus_minus([value], [error], digits, signed)[0]


def cosine_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """`pair_cosines` with errors as text: means and spreads, before and after centring."""
    columns = {
        "original": plus_minus(pairs["mean"], pairs["error"]),
        "spread": [f"{value:.3f}" for value in pairs["spread"]],
        CENTRED: plus_minus(pairs["centred mean"], pairs["centred error"]),
        "its spread": [f"{value:.3f}" for value in pairs["centred spread"]],
    }
    return pd.DataFrame(columns, index=pairs.index)


def threshold_table(areas: pd.DataFrame, many: pd.DataFrame, few: pd.DataFrame) -> pd.DataFrame:
    """Areas, and the share of what lies above a threshold that is right, with errors as text.

    `areas` is as from `separation`; the others as from `flat_cutoffs` at a recall of .9 and of .3.
    """
    columns = {
        "a match? (AUROC)": plus_minus(areas["match"], areas["match_error"]),
        "right, if 90 % are found": plus_minus(many["precision"], many["precision_error"]),
        "right, if 30 % are found": plus_minus(few["precision"], few["precision_error"]),
        "in the gallery? (AUROC)": plus_minus(areas["present"], areas["present_error"]),
    }
    return pd.DataFrame(columns, index=areas.index)


def label_table(fitting: pd.DataFrame) -> pd.DataFrame:
    """`none_fits` with errors as text."""
    columns = {
        "largest, one fits": plus_minus(fitting["fits"], fitting["fits_error"]),
        "largest, none fits": plus_minus(fitting["none"], fitting["none_error"]),
        "AUROC by probability": plus_minus(fitting["told"], fitting["told_error"]),
        "AUROC by score": plus_minus(fitting["told_cosine"], fitting["told_cosine_error"]),
        "greatest change": [typeset(f"{value:.2g}") for value in fitting["changed"]],
    }
    return pd.DataFrame(columns, index=fitting.index)


def average_table(averages: pd.DataFrame) -> pd.DataFrame:
    """`fused` with errors as text, a row a share of the text."""
    texts = averages.assign(
        told=plus_minus(averages["right"], averages["error"]),
        share=[f"{100 * share:.0f} %" for share in averages["share"]],
    )
    wide = texts.pivot_table(
        index="share", columns="way", values="told", aggfunc="first", sort=False
    )
    return pd.DataFrame(wide).rename_axis("the text's share").rename_axis(None, axis=1)


def mean_table(means: pd.DataFrame) -> pd.DataFrame:
    """`whose_mean` with errors as text."""
    columns = {
        "distance from the own mean": means["apart"],
        "right answers": plus_minus(means["right"], means["error"]),
        "gain": plus_minus(means["gain"], means["gain_error"], signed=True),
    }
    return pd.DataFrame(columns, index=means.index).rename_axis("whose means")


def answers(
    pairs: pd.DataFrame,
    areas: pd.DataFrame,
    labels: pd.DataFrame,
    siglip: pd.DataFrame,
    averages: pd.DataFrame,
    swaps: pd.DataFrame,
    means: pd.DataFrame,
) -> pd.DataFrame:
    """A row a question: the number `untouched` and with `each mean taken away`, with errors.

    The frames are those of `pair_cosines`, `separation`, `none_fits`, `siglip`, `fused`, `swapped`
    and `whose_mean`.
    """
    half = averages[averages["share"] == 0.5].set_index("way")
    both = pd.concat([pairs, pairs.filter(like="centred").rename(columns=_uncentred)], keys=_KEYS)
    match = both.xs("an image and its text", level=1)
    asked: list[tuple[Any, ...]] = [
        ("cosine of an image and its text", match, "mean", "error", _KEYS),
        ("AUROC: a match?", areas, "match", "match_error", (UNTOUCHED, CENTRED)),
        ("AUROC: in the gallery?", areas, "present", "present_error", (UNTOUCHED, CENTRED)),
        ("largest probability, no label fits", labels, "none", "none_error", _KEYS),
        ("SigLIP2: median probability, no pairs", siglip, "median", "", _SIGLIP),
        ("emoji found by alias, half image, half text", half, "right", "error", _KEYS),
        ("an image's neighbours found by its text", swaps, "found", "error", _SWAPS),
        ("right answers, the other topic's means", means, "right", "error", _MEANS),
    ]
    rows = {question: _two(*where) for question, *where in asked}
    columns = {"original": [row[0] for row in rows.values()]}
    columns[CENTRED] = [row[1] for row in rows.values()]
    return pd.DataFrame(columns, index=pd.Index(rows, name="question"))


def _two(frame: pd.DataFrame, value: str, error: str, ways: tuple[str, str]) -> list[str]:
    if not len(frame):
        return [MISSING] * 2
    part: Any = frame.loc[list(ways)]
    if not error:
        return [typeset(f"{each:.0e}") for each in part[value]]
    return plus_minus(part[value], part[error])


def _uncentred(name: str) -> str:
    return name.removeprefix("centred ")


_KEYS = ("original", CENTRED)
_SWAPS = ("text as it is", CENTRED)
_MEANS = ("none", "the other topic's")
_SIGLIP = ("as trained", "centred, bias left")
