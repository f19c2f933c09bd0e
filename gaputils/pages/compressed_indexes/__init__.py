"""What compressing an index costs, what closing gives back, and what reranking does for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Subset

from gaputils._checks import integer, work
from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.closing.catalogue import Closings, fitted, moved
from gaputils.datasets import DataUnavailable, load, published_rows
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import bootstrap_means, mean_and_error, paired_gain
from gaputils.geometry.hull import principal_components, project
from gaputils.models import load_model
from gaputils.noise import BinaryQuantization, UniformQuantization, covariance_between
from gaputils.noise import variance_between as variance
from gaputils.pages import typeset
from gaputils.pages.compressed_indexes.indexes import FAISS, SCORINGS, decoded, search
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, SCALED, plus_minus, tasks
from gaputils.scoring import nearest

ABOUT_C = "original, about c"
CODES = ("SQ4", "PQ", "binary")
"""The indexes that lose answers."""
IN_FAISS = (*FAISS, "binary")
STORES = ("LanceDB PQ", "qdrant local")
_ROUNDING = 1e-12


def compare_indexes(
    blocks: Sequence[Embeddings],
    closings: Closings,
    indexes: Sequence[str],
    scorings: Sequence[str] = SCORINGS,
    candidates: Sequence[int] = (1, 10),
    seed: int = 0,
) -> pd.DataFrame:
    """How often an index of closed rows finds the answer of the untouched floats.

    `closings` are fitted on each block, and `indexes` built of the galleries that they return. The
    answer is looked for among the first of `candidates` items that the index returns: 1 is the
    index alone, and with k > 1 the k candidates are ranked again by stored floats, which finds the
    answer if it is among them. Columns: `index`, `scoring`, `closing`, `candidates`, `found`,
    `gain` over the untouched rows in the same index with as many candidates, `found_error` and
    `gain_error`, paired bootstrap errors over the queries of all blocks, and `bytes`, of the index
    of one block.
    """
    most = max(integer("candidates", count, low=1) for count in candidates)
    raw = _closed(None, blocks)
    sides = {ORIGINAL: raw} | {name: _closed(way, blocks) for name, way in closings.items() if way}
    rows, found, gains = [], [], []
    for scoring in scorings:
        truth = [nearest(*side, scoring) for side in raw]
        for index in indexes:
            base: list[Tensor] = []
            for name, closed in sides.items():
                answers = [search(*side, index, scoring, most, seed) for side in closed]
                hits = _hits(answers, truth)
                within = [hits[:, :count].any(dim=1).double() for count in candidates]
                base = base or within
                if name in closings:
                    rows += [(index, scoring, name, k, answers[0].bytes) for k in candidates]
                    found += within
                    gains += [one - other for one, other in zip(within, base, strict=True)]
    frame = pd.DataFrame(rows, columns=["index", "scoring", "closing", "candidates", "bytes"])
    values = torch.stack([*found, *gains], dim=1)
    errors = bootstrap_means(values, seed=seed).std(axis=0)
    means, half = values.mean(dim=0).numpy(), len(rows)
    frame["found"], frame["gain"] = means[:half], means[half:]
    frame["found_error"], frame["gain_error"] = errors[:half], errors[half:]
    return frame


def _closed(closing: Closing | None, blocks: Sequence[Embeddings]) -> list[tuple[Tensor, Tensor]]:
    raw = [(block.queries, block.gallery) for block in blocks]
    return [moved(fitted(closing, *sides), *sides) for sides in raw]


def _hits(answers: Sequence[Any], truth: Sequence[Tensor]) -> Tensor:
    """(n, k) whether each found item is the query's answer, for the queries of all blocks."""
    pairs = zip(answers, truth, strict=True)
    each = [found.items.cpu() == right.cpu()[:, None] for found, right in pairs]
    least = min(hit.shape[1] for hit in each)
    return torch.cat([hit[:, :least] for hit in each])


def equivalent_variance(blocks: Sequence[Embeddings], index: str) -> float | None:
    """Total variance that storing the galleries of `blocks` in `index` adds to a row, on average.

    Of signs, once they are given each row's mean absolute value. None for a store that does not
    give its rows back.
    """
    if index in STORES:
        return None
    galleries = [block.gallery for block in blocks]
    if index == "binary":
        signs = BinaryQuantization()
        return float(np.mean([variance(rows, signs.quantize(rows)) for rows in galleries]))
    return float(np.mean([variance(rows, decoded(rows, index)) for rows in galleries]))


def cost_table(
    frame: pd.DataFrame, blocks: Sequence[Embeddings], closing: str = CENTRED
) -> pd.DataFrame:
    """`compare_indexes` by inner product for readers, a row an index, errors as text."""
    by = frame[frame["scoring"] == "inner-product"]
    alone, more, reread = (
        by[(by["closing"] == name) & (by["candidates"] == count)]
        for name, count in ((ORIGINAL, 1), (closing, 1), (ORIGINAL, 10))
    )
    spent = [equivalent_variance(blocks, name) for name in alone["index"]]
    return pd.DataFrame(
        {
            "kB": [f"{size / 1000:.0f}" for size in alone["bytes"]],
            "variance": ["not told" if v is None else _power(v) for v in spent],
            "untouched": plus_minus(alone["found"], alone["found_error"]),
            "gain by closing": plus_minus(more["gain"], more["gain_error"], signed=True),
            "untouched, 10 reranked": plus_minus(reread["found"], reread["found_error"]),
        },
        index=list(alone["index"]),
    )


