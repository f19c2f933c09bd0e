"""One vocabulary for every comparison of closings, and errors that are paired over the queries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import pad

from gaputils._checks import choice, integer
from gaputils.evaluation.protocol import bootstrap_means
from gaputils.noise._monte_carlo import Estimate

Key = tuple[str | None, str, str]
"""A closing's label, None for the untouched original; a scoring; a noise's label."""

Rival = str | tuple[str, str] | None
"""What a gain is over: a closing under the row's own or a given scoring, or None, the original."""


@dataclass(frozen=True)
class Outcome:
    """Each query's answer without noise (n,), and how probably it stays and is right under it."""

    nearest: Tensor
    kept: Estimate
    right: Estimate | None = None

    @classmethod
    def together(cls, parts: Sequence[Outcome]) -> Outcome:
        """Those of several galleries, one after the other."""
        right = [part.right for part in parts if part.right is not None]
        return cls(
            torch.cat([part.nearest for part in parts]),
            Estimate.together([part.kept for part in parts]),
            Estimate.together(right) if right else None,
        )


@dataclass(frozen=True)
class Comparison:
    """What closings did to the same queries: the `outcomes`, the `labels` shown, the `targets`."""

    outcomes: Mapping[Key, Outcome]
    labels: Mapping[str, str | None]
    targets: Tensor | None

    @classmethod
    def together(cls, parts: Sequence[Comparison]) -> Comparison:
        """Those of several galleries, whose queries count as one set; all with targets."""
        first = parts[0]
        targets = [part.targets for part in parts if part.targets is not None]
        return cls(
            {
                key: Outcome.together([part.outcomes[key] for part in parts])
                for key in first.outcomes
            },
            first.labels,
            _padded(targets) if targets else None,
        )

    def table(self, bootstrap: int = 1000, seed: int = 0, against: Rival = None) -> pd.DataFrame:
        """The table that `compare_closings` describes.

        A row for each of `labels`, which name what stands in `outcomes` as the closing of the
        value, and each scoring and noise in their order there. Gains are over `against`;
        `outcomes` hold the original's, too.
        """
        if integer("bootstrap", bootstrap, low=0) == 1:
            raise ValueError("bootstrap: expected 0 for none, or at least 2 draws, got 1")
        scorings = dict.fromkeys(scoring for _, scoring, _ in self.outcomes)
        noises = dict.fromkeys(noise for _, _, noise in self.outcomes)
        name, over = as_rival(against, self.labels, scorings)
        base = None if name is None else self.labels[name]
        rows, parts, drawn = [], [], []
        for label, scoring, noise in product(self.labels, scorings, noises):
            outcome = self.outcomes[self.labels[label], scoring, noise]
            untouched = self.outcomes[None, scoring, noise]
            rival = self.outcomes[base, over or scoring, noise]
            values = dict(_values(outcome, rival, self.targets))
            row: dict[str, Any] = {"closing": label, "scoring": scoring, "noise": noise}
            row |= {name: float(per_query.mean()) for name, (per_query, _) in values.items()}
            row["unchanged"] = float((outcome.nearest == untouched.nearest).double().mean())
            rows.append(row | {"standard_error": outcome.kept.standard_error})
            parts.append(torch.stack([per_query for per_query, _ in values.values()], dim=1))
            drawn.append([error for _, error in values.values()])
        frame = pd.DataFrame(rows)
        names = list(values)
        if bootstrap:
            each = torch.cat(parts, dim=1).cpu()
            over_queries = bootstrap_means(each, bootstrap, seed).std(axis=0)
            errors = np.hypot(over_queries.reshape(len(rows), -1), np.array(drawn))
            frame = frame.assign(**{f"{n}_error": errors[:, i] for i, n in enumerate(names)})
        order = [name for n in names for name in (n, f"{n}_error") if name in frame]
        return frame[["closing", "scoring", "noise", *order, "unchanged", "standard_error"]]


def _padded(answers: Sequence[Tensor]) -> Tensor:
    """Answers (n, k) of several tasks under one another, filled up with -1 where k differs."""
    each = [one.view(len(one), -1) for one in answers]
    widest = max(one.shape[1] for one in each)
    return torch.cat([pad(one, (0, widest - one.shape[1]), value=-1) for one in each])


def as_rival(
    against: Rival, labels: Iterable[str], scorings: Iterable[str]
) -> tuple[str | None, str | None]:
    """The closing and the scoring, None for each row's own, that gains are over."""
    name, scoring = against if isinstance(against, tuple) else (against, None)
    for value, known in ((name, labels), (scoring, scorings)):
        if value is not None:
            choice("against", value, tuple(known))
    return name, scoring


def _values(
    outcome: Outcome, base: Outcome, targets: Tensor | None
) -> Iterator[tuple[str, tuple[Tensor, float]]]:
    """Each quantity's value for every query (n,), and the error that the draws of noise add."""
    yield "robustness", (outcome.kept.per_query.double(), outcome.kept.standard_error)
    yield "gain", _difference(outcome.kept, base.kept)
    if targets is None or outcome.right is None or base.right is None:
        return
    yield "right", (outcome.right.per_query.double(), outcome.right.standard_error)
    yield "right_gain", _difference(outcome.right, base.right)
    hit, before = (among(one.nearest, targets).double() for one in (outcome, base))
    yield "accuracy", (hit, 0.0)
    yield "accuracy_gain", (hit - before, 0.0)


def among(found: Tensor, answers: Tensor) -> Tensor:
    """(n,) whether each of `found` (n,) is one of its `answers`, (n,) or (n, k)."""
    return (found[:, None] == answers.view(len(found), -1)).any(dim=1)


def _difference(one: Estimate, base: Estimate) -> tuple[Tensor, float]:
    per_query = one.per_query.double() - base.per_query.double()
    if one is base:
        return per_query, 0.0
    if one.draws > 1 and one.draws == base.draws:  # the same draws
        return per_query, float((one.shares - base.shares).std() / math.sqrt(one.draws))
    return per_query, math.hypot(one.standard_error, base.standard_error)
