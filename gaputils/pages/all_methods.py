"""What each closing does to right and unchanged answers, in three bands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pandas as pd
import torch

from gaputils._checks import work
from gaputils.closing import Closing, Procrustes
from gaputils.closing.catalogue import Closings, copy, fit, moved, standard_closings
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import ORDERS, over_blocks
from gaputils.evaluation.table import Comparison
from gaputils.noise import GaussianNoise
from gaputils.noise.robustness import certified_radius
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, SCALED, plus_minus
from gaputils.scoring import SCORINGS, cost, nearest, top_k

_RESOLUTION = 2e-4
_DIM = 4
KEEPS, MEANS, MORE = "keeps every answer", "moves means", "uses labels or covariances"
RIVAL = (CENTRED, "inner-product")
SHOWN = (
    ORIGINAL,
    "mean shift",
    "hull projection",
    CENTRED,
    "standardising (I0T)",
    "GR-CLIP",
    "whitening",
    "CORAL",
)


def contestants() -> dict[str, Closing | None]:
    """The untouched original, and every closing by its name: by band, those of `SHOWN` first."""
    known = standard_closings()
    order = ["", KEEPS, MEANS, MORE]

    def place(name: str) -> tuple[int, int]:
        return order.index(bands().get(name, "")), [*SHOWN, name].index(name)

    return {name: known[name] for name in sorted(known, key=place)}


@cache
def bands() -> dict[str, str]:
    """The band of every closing by its name."""
    known = standard_closings().items()
    return {name: _band(closing) for name, closing in known if closing is not None}


def _band(closing: Closing) -> str:
    """What a closing promises, else what it has learned of a few rows: means, or a whole matrix."""
    if closing.preserves_ranking:
        return KEEPS
    rows = torch.eye(_DIM).repeat(2, 1)
    learned = vars(fit(copy(closing), Embeddings(rows, rows.flip(0)))).values()
    matrices = [one for one in learned if getattr(one, "shape", ()) == (_DIM, _DIM)]
    return MORE if closing.needs_pairs or matrices else MEANS


def beside(closing_first: pd.DataFrame, noise_first: pd.DataFrame) -> pd.DataFrame:
    """Two tables of `compare_blocks` of one scoring in one, the second's columns with " first".

    With the closing as index, and `band`.
    """
    frame = closing_first.set_index("closing")
    frame = frame.join(noise_first.set_index("closing").add_suffix(" first"))
    frame["band"] = [bands().get(name, "") for name in frame.index]
    return frame


def by_scoring(closing_first: pd.DataFrame, noise_first: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`beside` of each scoring in two tables of `compare_blocks`."""
    both = closing_first, noise_first
    return {
        scoring: beside(*(frame[frame["scoring"] == scoring] for frame in both))
        for scoring in dict.fromkeys(closing_first["scoring"])
    }


def short_table(frame: pd.DataFrame, names: Sequence[str] = SHOWN) -> pd.DataFrame:
    """`beside` for readers, the closings `names` alone: six columns, errors as text."""
    rows = frame.loc[list(names)]

    def text(column: str, signed: bool = False) -> list[str]:
        return plus_minus(rows[column], rows[f"{column}_error"], signed=signed)

    return pd.DataFrame(
        {
            "right without noise": [f"{value:.3f}" for value in rows["accuracy"]],
            "unchanged by closing": [f"{value:.3f}" for value in rows["unchanged"]],
            "unchanged by noise": text("robustness"),
            "right under noise": [f"{value:.3f}" for value in rows["right"]],
            "gain in right": text("right_gain", signed=True),
            "gain in unchanged, noise first": plus_minus(
                rows["gain first"], rows["gain_error first"], signed=True
            ),
        },
        index=list(names),
    )