def _power(value: float) -> str:
    return typeset(f"{value:.1e}") if value > _ROUNDING else "0"


def euclidean_table(frame: pd.DataFrame, indexes: Sequence[str] = CODES) -> pd.DataFrame:
    """`compare_indexes` by Euclidean distance for readers: untouched rows, and gains over them."""
    by = frame[(frame["scoring"] == "euclidean") & frame["index"].isin(indexes)]
    wanted = {"untouched": (ORIGINAL, 1), "mean shift": ("mean shift", 1), "centred": (CENTRED, 1)}
    wanted |= {"scaled": (SCALED, 1), "untouched, 10 reranked": (ORIGINAL, 10)}
    columns: dict[str, Any] = {}
    for title, (name, count) in wanted.items():
        part = by[(by["closing"] == name) & (by["candidates"] == count)]
        value = "found" if name == ORIGINAL else "gain"
        columns[title] = plus_minus(part[value], part[f"{value}_error"], signed=value == "gain")
    return pd.DataFrame(columns, index=list(by["index"].unique()))


def numbers_stored(items: int, dim: int, rank: int) -> dict[str, int]:
    """How many numbers each way of storing a gallery (items, dim) takes, its hull of `rank`.

    Whoever searches in hull coordinates needs the basis and the center for every query.
    """
    basis = rank * dim + dim
    return {
        "the gallery": items * dim,
        "one vector, for the shift or for c": dim,
        "the hull's basis and c, for the projection": basis,
        "the gallery in hull coordinates": items * rank,
        "hull coordinates with their basis": items * rank + basis,
    }


def storage_table(items: int, dim: int, rank: int, coded: int) -> pd.DataFrame:
    """`numbers_stored` for readers, in numbers and kB of 4 bytes each; `coded` bytes of 4 bits."""
    numbers = numbers_stored(items, dim, rank)
    frame = pd.DataFrame(
        {
            "numbers": [f"{count:,}" for count in numbers.values()],
            "kB": [f"{4 * count / 1000:.0f}" for count in numbers.values()],
        },
        index=list(numbers),
    )
    frame.loc["the gallery in 4 bits (SQ4)"] = [f"{items * dim:,}", f"{coded / 1000:.0f}"]
    return frame


def gains_over_sizes(
    sets: Mapping[str, Embeddings],
    sizes: Iterable[int],
    indexes: Sequence[str] = CODES,
    seed: int = 0,
) -> pd.DataFrame:
    """`compare_indexes` by inner product of each set, projected and centred, over gallery sizes.

    Each size takes all pairs in blocks. Also `set`, `items` and `dim`.
    """
    closings = {CENTRED: CLOSINGS[CENTRED]}
    counts = list(sizes)
    parts = [
        compare_indexes(tasks(e, size), closings, indexes, ["inner-product"], [1], seed).assign(
            set=name, items=size, dim=e.dim
        )
        for name, e in sets.items()
        for size in counts
        if size <= len(e.gallery)
    ]
    return pd.concat(parts, ignore_index=True)


def crowded_table(
    tasks_of: Mapping[str, Sequence[Embeddings]],
    alone: Mapping[str, Tensor],
    indexes: Sequence[str] = CODES,
    seed: int = 0,
) -> pd.DataFrame:
    """How much of the space the hull of each gallery fills, and what closing then gains.

    By inner product, projected and centred, over the untouched rows in the same index. Galleries
    that come `alone`, without queries, have a hull but no gains.
    """
    closings = {CENTRED: CLOSINGS[CENTRED]}
    rows = {name: blocks[0].gallery for name, blocks in tasks_of.items()} | dict(alone)
    frame = pd.DataFrame(
        {
            "items": [len(gallery) for gallery in rows.values()],
            "hull / space": [
                f"{hull_rank(gallery)} / {gallery.shape[1]}" for gallery in rows.values()
            ],
        },
        index=list(rows),
    )
    for index in indexes:
        frame[index] = "no queries"
    for name, blocks in tasks_of.items():
        found = compare_indexes(blocks, closings, indexes, ["inner-product"], [1], seed)
        told = plus_minus(found["gain"] + 0.0, found["gain_error"], signed=True)
        frame.loc[name, list(indexes)] = told
    return frame


def hull_rank(gallery: Tensor) -> int:
    """The dimension of the affine hull of `gallery` (m, d), to the precision of its rows."""
    return len(principal_components(gallery)[0])


