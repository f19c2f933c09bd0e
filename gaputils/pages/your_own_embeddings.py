"""Which closing for which system: what known noises are, and what is gained where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import choice
from gaputils.closing import HullProjection
from gaputils.closing.catalogue import fitted, moved
from gaputils.datasets import load
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed
from gaputils.evaluation.compare import over_blocks
from gaputils.evaluation.protocol import answerable_blocks, bootstrap_means, paired_gain
from gaputils.models import load_model
from gaputils.noise import (
    BinaryQuantization,
    GaussianNoise,
    Noise,
    ScalarQuantization,
    variance_between,
)
from gaputils.pages import typeset
from gaputils.pages.compressed_indexes.indexes import FAISS, decoded
from gaputils.pages.mixed_galleries import OURS, WAYS, each_scene, paired
from gaputils.pages.mixed_galleries import summary as mixed_summary
from gaputils.pages.survival import (
    BY_COSINE,
    CENTRED,
    CLOSINGS,
    COSINE_FIRST,
    ORIGINAL,
    SCALED,
    plus_minus,
    tasks,
)
from gaputils.scoring import nearest


@dataclass(frozen=True)
class HalfPrecision:
    """The gallery rounded to float16."""

    random = False

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        del generator
        return queries, gallery.half().to(gallery.dtype)


@dataclass(frozen=True)
class IndexCodes:
    """The gallery as a faiss index of that `kind`, one of `FAISS`, gives it back."""

    kind: str
    random = False

    def __post_init__(self) -> None:
        choice("kind", self.kind, tuple(FAISS))

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        del generator
        return queries, decoded(gallery, self.kind, "euclidean")


CODES: dict[str, Noise] = {
    "float16": HalfPrecision(),
    "int8": ScalarQuantization(8),
    "6 bits": ScalarQuantization(6),
    "4 bits": ScalarQuantization(4),
    "PQ, half a bit a coordinate": IndexCodes("PQ"),
    "1 bit (signs)": BinaryQuantization(),
}


def survive_codes(
    blocks: Sequence[Embeddings],
    codes: Mapping[str, Noise] | None = None,
    closing: Any = None,
    scoring: str = "cosine",
) -> pd.DataFrame:
    """What storing the gallery in each of `codes` does to the answers, before and after a closing.

    The closing, projected and centred unless another is given, is fitted on each block and its
    gallery stored in the code; the answers of the floats are the truth. Columns: `code`, `variance`
    (equivalent, of the untouched rows), `before`, `after` and `gain` with `before_error`,
    `after_error` and the paired `gain_error` over the queries.
    """
    closing = HullProjection(center=True) if closing is None else closing
    learned = [fitted(closing, task.queries, task.gallery) for task in blocks]
    rows = []
    for label, code in (CODES if codes is None else codes).items():
        kept: list[list[Tensor]] = [[], []]
        spent = []
        for task, known in zip(blocks, learned, strict=True):
            raw = task.queries, task.gallery
            for values, sides in zip(kept, (raw, moved(known, *raw)), strict=True):
                coded = code.apply(*sides, torch.Generator().manual_seed(0))
                values.append(nearest(*coded, scoring) == nearest(*sides, scoring))
            spent.append(variance_between(raw[1], code.apply(*raw, torch.Generator())[1]))
        rows.append(_row(label, float(np.mean(spent)), kept))
    return pd.DataFrame(rows)


def survive_other_rows(
    blocks: Sequence[Embeddings],
    others: Sequence[Tensor],
    label: str,
    closing: Any = None,
    scoring: str = "cosine",
) -> pd.DataFrame:
    """The same for galleries embedded anew, say with another template: `others`, one a block.

    The closing was fitted on the first rows and moves the new ones.
    """
    closing = HullProjection(center=True) if closing is None else closing
    kept: list[list[Tensor]] = [[], []]
    spent = []
    for task, other in zip(blocks, others, strict=True):
        raw = task.queries, task.gallery
        for values, known in zip(kept, (None, fitted(closing, *raw)), strict=True):
            before = nearest(*moved(known, *raw), scoring)
            values.append(nearest(*moved(known, raw[0], other), scoring) == before)
        spent.append(variance_between(raw[1], other))
    return pd.DataFrame([_row(label, float(np.mean(spent)), kept)])


def other_template(
    model: str, before: str, after: str, size: int = 100, blocks: int = 10
) -> pd.DataFrame:
    """`survive_other_rows` of `model` on emoji whose names are embedded in another template."""
    encoder, emoji = load_model(model), load("openmoji")
    first, second = (embed(encoder, emoji, templates=words) for words in (before, after))
    chosen = answerable_blocks(first, size)[:blocks]
    others = [block.gallery for block in answerable_blocks(second, size)[:blocks]]
    return survive_other_rows(chosen, others, "another template")


def noise_table(*frames: pd.DataFrame) -> pd.DataFrame:
    """`survive_codes` and the like for readers: variance, shares and gain with errors as text."""
    frame = pd.concat(frames)
    return pd.DataFrame(
        {
            "equivalent variance": [typeset(f"{value:.1e}") for value in frame["variance"]],
            "unchanged before": plus_minus(frame["before"], frame["before_error"]),
            "unchanged after": plus_minus(frame["after"], frame["after_error"]),
            "gain": plus_minus(frame["gain"], frame["gain_error"], signed=True),
        },
        index=pd.Index(frame["code"], name="change"),
    )


CENTRE = "gu.HullProjection(center=True).fit(queries, gallery)"
SCALE = "gu.HullProjection(radius=2).fit(queries, gallery)"
MIX = 'gu.MixedGallery().fit(queries, {"image": images, "text": texts})'


@dataclass(frozen=True)
class Decision:
    """A row of the decision table: a system, the closing for it, and where its gain is measured."""

    scoring: str
    items: str
    closing: str
    line: str
    cost: str
    limit: str


_TWICE = "r × d product a query, there and back; "
_MOVED, _SAME = _TWICE + "x − c stored", _TWICE + "same gallery"
_QUERIES = "mend noise on queries; "
_MEANS = _QUERIES + "give more right answers than subtracting two means"
_FULL = "gain much: the hull almost fills the space"
_NOTHING = "gain by closing: the hull fills the space"
_LESS = "gain as much by closing: radius=2 gives less than cosine"
DECISIONS = (
    Decision("cosine", "few", CENTRED, CENTRE, _MOVED, _MEANS),
    Decision("cosine", "as many", CENTRED, CENTRE, _MOVED, _FULL),
    Decision("cosine", "more", ORIGINAL, "none", "none", _NOTHING),
    Decision("inner-product", "few", CENTRED, CENTRE, _MOVED, _MEANS),
    Decision("inner-product", "as many", CENTRED, CENTRE, _MOVED, _FULL),
    Decision("inner-product", "more", ORIGINAL, "none", "none", _NOTHING),
    Decision("euclidean", "few", SCALED, SCALE, _SAME, _QUERIES + "keep distances as they are"),
    Decision("euclidean", "as many", SCALED, SCALE, _SAME, "do much more than cosine does"),
    Decision("euclidean", "more", BY_COSINE, "rank by cosine", "none", _LESS),
)


def measured(
    sides: Mapping[str, tuple[Embeddings, int]], noise: GaussianNoise
) -> dict[str, pd.DataFrame]:
    """`compare_blocks` for each pair of embeddings and a size of the gallery, by name.

    With a row more, in which the untouched rows are ranked by cosine instead of Euclidean distance.
    """
    frames = {}
    for name, (embeddings, size) in sides.items():
        found = over_blocks(tasks(embeddings, size), CLOSINGS, {"": noise}, scorings=COSINE_FIRST)
        plain = {
            key[1]: outcome.kept.per_query
            for key, outcome in found.outcomes.items()
            if key[0] is None
        }
        gain, error = paired_gain(plain["cosine"], plain["euclidean"])
        more = {"closing": BY_COSINE, "scoring": "euclidean", "gain": gain}
        more |= {"gain_error": error}
        frame = pd.concat([found.table(), pd.DataFrame([more])], ignore_index=True)
        frames[name] = frame.assign(items=size, dim=embeddings.dim)
    return frames


def decide(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`DECISIONS` with what each gains over the untouched rows under its scoring.

    `frames` has for "few", "as many" and "more" items than dimensions a frame as from
    `measured`. Columns: those of a `Decision`, `size`, `dim`, `start` (share
    of answers that survive untouched), `gain` and `gain_error`. Where the advice is to rank unit
    rows by cosine, the gain is that of the untouched rows by cosine.
    """
    rows = []
    for advice in DECISIONS:
        frame = frames[advice.items]
        part = frame[frame["scoring"] == advice.scoring].set_index("closing")
        row: dict[str, Any] = asdict(advice)
        row |= {"size": int(frame["items"].iloc[0]), "dim": int(frame["dim"].iloc[0])}
        row |= {
            "start": part.loc[ORIGINAL, "robustness"],
            "start_error": part.loc[ORIGINAL, "robustness_error"],
        }
        row |= {"gain": part.loc[advice.closing, "gain"]}
        row |= {"gain_error": part.loc[advice.closing, "gain_error"]}
        rows.append(row)
    return pd.DataFrame(rows)


