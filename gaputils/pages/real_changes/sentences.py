"""The numbers that the page's sentences quote, and what must hold for these to be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils.embeddings import Embeddings
from gaputils.pages import typeset
from gaputils.pages.real_changes.embedded import INT8, ROUGH, RUNTIME
from gaputils.pages.real_changes.shape import OBLIQUE, PUBLISHED
from gaputils.pages.survival import CENTRED, ORIGINAL, told

MISSING = "(not at hand)"
SHIFT, CENTERING = "mean shift", "centring (C3)"
FEW, MOST = "few", "most"
"""Templates under which few answers stay, and the others."""


@dataclass(frozen=True)
class Found:
    """What the page measured.

    `closed` and `gaussian` have "pictures" and "names", each as of `of_closing` for projecting and
    centring; `untouched` is that of the pictures before closing and `asked` that of queries from
    other builds; `once` and `again` are `survive` over all templates, `each` one template at a
    time, and `parts` is `again` over those under which few answers stay and over the others;
    `shapes` and `oblique` are the tables of these names, `sizes` the templates' variances without
    what all items share and `steady` (templates, n) who keeps the answer. `last` is the gap of the
    model as its training ends, and `saved` what is `gaussian` of it, a row.
    """

    closed: Mapping[str, Any]
    untouched: Any
    gaussian: Mapping[str, pd.DataFrame]
    asked: pd.DataFrame
    once: pd.DataFrame
    again: pd.DataFrame
    each: pd.DataFrame
    parts: pd.DataFrame
    shapes: Any
    oblique: Any
    sizes: pd.Series
    steady: Tensor
    last: float
    saved: pd.Series

    @property
    def words(self) -> pd.DataFrame:
        """The untouched rows under each template; a loss's error is that of unpaired shares, which
        is no less than the paired one."""
        rows = self.each[self.each["closing"] == ORIGINAL].set_index("template")
        errors = np.hypot(rows["accuracy_error"], rows["right_error"])
        return rows.assign(loss=100 * (rows["accuracy"] - rows["right"]), loss_error=100 * errors)

    @property
    def like_jpeg(self) -> pd.Series:
        """The Gaussian noise in the middle of those on the pictures."""
        noise = self.gaussian["pictures"]
        return noise.iloc[len(noise) // 2]

    @property
    def centred_parts(self) -> Any:
        """The rows of `parts` for centring, of a part without templates not a number."""
        rows = self.parts[self.parts["closing"] == CENTERING].set_index("noise")
        return rows.reindex([FEW, MOST])

    @property
    def highest(self) -> float:
        return float(max(rows["gain"].max() for rows in self.closed.values()))


def numbers(found: Found, other: str) -> dict[str, Any]:
    """By the name that the page glues them under; `other` is the template of the paper's figure."""
    once: Any
    again: Any
    once, again = (f.set_index(["closing", "scoring"]) for f in (found.once, found.again))
    pictures: Any = found.closed["pictures"]
    words: Any = found.words
    all_words: Any = found.oblique.loc["every template"]
    worst = str(words["loss"].idxmax())
    single: Any = found.oblique.drop(index="every template")
    values: dict[str, Any] = {
        "gauss_variance": f"{found.like_jpeg['variance']:g}",
        "gauss_gain": told(found.like_jpeg, "gain"),
        "points": sum(len(rows) for rows in found.closed.values()),
        "highest": f"{found.highest:.3f}",
        "right": told(found.untouched.iloc[0], "accuracy"),
        "runtime_variance": _small(pictures.loc[RUNTIME, "variance"]),
        "int8_variance": _small(pictures.loc[INT8, "variance"]),
        "queries_least": float(found.asked["robustness"].min()),
        "queries_moved": "none" if _nothing(found.asked) else "some",
        "templates": len(words) + 1,
        "flips": 100 * _flips(found.steady),
        "flips_but": 100 * _flips(found.steady[torch.from_numpy(found.sizes.index != worst)]),
        "worst": worst,
        "loss": float(words["loss"].max()),
        "loss_error": float(words["loss_error"][worst]),
        "pair": float(words.loc[other, "unchanged"]),
        "pair_error": float(words.loc[other, "unchanged_error"]),
        "original": float(once.loc[(ORIGINAL, "cosine"), "robustness"]),
        "original_error": float(once.loc[(ORIGINAL, "cosine"), "robustness_error"]),
        "shift_gain": float(once.loc[(SHIFT, "cosine"), "gain"]),
        "shift_gain_error": float(once.loc[(SHIFT, "cosine"), "gain_error"]),
        "centred_gain": float(once.loc[(CENTRED, "cosine"), "gain"]),
        "centred_gain_error": float(once.loc[(CENTRED, "cosine"), "gain_error"]),
        "shift_again": float(again.loc[(SHIFT, "cosine"), "robustness"]),
        "once_shift": told(once.loc[(SHIFT, "cosine")], "gain", signed=True),
        "once_shift_euclidean": told(once.loc[(SHIFT, "euclidean")], "gain", signed=True),
        "once_centred": told(once.loc[(CENTRED, "cosine")], "gain", signed=True),
        "oblique_all": told(_named(all_words, OBLIQUE), "gain", signed=True),
        "any_low": float(found.oblique["any two"].min()),
        "near_high": float(found.oblique["nearest two"].max()),
        "near_least": f"{single['near'].min():.2f}",
        "near_most": f"{single['near'].max():.2f}",
        "gap_last": f"{found.last:.2f}",
        "gauss_last": told(found.saved, "gain"),
        "largest": 100 * float(found.sizes.max() / found.sizes.sum()),
    }
    for key, name in {"c3": CENTERING, "grclip": "GR-CLIP", "coral": "CORAL"}.items():
        row = again.loc[(name, "cosine")]
        values[f"again_{key}"] = told(row, "gain", signed=True)
        values[f"again_{key}_right"] = told(row, "right_gain", signed=True)
    for part, row in found.centred_parts.iterrows():
        there = bool(row.notna().all())
        for key, value in (("c3", "gain"), ("c3_right", "right_gain")):
            values[f"{part}_{key}"] = told(row, value, signed=True) if there else MISSING
    there = PUBLISHED in found.shapes.index
    for key in ("common", "inside", "chance"):
        values[f"clip_{key}"] = f"{found.shapes.loc[PUBLISHED, key]:.2f}" if there else MISSING
    return values


