"""Which closing for which system: what known noises are, what scores mean, what is gained where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gaputils._checks import choice
from gaputils.closing import HullProjection
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import bootstrap_means, paired_gain
from gaputils.noise import (
    BinaryQuantization,
    Noise,
    ScalarQuantization,
    variance_between,
)
from gaputils.pages.survival import learn, move, plus_minus
from gaputils.pages.vector_index import KINDS, build
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
    """The gallery as a faiss index of that `kind` (see `vector_index.build`) gives it back."""

    kind: str
    random = False

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS)

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        del generator
        index = build(gallery, self.kind, "l2")
        decoded = torch.from_numpy(index.reconstruct_n(0, len(gallery)))
        return queries, decoded[:, : gallery.shape[1]].to(gallery.dtype)


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
    learned = [learn(closing, task) for task in blocks]
    rows = []
    for label, code in (CODES if codes is None else codes).items():
        kept: list[list[Tensor]] = [[], []]
        spent = []
        for task, fitted in zip(blocks, learned, strict=True):
            raw = task.queries, task.gallery
            for values, sides in zip(kept, (raw, move(fitted, raw)), strict=True):
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
        for values, fitted in zip(kept, (None, learn(closing, task)), strict=True):
            before = nearest(*move(fitted, raw), scoring)
            values.append(nearest(*move(fitted, (raw[0], other)), scoring) == before)
        spent.append(variance_between(raw[1], other))
    return pd.DataFrame([_row(label, float(np.mean(spent)), kept)])


def noise_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`survive_codes` for readers: variance, shares and gain with errors as text."""
    return pd.DataFrame(
        {
            "equivalent variance": [f"{value:.1e}" for value in frame["variance"]],
            "unchanged before": plus_minus(frame["before"], frame["before_error"]),
            "unchanged after": plus_minus(frame["after"], frame["after_error"]),
            "gain": plus_minus(frame["gain"], frame["gain_error"], signed=True),
        },
        index=pd.Index(frame["code"], name="the gallery is stored as"),
    )


def match_scores(blocks: Sequence[Embeddings]) -> pd.DataFrame:
    """How well scores tell matches: AUROC of "is a match" and of "is in the gallery at all".

    A row for the cosine, for the cosine after `HullProjection(center=True)`, and for the cosine as
    standard deviations of each query's own scores. `match` compares all pairs of a query and an
    item by one threshold; `present` the best score of queries whose item is in the gallery, which
    is every second item of the block, with that of the others. Errors are those of the mean over
    blocks.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for task in blocks:
        half = Embeddings(task.queries, task.gallery[::2], torch.zeros(len(task.queries)).long())
        there = (task.targets % 2 == 0) if task.targets is not None else None
        assert there is not None
        match = torch.zeros(len(task.queries), len(task.gallery), dtype=torch.bool)
        match[torch.arange(len(task.queries)), task.targets] = True
        for name, whole, part in zip(_SCORES, _scores(task), _scores(half), strict=True):
            pair = roc_auc_score(match.ravel(), whole.ravel())
            best = roc_auc_score(there, part.amax(dim=1))
            found.setdefault(name, []).append((float(pair), float(best)))
    rows = {}
    for name, values in found.items():
        means, errors = np.mean(values, axis=0), np.std(values, axis=0) / len(values) ** 0.5
        rows[name] = (means[0], errors[0], means[1], errors[1])
    columns = ["match", "match_error", "present", "present_error"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def pair_cosines(embeddings: Embeddings) -> pd.DataFrame:
    """Mean and standard deviation of the cosine of matching pairs, others, and within each side."""
    first, second = (
        torch.nn.functional.normalize(side.double(), dim=1)
        for side in (embeddings.queries, embeddings.gallery)
    )
    apart = ~torch.eye(len(first), dtype=torch.bool)
    values = {
        "an image and its text": cosine_similarity(first, second),
        "an image and another text": (first @ second.mT)[apart],
        "two texts": (second @ second.mT)[apart],
        "two images": (first @ first.mT)[apart],
    }
    rows = {name: (float(v.mean()), float(v.std())) for name, v in values.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "spread"])


_SCORES = ("cosine", "cosine, projected and centred", "standard deviations of the query's scores")


def _scores(task: Embeddings) -> list[Tensor]:
    closed = move(learn(HullProjection(center=True), task), (task.queries, task.gallery))
    plain, centred = (
        torch.nn.functional.normalize(x.double(), dim=1)
        @ torch.nn.functional.normalize(y.double(), dim=1).mT
        for x, y in ((task.queries, task.gallery), closed)
    )
    own = (plain - plain.mean(dim=1, keepdim=True)) / plain.std(dim=1, keepdim=True)
    return [plain, centred, own]


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
