"""A part of a large pair of sides on which everything can be measured, drawn without reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gaputils import _checks
from gaputils.embeddings import Embeddings, draw, draw_beside, without_owners
from gaputils.geometry.sums import hand_back

ITEMS = 5000
_AT_ONCE = 128


@dataclass(frozen=True)
class Sample:
    """Some `embeddings` of the sides `queries` and `gallery`, arrays that may be memory maps.

    `answers` (n, k) are the gallery rows that are right for each of its queries, filled up with -1.
    """

    embeddings: Embeddings
    answers: torch.Tensor | None
    queries: Any
    gallery: Any

    @classmethod
    def of(cls, source: Embeddings | tuple[Any, ...], rows: int, items: int, seed: int) -> Sample:
        """At most `rows` queries and `items` gallery rows, each query's right item among them."""
        rows = _checks.integer("rows", rows, low=1)
        items = _checks.integer("items", items, low=2)
        queries, gallery, answers = _sides(source)
        generator = _checks.as_generator(seed)
        shown = draw(len(queries), rows, generator)
        wanted = torch.empty(0, dtype=torch.int64)
        if answers is not None:
            answers = answers.cpu()[shown]
            wanted = torch.unique(answers[answers >= 0])
        kept = torch.arange(len(gallery))
        if len(gallery) > items:
            kept = draw_beside(wanted, len(gallery), items, generator)
        targets = None
        if answers is not None:
            places = torch.searchsorted(kept, answers.clamp_min(0))
            answers = torch.where(answers < 0, -1, places)
            targets = answers[:, 0] if bool((answers[:, 0] >= 0).all()) else None
        info = without_owners(source.info) if isinstance(source, Embeddings) else {}
        if answers is None:
            info["paired"] = False
        part = Embeddings(_take(queries, shown), _take(gallery, kept), targets, info)
        answers = None if answers is None else answers.to(part.queries.device)
        return cls(part, answers, queries, gallery)

    @property
    def total_queries(self) -> int:
        return len(self.queries)

    @property
    def total_items(self) -> int:
        return len(self.gallery)

    @property
    def is_part(self) -> bool:
        e = self.embeddings
        return len(e.queries) < self.total_queries or len(e.gallery) < self.total_items


def _sides(source: Embeddings | tuple[Any, ...]) -> tuple[Any, Any, torch.Tensor | None]:
    if isinstance(source, Embeddings):
        return source.queries, source.gallery, source.answers
    if len(source) not in (2, 3):
        raise ValueError(
            f"embeddings: expected (queries, gallery) or (queries, gallery, targets), "
            f"got a tuple of {len(source)}"
        )
    queries, gallery = source[:2]
    for name, side in (("queries", queries), ("gallery", gallery)):
        if isinstance(side, torch.Tensor):
            _checks.dense(name, side)
        if not isinstance(side, (np.ndarray, torch.Tensor)) or side.ndim != 2 or not len(side):
            _checks.as_matrix(name, side)
    targets = source[2] if len(source) == 3 else None
    if targets is None and len(queries) == len(gallery):
        return queries, gallery, torch.arange(len(queries))[:, None]
    if targets is not None:
        device = torch.device("cpu")
        targets = _checks.as_answers("targets", targets, len(queries), len(gallery), device)
    return queries, gallery, targets


def _take(side: Any, rows: torch.Tensor) -> Any:
    if len(rows) == len(side):
        return side
    if isinstance(side, torch.Tensor):
        return side[rows.to(side.device)]
    # A row of a memory map brings its neighbours with it, up to megabytes: they are handed back.
    parts = []
    for chosen in torch.split(rows, _AT_ONCE):
        parts.append(np.array(side[chosen.numpy()]))
        hand_back(side)
    return np.concatenate(parts)
