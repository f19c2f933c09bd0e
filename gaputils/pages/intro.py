"""The headline: what each closing is worth, by scoring and by the number of captions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch

from gaputils import pages
from gaputils._checks import integer
from gaputils.closing import (
    Centering,
    Closing,
    ClosingDoesNothing,
    HullProjection,
    MeanShift,
    Standardizing,
)
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.noise import (
    BinaryQuantization,
    GaussianNoise,
    ScalarQuantization,
    variance_between,
)

ORIGINAL, SHIFT, CENTRED = "original", "mean shift", "hull projection, centred"
SCALED = "hull projection, scaled"
MEANS = "standardising (I0T)"
CLOSINGS: dict[str, Closing | None] = {
    ORIGINAL: None,
    SHIFT: MeanShift(),
    "hull projection": HullProjection(),
    CENTRED: HullProjection(center=True),
    SCALED: HullProjection(radius=2),
}


def headline(
    embeddings: Embeddings, variance: float, sizes: Iterable[int], seed: int = 0
) -> pd.DataFrame:
    """`compare_blocks` of the headline's closings for galleries of each of `sizes` captions.

    All pairs count, in disjoint blocks of so many; Gaussian noise of total `variance` falls on the
    gallery. Beside `CLOSINGS`, which keep every answer, stands one that subtracts both means.
    `captions` is the size of the gallery.
    """
    closings = {**CLOSINGS, MEANS: Standardizing()}
    parts = []
    for size in sizes:
        with warnings.catch_warnings():
            # With a hull that fills the space a closing warns of what is to be shown here.
            warnings.simplefilter("ignore", ClosingDoesNothing)
            part = compare_blocks(
                answerable_blocks(embeddings, size),
                closings,
                {"": GaussianNoise(variance)},
                scorings=list(pages.SCORING_WORDS),
                seed=seed,
            )
        parts.append(part.assign(captions=min(size, len(embeddings.gallery))))
    return pd.concat(parts, ignore_index=True)


def noise_first(embeddings: Embeddings, variance: float, size: int) -> dict[str, float]:
    """Right answers by cosine where noise falls on raw rows before both means are subtracted.

    A mean over the queries of all blocks of `size` captions, and its gain over the untouched rows
    with the paired error. Exact: means move rows and noise alike, and normalising after them
    changes no cosine.
    """
    blocks, noises = answerable_blocks(embeddings, size), {"": GaussianNoise(variance)}
    row = compare_blocks(blocks, {"": Centering()}, noises, scorings=["cosine"]).iloc[0]
    columns = {"": "right", "_gain": "right_gain", "_error": "right_gain_error"}
    return {f"few_means_first{key}": float(row[column]) for key, column in columns.items()}


def leading_dimensions(embeddings: Embeddings, count: int) -> Embeddings:
    """Both sides on their `count` leading right singular vectors, with rows of norm 1 again."""
    both = torch.cat([embeddings.queries, embeddings.gallery]).double()
    axes = torch.linalg.svd(both, full_matrices=False).Vh[: integer("count", count, low=1)].T
    return Embeddings(
        embeddings.queries.double() @ axes,
        embeddings.gallery.double() @ axes,
        embeddings.targets,
        dict(embeddings.info),
        normalize=True,
    )


def cell(row: Mapping[Any, Any]) -> str:
    """Share of answers that survive, and its gain over the untouched with its paired error."""
    level, gain, error = (float(row[key]) for key in ("robustness", "gain", "gain_error"))
    if row["closing"] == ORIGINAL:
        return f"{level:.3f}"
    if abs(gain) < 5e-6:
        return f"{level:.3f} (+0)"
    digits = 3 if error >= 1e-3 else 4
    return pages.typeset(f"{level:.3f} ({gain:+.{digits}f} ± {error:.{digits}f})")


def table(frame: pd.DataFrame, captions: int) -> pd.DataFrame:
    """The headline for one number of `captions`: a row a closing, a column a scoring, in words."""
    part = frame[(frame["captions"] == captions) & frame["closing"].isin(list(CLOSINGS))]
    words = part.assign(cell=[cell(row) for row in part.to_dict("records")])
    wide = words.pivot(index="closing", columns="scoring", values="cell")
    wide = wide.reindex(index=list(CLOSINGS), columns=list(pages.SCORING_WORDS)).rename(
        columns=pages.SCORING_WORDS
    )
    wide.index.name = wide.columns.name = None
    return wide


def numbers(frame: pd.DataFrame, few: pd.DataFrame) -> dict[str, float]:
    """What the prose says: of the smallest and the largest gallery, and of `few` dimensions."""
    sizes = sorted(frame["captions"].unique())
    at: dict[Any, Any] = frame.set_index(["captions", "closing", "scoring"]).to_dict("index")
    full: dict[Any, Any] = few.set_index(["closing", "scoring"]).to_dict("index")
    found: dict[str, float] = {}
    for label, size in zip(("few", "many"), (sizes[0], sizes[-1]), strict=True):
        for name, closing in (("original", ORIGINAL), ("shift", SHIFT), ("centred", CENTRED)):
            row = at[size, closing, "cosine"]
            found |= {f"{label}_{name}": row["robustness"], f"{label}_{name}_gain": row["gain"]}
            found |= {f"{label}_{name}_error": row["gain_error"]}
            found |= {f"{label}_{name}_right": row["right"]}
            found |= {f"{label}_{name}_right_gain": row["right_gain"]}
            found |= {f"{label}_{name}_right_error": row["right_gain_error"]}
        scaled = at[size, SCALED, "euclidean"]
        found |= {f"{label}_scaled_{key}": scaled[key] for key in ("gain", "gain_error")}
        means = at[size, MEANS, "cosine"]
        found |= {f"{label}_means_{key}": means[key] for key in ("robustness", "right")}
        found |= {f"{label}_means_right_gain": means["right_gain"]}
        found |= {f"{label}_means_right_error": means["right_gain_error"]}
        found |= {f"{label}_means_changed": 100 * (1 - means["unchanged"])}
        for name, closing in (("shift", SHIFT), ("centred", CENTRED)):
            product = at[size, closing, "inner-product"]
            found[f"{label}_{name}_product"] = product["gain"]
            found[f"{label}_{name}_product_error"] = product["gain_error"]
    ranked = [(name, scoring) for name in CLOSINGS for scoring in ("cosine", "inner-product")]
    found["full_most"] = max(abs(full[place]["gain"]) for place in ranked)
    found["full_original"] = full[ORIGINAL, "cosine"]["robustness"]
    found["full_means"] = full[MEANS, "cosine"]["robustness"]
    found["full_means_gain"] = full[MEANS, "cosine"]["gain"]
    found["full_means_error"] = full[MEANS, "cosine"]["gain_error"]
    found["full_means_changed"] = 100 * (1 - full[MEANS, "cosine"]["unchanged"])
    return {key: float(value) for key, value in found.items()}


def claims(frame: pd.DataFrame, found: dict[str, float]) -> dict[str, bool]:
    """The sentences of the introduction and whether the run bears them out."""
    keeping = frame[frame["closing"].isin(list(CLOSINGS))]
    apart = abs(found["few_means_right"] - found["few_centred_right"])
    return {
        "no answer without noise changes": bool((keeping["unchanged"] == 1).all()),
        "the shift adds nothing under inner product": abs(found["few_shift_product"]) < 1e-5,
        "the shift gains under cosine": found["few_shift_gain"] > 2 * found["few_shift_error"],
        "centring gains more than the shift": found["few_centred_gain"]
        > found["few_shift_gain"] + 2 * found["few_centred_error"],
        "scaling gains by Euclidean distance": found["few_scaled_gain"]
        > 2 * found["few_scaled_gain_error"],
        "with many captions about a point is left": all(
            0.005 < found[key] < 0.02 for key in ("many_centred_gain", "many_centred_product")
        ),
        "with a full hull nothing is left": found["full_most"] < 1e-5,
        "subtracting the means gives as many right answers": apart < found["few_means_right_error"],
        "subtracting the means goes on gaining with a full hull": found["full_means_gain"]
        > max(0.05, 2 * found["full_means_error"]),
    }


def storage_noise(embeddings: Embeddings) -> dict[str, float]:
    """Total variance that storing the gallery with 8, 4 and 1 bit a coordinate adds to a row."""
    ways = {
        "eight_bits": ScalarQuantization(8),
        "four_bits": ScalarQuantization(4),
        "one_bit": BinaryQuantization(),
    }
    sides, generator = (embeddings.queries, embeddings.gallery), torch.Generator()
    return {
        name: variance_between(sides[1], way.apply(*sides, generator)[1])
        for name, way in ways.items()
    }


def glue_numbers(found: dict[str, float]) -> None:
    """Each number of `numbers` for the page's prose, as `intro_…`."""
    for key, value in found.items():
        pages.glue(f"intro_{key}", value)