def decision_table(frame: pd.DataFrame, mixed: pd.DataFrame) -> pd.DataFrame:
    """`decide` for readers; the two scorings with the same advice share their rows.

    What is gained by cosine instead of a closing is marked as the scoring's. The last row is for
    several kinds in one index, whose gain `mixed` is from `mixed_gain`.
    """
    words = {"few": "≪ d", "as many": "≈ d", "more": "≫ d"}
    gained = pd.Series(plus_minus(frame["gain"], frame["gain_error"], signed=True), frame.index)
    scored = frame["closing"] == BY_COSINE
    frame = frame.assign(told=gained.where(~scored, gained + ", from the scoring alone"))
    wide: Any = frame.pivot(index="items", columns="scoring", values="told")
    rows = []
    for row in frame[frame["scoring"] != "inner-product"].itertuples():
        shared = row.scoring == "cosine"
        gains = wide.loc[row.items, ["cosine", "inner-product"] if shared else ["euclidean"]]
        advice = (str(row.line), row.cost, "; ".join(dict.fromkeys(gains)), row.limit)
        ranked = "cosine; inner product" if shared else "Euclidean distance"
        rows.append((ranked, f"one kind, {words[str(row.items)]} items", *advice))
    found = [f"{value:.2f}" for value in mixed["recall@10[image]"]]
    limit = "help where the query’s own kind is not in the index"
    gain = f"own image found: {found[0]} to {found[-1]}"
    rows.append(("any of them", "several kinds", MIX, "d + 1 numbers a row", gain, limit))
    columns = ["you rank by", "your gallery", "take", "cost", "gain here", "it will not"]
    table = pd.DataFrame(rows, columns=columns)
    calls = table["take"].str.replace(r"\.fit\(.*", "", regex=True)
    return table.assign(take=calls.str.replace("(", "(<wbr>", regex=False))


