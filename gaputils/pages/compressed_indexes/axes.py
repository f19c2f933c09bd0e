"""Product quantization of rows along other axes than those they come with, over codebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_generator, work
from gaputils.closing.catalogue import fitted, moved
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.pages.compressed_indexes.indexes import decoded
from gaputils.pages.survival import CENTRED, CLOSINGS, ORIGINAL, plus_minus
from gaputils.scoring import nearest, top_k

PLAIN = "hull projection"
RANKINGS = ("inner-product", "cosine")
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


ELSEWHERE = "rotated by OPQ of other rows"
Turn = Callable[[Tensor, int], Tensor]
AXES: dict[str, Turn] = {
    "as they come": as_they_come,
    "rotated at random": at_random,
    "rotated by OPQ": optimized,
    ELSEWHERE: optimized,
}


def over_axes(
    blocks: Sequence[Embeddings],
    seeds: Iterable[int],
    index: str = "PQ",
    axes: Sequence[str] = tuple(AXES),
) -> pd.DataFrame:
    """What an index of faiss finds after both sides are rotated to other `axes`, of `AXES`.

    A row for each, and for each of `RANKINGS` of the decoded rows: by inner product their lengths
    count, by cosine they do not. A rotation changes no score of floats and turns every closing with
    it; that of `ELSEWHERE` is learned from the galleries of all other blocks. `untouched` is the
    share of the floats' answers; `centred` and `plain` are what the projection adds with its centre
    taken away and without; `five` is what five candidates of centred rows hold beyond ten of
    untouched ones, `level` what the ranking adds to untouched rows by inner product, and `ahead`
    what untouched rows find beyond the closing that finds the most without OPQ, by any axes and
    ranking. Each is a mean over `seeds`, of codebooks and rotations, with its paired bootstrap
    error over the queries.
    """
    if ELSEWHERE in axes and len(blocks) < 2:
        raise ValueError(f"blocks: expected two or more for {ELSEWHERE!r}, got {len(blocks)}")
    drawn, counts = list(seeds), {ORIGINAL: (1, 10), CENTRED: (1, 5), PLAIN: (1,)}
    hits: dict[tuple[str, str, str, int], list[Tensor]] = {}
    for place, block in enumerate(blocks):
        other = [one.gallery for one in (*blocks[:place], *blocks[place + 1 :])]
        sides = work(block.queries), work(block.gallery)
        truth = nearest(*sides, "inner-product")[:, None]
        closed = {name: moved(fitted(CLOSINGS[name], *sides), *sides) for name in counts}
        for each, seed in product(axes, drawn):
            source = torch.cat(other) if each == ELSEWHERE else block.gallery
            rotation = AXES[each](source, seed)
            for name, (queries, gallery) in closed.items():
                back = decoded(gallery @ rotation, index, seed=seed)
                for ranking in RANKINGS:
                    items = top_k(queries @ rotation, back, max(counts[name]), ranking)
                    for count in counts[name]:
                        found = (items[:, :count] == truth).any(dim=1).double()
                        hits.setdefault((each, ranking, name, count), []).append(found)
    mean = {key: _over_seeds(found, len(drawn)) for key, found in hits.items()}
    others = [each for each in axes if AXES[each] is not optimized] or axes
    closings = product(others, RANKINGS, (CENTRED, PLAIN), [1])
    best = max((mean[key] for key in closings), key=lambda found: float(found.mean()))
    rows = {}
    for each, ranking in product(axes, RANKINGS):
        base = mean[each, ranking, ORIGINAL, 1]
        rows[each, ranking] = {
            "untouched": base,
            "centred": mean[each, ranking, CENTRED, 1] - base,
            "plain": mean[each, ranking, PLAIN, 1] - base,
            "five": mean[each, ranking, CENTRED, 5] - mean[each, ranking, ORIGINAL, 10],
            "level": base - mean[each, RANKINGS[0], ORIGINAL, 1],
            "ahead": base - best,
        }
    return pd.DataFrame({key: _told(values) for key, values in rows.items()}).T


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
    return pd.DataFrame(columns, index=[", ".join(key) for key in frame.index])


def _over_seeds(each: list[Tensor], seeds: int) -> Tensor:
    blocks = [each[start : start + seeds] for start in range(0, len(each), seeds)]
    return torch.cat([torch.stack(block).mean(dim=0) for block in blocks])


def _told(values: dict[str, Tensor]) -> dict[str, float]:
    errors = bootstrap_means(torch.stack(list(values.values()), dim=1)).std(axis=0)
    means = {name: float(value.mean()) for name, value in values.items()}
    return means | {f"{name}_error": float(e) for name, e in zip(values, errors, strict=True)}