def claims(found: Found, seen: Sequence[str]) -> dict[str, bool]:
    """The page's sentences about which way a number goes, for `gu.pages.guard`."""
    again: Any = found.again.set_index(["closing", "scoring"])
    builds = found.untouched.loc[found.asked.index]
    pixels = found.untouched.drop(index=list(found.asked.index))
    jpeg = pixels.loc[pixels.index.str.startswith("JPEG"), "robustness"]
    before = found.words["unchanged"]
    oblique, every = found.oblique, found.oblique.loc["every template"]
    single = oblique.drop(index="every template")
    off = (pixels["right"] - pixels["accuracy"]).abs()
    c3, coral = (again.loc[(name, "cosine")] for name in (CENTERING, "CORAL"))
    noise = found.like_jpeg
    parts = found.centred_parts
    return {
        "closing saves answers from isotropic noise": noise["gain"] > 5 * noise["gain_error"],
        "no real change gains": found.highest < 0.3 * noise["gain"],
        "queries from another build: closing moves nothing": _nothing(found.asked),
        "changed pictures: closing moves nothing": _nothing(found.closed["pictures"]),
        "other builds change a few answers in a thousand": bool(
            min(builds["robustness"].min(), found.asked["robustness"].min()) >= 0.99
        ),
        "int8 is a thousandth of the book's noise": _size(found, INT8) < 0.04 / 500,
        "pixels change ten times as much as int8": bool(
            pixels["variance"].min() > 10 * _size(found, INT8)
        ),
        "a rough resize costs as much as a middling JPEG": bool(
            jpeg.min() <= pixels.loc[ROUGH, "robustness"] <= jpeg.max()
        ),
        "right answers move less than unchanged ones": bool((off < 1 - pixels["robustness"]).all()),
        "words from training change little": bool(before[before.index.isin(seen)].min() > 0.85),
        "refitted, what keeps rankings answers as the original": bool(
            again.loc[(SHIFT, "cosine"), "gain"] == again.loc[(CENTRED, "cosine"), "gain"] == 0
        ),
        "centring anew steadies answers": c3["gain"] > 2 * c3["gain_error"],
        "most of that is where few answers stay": parts.loc[FEW, "gain"]
        > 3 * parts.loc[MOST, "gain"],
        "right answers are gained there": parts.loc[FEW, "right_gain"]
        > 2 * parts.loc[FEW, "right_gain_error"],
        "and nowhere else": parts.loc[MOST, "right_gain"] < 2 * parts.loc[MOST, "right_gain_error"],
        "CORAL loses right answers": coral["right_gain"] < -2 * coral["right_gain_error"],
        "one oblique projection gains nothing": bool(
            (single[f"{OBLIQUE} gain"].abs() <= 2 * single[f"{OBLIQUE} gain_error"]).all()
        ),
        "one for every template costs answers": bool(
            every[f"{OBLIQUE} gain"] < -2 * every[f"{OBLIQUE} gain_error"]
        ),
        "the small model's changes lie in the hull": bool(
            found.shapes.drop(index=PUBLISHED, errors="ignore")["inside"].min() > 0.8
        ),
        "much of CLIP's change does not": bool(found.shapes["inside"].get(PUBLISHED, 0.0) < 0.6),
        "it lowers the noise of any two": bool((oblique["any two"] < 1).all()),
        "less that of the nearest two, or raises it": bool(
            (single["nearest two"] > single["any two"]).all()
        ),
        "untouched, the nearest two's is smaller": bool((single["near"] < 1).all()),
        "trained to the end, closing saves less": 0 < found.saved["gain"] < noise["gain"],
        "but not over every template": bool(every["nearest two"] < 1),
    }


def _flips(steady: Tensor) -> float:
    return float((~steady).any(dim=0).double().mean())


def by_steadiness(
    changes: Mapping[str, Embeddings], steady: Tensor, least: float = 0.75
) -> dict[str, list[Embeddings]]:
    """`changes` under which less than the share `least` of the answers stay, and the others.

    `steady` (changes, n) is as from `steadiness`. A part without any is left out.
    """
    kept = (steady.double().mean(dim=1) >= least).tolist()
    parts = {
        name: [one for one, stays in zip(changes.values(), kept, strict=True) if stays == wanted]
        for name, wanted in ((FEW, False), (MOST, True))
    }
    return {name: part for name, part in parts.items() if part}


def _size(found: Found, name: str) -> float:
    return float(found.closed["pictures"].loc[name, "variance"])


def _nothing(frame: pd.DataFrame) -> bool:
    """Whether closing changes not one answer."""
    return bool(
        (frame[["gain", "gain_error", "right_gain", "right_gain_error"]] == 0).all(axis=None)
    )


def _named(row: pd.Series, closing: str) -> pd.Series:
    """The values of one closing under their plain names."""
    return row.rename(lambda name: name.removeprefix(f"{closing} "))


def _small(value: float) -> str:
    return typeset(f"{value:.0e}")
