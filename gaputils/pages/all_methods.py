"""What each closing does to right and unchanged answers, in three bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import work
from gaputils.closing import Closing, Procrustes
from gaputils.closing.catalogue import Closings, copy, fit, fit_all, moved, standard_closings
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import ORDERS, compared, over_blocks
from gaputils.evaluation.protocol import mean_and_error, paired_gain
from gaputils.evaluation.table import Comparison
from gaputils.geometry.hull import principal_components, project
from gaputils.noise import GaussianNoise
from gaputils.noise.perturbations import Noise
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, SCALED, plus_minus
from gaputils.scoring import nearest

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
    """Two tables of `compare_blocks` in one, the second's columns with " first".

    Of the scorings of the second alone; with the closing as index, and `band`.
    """
    keys = ["closing", "scoring"]
    frame = closing_first.set_index(keys).join(
        noise_first.set_index(keys).add_suffix(" first"), how="inner"
    )
    frame = frame.reset_index("scoring")
    frame["band"] = [bands().get(name, "") for name in frame.index]
    return frame


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


@dataclass(frozen=True)
class WithinHull:
    """Of a noise on the gallery the part along the gallery's affine hull."""

    noise: GaussianNoise
    random = True

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        along, _ = principal_components(gallery)
        _, noisy = self.noise.apply(queries, gallery, generator)
        return queries, gallery + project((noisy - gallery).to(along), along).to(gallery)


def size_or_shape(
    blocks: Sequence[Embeddings],
    closings: Closings,
    noise: GaussianNoise,
    draws: int = 30,
    seed: int = 0,
) -> pd.DataFrame:
    """Where closings gain by distance: by their gallery's size, or by its shape.

    Index: closing. Unchanged answers and paired gains over the untouched rows, each with its error:
    `after`, noise on what a closing returns; `sized`, the same with both sides scaled until the
    gallery's spread is the untouched one's; `before`, noise on the raw rows, in `draws` draws;
    `inside`, the part of that noise along the gallery's hull. `spread` is the closed gallery's over
    the untouched one's, a mean over the blocks.
    """
    scoring = "euclidean"
    noises: dict[str, Noise] = {"after": noise}
    after = over_blocks(blocks, closings, noises, scorings=[scoring])
    raw: dict[str, Noise] = {"before": noise, "inside": WithinHull(noise)}
    before = over_blocks(
        blocks, closings, raw, scorings=[scoring], order="noise first", draws=draws, seed=seed
    )
    tables = pd.concat([after.table(), before.table()])
    values = ["robustness", "robustness_error", "gain", "gain_error"]
    frame = tables.pivot(index="closing", columns="noise", values=values)
    names = dict(zip(values, ("", "_error", " gain", " gain_error"), strict=True))
    frame.columns = frame.columns.map(lambda pair: f"{pair[1]}{names[pair[0]]}")
    base = after.outcomes[None, scoring, "after"].kept.per_query
    for label, closing in closings.items():
        kept, spread = _at_untouched_spread(blocks, closing, noise, scoring)
        frame.loc[label, ["sized", "sized_error"]] = mean_and_error(kept)
        frame.loc[label, ["sized gain", "sized gain_error"]] = paired_gain(kept, base)
        frame.loc[label, "spread"] = spread
    return frame.loc[list(closings)]


def _at_untouched_spread(
    blocks: Sequence[Embeddings], closing: Closing | None, noise: GaussianNoise, scoring: str
) -> tuple[Tensor, float]:
    """Each query's chance to keep its answer, and the mean spread over the untouched one.

    Sides that are scaled under the same noise are sides as they are under a scaled noise.
    """
    kept, spreads = [], []
    for place, block in enumerate(blocks):
        learned = fit_all({"": closing}, block, blocks[place - 1])
        sides = block.queries, block.gallery
        spreads.append(_spread(moved(learned[""], *sides)[1]) / _spread(block.gallery))
        scaled = GaussianNoise(noise.variance * spreads[-1] ** 2)
        found = compared(sides, learned, {"": scaled}, None, [scoring])
        key = None if closing is None else ""
        kept.append(found.outcomes[key, scoring, ""].kept.per_query)
    return torch.cat(kept), sum(spreads) / len(spreads)


def size_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`size_or_shape` for readers: the original's shares, and the others' gains over them."""
    columns = {
        "after": "closing, then noise",
        "sized": "the same at the untouched spread",
        "before": "noise, then closing",
        "inside": "noise within the hull, then closing",
    }
    table = {"spread": [f"{spread:.2f}" for spread in frame["spread"]]}
    for name, title in columns.items():
        gains = plus_minus(frame[f"{name} gain"], frame[f"{name} gain_error"], signed=True)
        shares = zip(frame.index, frame[name], gains, strict=True)
        table[title] = [f"{v:.3f}" if label == ORIGINAL else gain for label, v, gain in shares]
    return pd.DataFrame(table, index=list(frame.index))


def rotated(blocks: Sequence[Embeddings]) -> tuple[Tensor, Tensor, Tensor]:
    """Which queries of the first block are right (cosine) untouched, and after `Procrustes`,
    learned from the pairs of the next block and from those of all others.
    """
    task, others = blocks[0], [_pairs(block) for block in blocks[1:] or blocks]
    found = [task.right(nearest(task.queries, task.gallery, "cosine"))]
    for some in (others[:1], others):
        learned = Procrustes().fit(*(torch.cat(side) for side in zip(*some, strict=True)))
        found.append(task.right(nearest(*moved(learned, task.queries, task.gallery), "cosine")))
    untouched, one, every = (right.double() for right in found)
    return untouched, one, every


def _pairs(block: Embeddings) -> tuple[Tensor, Tensor]:
    return block.queries, block.gallery[known_targets(block)]


def _spread(gallery: Tensor) -> float:
    """Root mean squared distance of the rows of `gallery` (m, d) from their mean."""
    return float(work(gallery).var(dim=0, correction=0).sum().sqrt())
