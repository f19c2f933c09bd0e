"""Product quantization of rows along other axes than those they come with, over codebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_generator, work
from gaputils.closing.catalogue import fitted, moved
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.pages.compressed_indexes.indexes import decoded, search
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, plus_minus
from gaputils.scoring import nearest

PLAIN = "hull projection"
_ROUNDS = 3


def as_they_come(gallery: Tensor, seed: int) -> Tensor:
    """No rotation (d, d) of `gallery` (m, d)."""
    del seed
    return torch.eye(gallery.shape[1], dtype=torch.float64)


def at_random(gallery: Tensor, seed: int) -> Tensor:
    """A rotation (d, d) drawn without regard to `gallery` (m, d)."""
    size = 2 * (gallery.shape[1],)
    normal = torch.randn(size, dtype=torch.float64, generator=as_generator(seed))
    rotation: Tensor = torch.linalg.qr(normal)[0]
    return rotation


def optimized(gallery: Tensor, seed: int) -> Tensor:
    """The rotation (d, d) after which PQ is off least on `gallery` (m, d): OPQ (Ge et al. 2013).

    In turns the codes of the rotated rows and the rotation that brings the rows nearest to them.
    """
    rows = work(gallery)
    rotation = as_they_come(rows, seed)
    for _ in range(_ROUNDS):
        left, _, right = torch.linalg.svd(rows.mT @ decoded(rows @ rotation, "PQ", seed=seed))
        rotation = left @ right
    return rotation


Turn = Callable[[Tensor, int], Tensor]
AXES: dict[str, Turn] = {
    "as they come": as_they_come,
    "rotated at random": at_random,
    "rotated by OPQ": optimized,
}


def over_axes(blocks: Sequence[Embeddings], seeds: Iterable[int]) -> pd.DataFrame:
    """What PQ finds by inner product after both sides are rotated to other `AXES`.

    A rotation changes no score of floats. `untouched` is the share of their answers; `centred` and
    `plain` are what the projection adds with its centre taken away and without; `five` is what five
    candidates of centred rows hold beyond ten of untouched ones. Each is a mean over `seeds`, of
    codebooks and rotations, with its paired bootstrap error over the queries.
    """
    drawn, counts = list(seeds), {ORIGINAL: (1, 10), CENTRED: (1, 5), PLAIN: (1,)}
    rows = {}
    for axes, turn in AXES.items():
        hits: dict[tuple[str, int], list[Tensor]] = {}
        for block in blocks:
            truth = nearest(block.queries, block.gallery, "inner-product")[:, None]
            for seed in drawn:
                rotation = turn(block.gallery, seed)
                sides = work(block.queries) @ rotation, work(block.gallery) @ rotation
                for name, within in counts.items():
                    closed = moved(fitted(CLOSINGS[name], *sides), *sides)
                    right = search(*closed, "PQ", k=max(within), seed=seed).items == truth
                    for count in within:
                        found = right[:, :count].any(dim=1).double()
                        hits.setdefault((name, count), []).append(found)
        mean = {key: _over_seeds(each, len(drawn)) for key, each in hits.items()}
        base = mean[ORIGINAL, 1]
        rows[axes] = {
            "untouched": base,
            "centred": mean[CENTRED, 1] - base,
            "plain": mean[PLAIN, 1] - base,
            "five": mean[CENTRED, 5] - mean[ORIGINAL, 10],
        }
    return pd.DataFrame({axes: _told(values) for axes, values in rows.items()}).T


def axes_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`over_axes` for readers, errors as text."""
    titles = {
        "untouched": "untouched",
        "centred": "gain, centred",
        "plain": "gain, not centred",
        "five": "5 centred less 10 untouched",
    }
    columns = {
        title: plus_minus(frame[name], frame[f"{name}_error"], signed=name != "untouched")
        for name, title in titles.items()
    }
    return pd.DataFrame(columns, index=frame.index)


def _over_seeds(each: list[Tensor], seeds: int) -> Tensor:
    blocks = [each[start : start + seeds] for start in range(0, len(each), seeds)]
    return torch.cat([torch.stack(block).mean(dim=0) for block in blocks])


def _told(values: dict[str, Tensor]) -> dict[str, float]:
    errors = bootstrap_means(torch.stack(list(values.values()), dim=1)).std(axis=0)
    means = {name: float(value.mean()) for name, value in values.items()}
    return means | {f"{name}_error": float(e) for name, e in zip(values, errors, strict=True)}
