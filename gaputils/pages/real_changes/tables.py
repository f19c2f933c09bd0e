"""The page's tables for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.noise import GaussianNoise
from gaputils.pages import typeset
from gaputils.pages.real_changes.shape import OBLIQUE, lead_noise, projections
from gaputils.pages.real_changes.survive import Change, survive
from gaputils.pages.survival import CENTRED, ORIGINAL, PAIR, plus_minus


def isotropic(task: Embeddings, variances: Sequence[float], size: int, seed: int) -> pd.DataFrame:
    """What closing adds by cosine if noise of each total variance falls on the gallery, and the
    closing moves what is left: a row a variance.
    """
    noises = {f"{variance:g}": GaussianNoise(variance) for variance in variances}
    frame = compare_blocks(
        answerable_blocks(task, size),
        PAIR,
        noises,
        scorings=["cosine"],
        order="noise first",
        draws=10,
        seed=seed,
    )
    rows = frame[frame["closing"] == CENTRED].reset_index(drop=True)
    return rows.assign(variance=list(variances))


def of_closing(frame: pd.DataFrame, closing: str, sizes: pd.Series) -> pd.DataFrame:
    """The rows of `survive` for one closing under cosine, with each change's variance."""
    part = frame[(frame["closing"] == closing) & (frame["scoring"] == "cosine")]
    return part.set_index("noise").loc[sizes.index].assign(variance=sizes)


def change_table(frame: pd.DataFrame, sizes: pd.Series) -> pd.DataFrame:
    """A row a change: its size, answers untouched, and what projecting and centring adds."""
    before, after = (of_closing(frame, name, sizes) for name in (ORIGINAL, CENTRED))
    columns = {
        "total variance": [typeset(f"{value:.1e}") for value in sizes],
        "unchanged": plus_minus(before["robustness"], before["robustness_error"]),
        "adds to unchanged": plus_minus(after["gain"], after["gain_error"], signed=True),
        "right": plus_minus(before["right"], before["right_error"]),
        "adds to right": plus_minus(after["right_gain"], after["right_gain_error"], signed=True),
    }
    return pd.DataFrame(columns, index=list(sizes.index))


def rephrase_table(once: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """A row a closing, means over the templates by cosine: fitted once, and fitted anew."""
    columns: dict[str, list[str]] = {}
    for word, frame in (("fitted once", once), ("fitted anew", again)):
        part = frame[frame["scoring"] == "cosine"]
        columns[f"unchanged, {word}"] = plus_minus(part["robustness"], part["robustness_error"])
        columns[f"right, {word}"] = plus_minus(part["right"], part["right_error"])
    return pd.DataFrame(columns, index=once.loc[once["scoring"] == "cosine", "closing"].tolist())


def obliquely(task: Embeddings, changes: Mapping[str, Change], size: int) -> pd.DataFrame:
    """The projection and the oblique one under each change: a row a change.

    Gains in unchanged and right answers over the untouched rows, which cosine and inner product
    rank alike, with their errors; by how much the oblique projection multiplies the noise of a
    lead; and `near`, the untouched noise of the lead of the nearest two over that of any two.
    """
    rows = {}
    for name, change in changes.items():
        ways = projections(task, change, size)
        frame = survive(task, {"": change}, ways, size=size, scorings=["inner-product"])
        by = frame.set_index("closing")
        noise = lead_noise(task, change, ways, size)
        row = {"unchanged": by.loc[ORIGINAL, "robustness"]}
        for closing in ("hull projection", OBLIQUE):
            for value in ("gain", "gain_error", "right_gain", "right_gain_error"):
                row[f"{closing} {value}"] = by.loc[closing, value]
        ratio = noise.loc[OBLIQUE] / noise.loc[ORIGINAL]
        row["near"] = noise["nearest two"][ORIGINAL] / noise["any two"][ORIGINAL]
        rows[name] = row | ratio.to_dict()
    return pd.DataFrame(rows).T


def oblique_table(found: pd.DataFrame) -> pd.DataFrame:
    """`obliquely` with errors as text."""

    def gain(closing: str, value: str) -> list[str]:
        errors = found[f"{closing} {value}_error"]
        return plus_minus(found[f"{closing} {value}"], errors, signed=True)

    columns = {
        "unchanged": [f"{value:.3f}" for value in found["unchanged"]],
        "projection adds": gain("hull projection", "gain"),
        "oblique adds": gain(OBLIQUE, "gain"),
        "oblique, right": gain(OBLIQUE, "right_gain"),
        "noise, any two": [f"× {value:.2f}" for value in found["any two"]],
        "noise, nearest two": [f"× {value:.2f}" for value in found["nearest two"]],
    }
    return pd.DataFrame(columns, index=found.index)


def shape_table(shapes: pd.DataFrame) -> pd.DataFrame:
    """`shapes` under names for readers."""
    words = {
        "common": "common to all items",
        "inside": "of the rest, in the hull",
        "chance": "by chance",
    }
    return shapes.rename(columns=words)