def rivals(
    blocks: Sequence[Embeddings], noise: GaussianNoise, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """The scaled projection by distance beside its limit, and both beside cosine.

    Index: closing and scoring. `robustness` and `gain` with their errors, the gains over `RIVAL`;
    the same with " first" for noise before closing, in `draws` draws.
    """
    few = {name: CLOSINGS[name] for name in (ORIGINAL, CENTRED, SCALED)}
    tables = [
        over_blocks(blocks, few, {"": noise}, order=order, draws=draws, seed=seed)
        .table(against=RIVAL)
        .set_index(["closing", "scoring"])
        for order in ORDERS
    ]
    columns = ["robustness", "robustness_error", "gain", "gain_error"]
    frame = tables[0][columns].join(tables[1][columns].add_suffix(" first"))
    return frame.loc[[(SCALED, "euclidean"), RIVAL, (CENTRED, "cosine"), (ORIGINAL, "cosine")]]


def rivals_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`rivals` for readers, with errors as text."""
    words = {"euclidean": "distance", "inner-product": "inner product", "cosine": "cosine"}
    columns = {
        f"{title}{told}": plus_minus(
            frame[f"{name}{order}"], frame[f"{name}_error{order}"], signed=name == "gain"
        )
        for order, told in (("", ""), (" first", ", noise first"))
        for name, title in (("robustness", "unchanged"), ("gain", "over the rival"))
    }
    index = [f"{closing}, by {words[scoring]}" for closing, scoring in frame.index]
    return pd.DataFrame(columns, index=index)


def level_with_best(comparison: Comparison, measure: str, names: Sequence[str]) -> list[str]:
    """Those of the closings `names` within one paired standard error of the best by cosine.

    `measure` is "robustness" or "right"; the best comes first. Differences that the exact engine's
    own error may feign count as none.
    """
    means = _by_cosine(comparison).loc[list(names), measure].sort_values(ascending=False)
    best = str(means.index[0])
    gain = {"robustness": "gain", "right": "right_gain"}[measure]
    behind = _by_cosine(comparison, against=best).loc[means.index]
    level = behind[gain].abs() <= behind[f"{gain}_error"].clip(lower=_RESOLUTION)
    return [best, *(name for name in map(str, means.index[1:]) if level[name])]


def _by_cosine(comparison: Comparison, against: str | None = None) -> pd.DataFrame:
    frame = comparison.table(against=against)
    return frame[frame["scoring"] == "cosine"].set_index("closing")


def rotated(blocks: Sequence[Embeddings]) -> tuple[float, float]:
    """Right answers (cosine) on the first block after `Procrustes`, learned from the pairs of the
    next block and from those of all others.
    """
    task, others = (
        blocks[0],
        [(b.queries, b.gallery[known_targets(b)]) for b in blocks[1:] or blocks],
    )
    found = []
    for some in (others[:1], others):
        learned = Procrustes().fit(*(torch.cat(side) for side in zip(*some, strict=True)))
        right = task.right(nearest(*moved(learned, task.queries, task.gallery), "cosine"))
        found.append(float(right.double().mean()))
    return found[0], found[1]


def properties(
    embeddings: Embeddings,
    closings: Closings,
    *,
    calibration: Embeddings | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> pd.DataFrame:
    """What there is to know of each closing besides its robustness; `embeddings` need targets.

    A row for each closing and scoring, with columns `closing`, `scoring`, ``recall@k`` (share of
    queries with their target among the k nearest), `certified_radius` (mean; missing for cosine),
    and `spread` of the gallery over the original's. Raises `ValueError` without targets, or for a
    gallery whose rows are all alike.
    """
    targets, width = known_targets(embeddings), _spread(embeddings.gallery)
    if width == 0:
        raise ValueError("gallery: expected rows that differ, they are all alike")
    most = min(max(ks), len(embeddings.gallery))
    rows = []
    for label, closing in closings.items():
        learned = None if closing is None else fit(copy(closing), embeddings, calibration)
        sides = moved(learned, embeddings.queries, embeddings.gallery)
        told = {"spread": _spread(sides[1]) / width}
        for scoring in SCORINGS:
            hits = top_k(*sides, most, scoring) == targets[:, None]
            recalls = {f"recall@{k}": float(hits[:, :k].any(dim=1).double().mean()) for k in ks}
            radius = {"certified_radius": _certificate(*sides, scoring)}
            names = {"closing": label, "scoring": scoring}
            rows.append({**names, **recalls, **radius, **told})
    return pd.DataFrame(rows)


def _certificate(queries: torch.Tensor, gallery: torch.Tensor, scoring: str) -> float:
    """Mean norm of the smallest joint change of the gallery that changes the nearest item.

    For inner products ``(s_1 - s_2) / (sqrt(2) |y|)`` of the two greatest (our derivation).
    """
    if scoring == "euclidean":
        return float(certified_radius(queries, gallery).double().mean())
    if scoring == "cosine" or len(gallery) == 1:
        return float("nan")
    queries = work(queries)
    two = cost(queries, work(gallery), scoring).topk(2, dim=1, largest=False).values
    norms = torch.linalg.vector_norm(queries, dim=1)
    return float(((two[:, 1] - two[:, 0]) / (2**0.5 * norms)).mean())


def _spread(gallery: torch.Tensor) -> float:
    """Root mean squared distance of the rows of `gallery` (m, d) from their mean."""
    return float(work(gallery).var(dim=0, correction=0).sum().sqrt())