def benefit_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The report's benefits for readers: errors beside the numbers."""
    return pd.DataFrame(
        {
            "closing": frame["closing"],
            "answers that survive": plus_minus(frame["robustness"], frame["robustness_error"]),
            "gain": plus_minus(frame["gain"], frame["gain_error"], signed=True),
            "unchanged without noise": [f"{value:.3f}" for value in frame["unchanged"]],
        }
    )


def mixed_gain(embeddings: Embeddings, halves: int = 4, seed: int = 0) -> pd.DataFrame:
    """Captions that ask for their image among images and captions: by cosine, and mixed.

    As `mixed_galleries.summary`: NDCG@10 and the share of own images among the ten, with errors.
    """
    ways = {name: WAYS[name] for name in ("cosine", OURS)}
    scenes = each_scene(paired(embeddings, "text"), ways, halves=halves, seed=seed)
    return mixed_summary(scenes)


def _row(label: str, variance: float, kept: list[list[Tensor]]) -> dict[str, Any]:
    values = torch.stack([torch.cat(parts) for parts in kept], dim=1).double()
    before, after = values.mean(dim=0).tolist()
    errors = bootstrap_means(values).std(axis=0)
    gain, error = paired_gain(values[:, 1], values[:, 0])
    return {
        "code": label,
        "variance": variance,
        "before": before,
        "before_error": errors[0],
        "after": after,
        "after_error": errors[1],
        "gain": gain,
        "gain_error": error,
    }
