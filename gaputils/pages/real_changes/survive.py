"""A changed system before and after closing: do answers stay, and are they right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils.closing import Closing
from gaputils.closing.catalogue import Closings, fit_all, moved
from gaputils.embeddings import Embeddings
from gaputils.evaluation.protocol import answerable_blocks
from gaputils.evaluation.table import Comparison, Key, Outcome
from gaputils.noise import variance_between
from gaputils.noise._monte_carlo import Estimate
from gaputils.scoring import nearest

Change = Embeddings | Sequence[Embeddings]


def survive(
    task: Embeddings,
    changes: Mapping[str, Change],
    closings: Closings | Sequence[Closings],
    *,
    size: int = 100,
    scorings: Sequence[str] = ("cosine",),
    refit: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Answers that stay, and that are right, when a `task` with targets is served changed.

    A change is the same task with other rows on either side, or several such, over which is then
    averaged query by query. Galleries are blocks of `size` items (`answerable_blocks`). A closing
    is fitted on a block as it was, and moves what is changed; with `refit` it is fitted anew on
    what is changed. `closings` may be one mapping a block, with the same labels in all.

    The columns are those of `compare_closings`, with the change's label as `noise`: `robustness` is
    the share of answers that are what the same closing gave before the change, `right` that of
    right ones after it.
    """
    bases = answerable_blocks(task, size)
    others = {
        name: [answerable_blocks(one, size) for one in as_several(change)]
        for name, change in changes.items()
    }
    each = [closings] * len(bases) if isinstance(closings, Mapping) else closings
    parts = []
    for place, (base, ways) in enumerate(zip(bases, each, strict=True)):
        changed = {name: [one[place] for one in some] for name, some in others.items()}
        around = {name: [one[place - 1] for one in some] for name, some in others.items()}
        parts.append(_of_block(base, bases[place - 1], changed, around, ways, scorings, refit))
    return Comparison.together(parts).table(bootstrap, seed)


def _of_block(
    base: Embeddings,
    before: Embeddings,
    changed: Mapping[str, Sequence[Embeddings]],
    around: Mapping[str, Sequence[Embeddings]],
    closings: Closings,
    scorings: Sequence[str],
    refit: bool,
) -> Comparison:
    labels = {label: None if way is None else label for label, way in closings.items()}
    unique: dict[Any, Closing | None] = {None: None}
    unique |= {label: way for label, way in closings.items() if way is not None}
    once = fit_all(unique, base, before)
    assert base.targets is not None
    found: dict[Key, Outcome] = {}
    for name, several in changed.items():
        again = [
            fit_all(unique, one, near) if refit else once
            for one, near in zip(several, around[name], strict=True)
        ]
        for label, scoring in ((label, scoring) for label in unique for scoring in scorings):
            first = nearest(*moved(once[label], base.queries, base.gallery), scoring)
            after = [
                nearest(*moved(fitted[label], one.queries, one.gallery), scoring)
                for fitted, one in zip(again, several, strict=True)
            ]
            kept, right = (
                Estimate.exact(_share([answers == wanted for answers in after]))
                for wanted in (first, base.targets)
            )
            found[label, scoring, name] = Outcome(first, kept, right)
    return Comparison(found, labels, base.targets)


def steadiness(task: Embeddings, changes: Sequence[Embeddings], size: int = 100) -> Tensor:
    """(changes, n) whether each query has the same answer by cosine after each change."""
    bases = [nearest(b.queries, b.gallery, "cosine") for b in answerable_blocks(task, size)]
    return torch.stack(
        [
            torch.cat(
                [
                    nearest(b.queries, b.gallery, "cosine") == first
                    for b, first in zip(answerable_blocks(one, size), bases, strict=True)
                ]
            )
            for one in changes
        ]
    )


def sizes(task: Embeddings, changes: Mapping[str, Embeddings], side: str = "gallery") -> pd.Series:
    """The total variance a row of each change on the `side` "gallery" or "queries"."""
    before = getattr(task, side)
    return pd.Series({n: variance_between(before, getattr(c, side)) for n, c in changes.items()})


def single_sizes(task: Embeddings, changes: Mapping[str, Embeddings]) -> pd.Series:
    """`sizes` of the gallery without the step that all of its items share."""
    moves = {name: (one.gallery - task.gallery).double() for name, one in changes.items()}
    return pd.Series({n: float(m.var(dim=0, correction=0).sum()) for n, m in moves.items()})


def as_several(change: Change) -> Sequence[Embeddings]:
    return [change] if isinstance(change, Embeddings) else change


def _share(hits: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(hits)).double().mean(dim=0)