def galleries_alone(names: Iterable[str]) -> dict[str, Tensor]:
    """Published rows of one side (m, d), of norm 1, by what they are; what is missing is told."""
    found = {}
    for name in names:
        try:
            rows, info = published_rows(name, normalize=True)
        except DataUnavailable as error:
            print(f"Left out here: {error}")
        else:
            found[str(info["data"]).partition(",")[0]] = rows
    return found


def emoji_names(model: str, every: int = 4) -> Embeddings:
    """The names of all emoji as a gallery; each `every`-th picture is a query."""
    whole = load("openmoji")
    some = range(0, len(whole), integer("every", every, low=1))
    images, targets = Subset(whole.images, some), whole.targets[list(some)]
    part = replace(whole, images=images, targets=targets)
    return embed(load_model(model), part, templates="an emoji of a {}.")


def oblique_gain(blocks: Sequence[Embeddings], index: str, seed: int = 0) -> tuple[float, float]:
    """What the oblique projection finds more than the centred one, and the paired error.

    By inner product in a faiss `index`. The covariance of the codes' error is learned from the
    items of all other blocks, and the projection used on each.
    """
    errors = [(block.gallery, decoded(block.gallery, index)) for block in blocks]
    found: dict[str, list[Tensor]] = {"oblique": [], "centred": []}
    for place, block in enumerate(blocks):
        others = errors[:place] + errors[place + 1 :]
        before, after = (torch.cat(side) for side in zip(*others, strict=True))
        seen = covariance_between(before, after)
        ways = {"oblique": HullProjection(covariance=seen), "centred": HullProjection(center=True)}
        truth = nearest(block.queries, block.gallery, "inner-product")
        for name, closing in ways.items():
            [sides] = _closed(closing, [block])
            found[name].append(search(*sides, index, seed=seed).items[:, 0] == truth)
    oblique, centred = (torch.cat(hits).double().numpy() for hits in found.values())
    return paired_gain(oblique, centred, seed=seed)


def floats_against_signs(blocks: Sequence[Embeddings], seed: int = 0) -> dict[str, float]:
    """What float queries find among the items' signs: `found` untouched, `gain` by centring.

    By inner product, so that only the items lose; with `found_error` and the paired `gain_error`.
    """
    truth = [nearest(*side, "inner-product") for side in _closed(None, blocks)]
    untouched, centred = (
        torch.cat(
            [
                nearest(queries, torch.where(gallery >= 0, 1.0, -1.0).to(gallery), "inner-product")
                == right
                for (queries, gallery), right in zip(_closed(way, blocks), truth, strict=True)
            ]
        ).double()
        for way in (None, CLOSINGS[CENTRED])
    )
    found, found_error = mean_and_error(untouched, seed=seed)
    gain, gain_error = paired_gain(centred, untouched, seed=seed)
    return {"found": found, "gain": gain, "found_error": found_error, "gain_error": gain_error}


def over_bins(blocks: Sequence[Embeddings], bins: Iterable[int], seed: int = 0) -> pd.DataFrame:
    """Answers that survive rounding to one grid for all coordinates, as in the paper's Figure 10.

    `compare_blocks` of every closing but the centred, and of the untouched rows about the
    circumcentre, which closes nothing and only makes the grid's range smaller; and `bins`.
    """
    noises = {str(count): UniformQuantization(count) for count in bins}
    closings = {name: closing for name, closing in CLOSINGS.items() if name != CENTRED}
    frame = compare_blocks(blocks, closings, noises, scorings=["euclidean"], seed=seed)
    about = [about_circumcentre(block) for block in blocks]
    beside = compare_blocks(about, {ABOUT_C: None}, noises, scorings=["euclidean"], seed=seed)
    both = pd.concat([frame, beside], ignore_index=True)
    return both.assign(bins=both["noise"].astype(int))


def about_beside_shift(
    blocks: Sequence[Embeddings], bins: int, seed: int = 0
) -> tuple[float, float]:
    """What moving to the circumcentre alone keeps beyond what the mean shift keeps, at `bins` bins.

    The share of answers by Euclidean distance, and its paired error over the queries of all blocks.
    """
    rounding = UniformQuantization(bins)
    about = [about_circumcentre(block) for block in blocks]
    both = [(block.queries, block.gallery) for block in about], _closed(MeanShift(), blocks)
    alone, shifted = (
        torch.cat([nearest(x, rounding.quantize(y)) == nearest(x, y) for x, y in sides])
        for sides in both
    )
    return paired_gain(alone, shifted, seed=seed)


def about_circumcentre(embeddings: Embeddings) -> Embeddings:
    """Both sides relative to the projection of the origin onto the gallery's affine hull.

    A translation of everything: no Euclidean distance changes, yet a grid that spans the entries
    gets finer, and inner product and cosine rank anew.
    """
    components, _ = principal_components(embeddings.gallery)
    mean = work(embeddings.gallery).mean(dim=0)
    center = mean - project(mean, components)
    return Embeddings(
        (work(embeddings.queries) - center).to(embeddings.queries.dtype),
        (work(embeddings.gallery) - center).to(embeddings.gallery.dtype),
        embeddings.targets,
        dict(embeddings.info),
    )
