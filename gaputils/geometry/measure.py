"""All measures of one pair of modalities, with intervals on request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import overload

import pandas as pd
import torch

from gaputils import _checks
from gaputils.embeddings import Embeddings, draw, draw_beside, require_embeddings, without_owners
from gaputils.geometry.catalogue import MEASURES, Sample
from gaputils.geometry.moments import Moments, moment_measures


@overload
def measure_gap(
    embeddings: Embeddings,
    measures: Sequence[str] | None = None,
    *,
    bootstrap: None = None,
    level: float = 0.95,
    tau: float = 0.02,
    max_rows: int = 1000,
    seed: int = 0,
) -> pd.Series[float]: ...


@overload
def measure_gap(
    embeddings: Embeddings,
    measures: Sequence[str] | None = None,
    *,
    bootstrap: int,
    level: float = 0.95,
    tau: float = 0.02,
    max_rows: int = 1000,
    seed: int = 0,
) -> pd.DataFrame: ...


def measure_gap(
    embeddings: Embeddings,
    measures: Sequence[str] | None = None,
    *,
    bootstrap: int | None = None,
    level: float = 0.95,
    tau: float = 0.02,
    max_rows: int = 1000,
    seed: int = 0,
) -> pd.Series[float] | pd.DataFrame:
    """Every measure of the gap, or the named `measures`: a Series with one row each.

    `describe_measures` says what each row is and where it is from. Measures of matched pairs are
    left out if the embeddings have no targets, and any measure for which a side has too few rows;
    NaN says that a measure is not defined: the share of a variance that is zero, what lies along a
    gap that is zero to rounding, a cosine of rows of which one is zero, neighbours where fewer than
    three rows or items differ. The last two are errors if the measure is asked for by name.
    `tau` is the temperature of `double_stochastic_deviation`. What takes time or memory quadratic
    in the rows is computed on at most `max_rows` rows a side, drawn with `seed` (pairs stay
    together); what means and covariances determine always uses all rows.

    With `bootstrap` draws the result is a DataFrame with columns `value`, `low` and `high`: the
    `level` interval. Each draw is half of the rows without replacement, whose error about the
    whole sample is as large as that of the whole sample about the truth (Efron 1982, chapter 6);
    drawing with replacement would repeat rows, and repeated rows are neighbours at distance zero.
    Pairs are drawn together, and a gallery that several queries share (class texts) stays fixed.
    Of what is computed on `max_rows` rows it is half of these. The halves need as many rows as a
    measure does, and draws in which it is not defined are left out of its interval.

    Args:
        embeddings: n queries and m gallery rows of d dimensions.
        measures: names of rows; None for all.
        bootstrap: draws, or None for no interval.
        level: of the interval.
        tau: temperature on squared distances.
        max_rows: of a side, for what is quadratic in them.
        seed: of every draw.

    Raises `TypeError` or `ValueError` that names the argument for an unknown measure, one that is
    asked for by name and that these embeddings do not allow, and what is no number in its range.

    >>> import numpy as np, gaputils as gu
    >>> e = gu.Embeddings(np.eye(3) + 1, np.eye(3))
    >>> gu.measure_gap(e, ["gap_norm", "matched_cosine"]).round(3)
    gap_norm          1.732
    matched_cosine    0.816
    Name: value, dtype: float64
    """
    require_embeddings(embeddings)
    if embeddings.queries.device.type == "mps":
        embeddings = embeddings.to("cpu")
    rows = _checks.integer("max_rows", max_rows, low=3)
    tau = _checks.number("tau", tau, low=0, strict=True)
    seed = _checks.as_seed(seed)
    draws = 0 if bootstrap is None else _checks.integer("bootstrap", bootstrap, low=2)
    tail = (1 - _checks.number("level", level, low=0, high=1, strict=True)) / 2
    few = _sample(embeddings, rows, seed)
    names = _selected(embeddings, few, measures, halved=draws > 0)
    by_name = measures is not None
    value = _measure(embeddings, few, names, tau, seed, by_name)
    if bootstrap is None:
        return value
    generator = _checks.as_generator(seed)
    found = []
    for _ in range(draws):
        half = _half(embeddings, generator)
        part = half if few is embeddings else _half(few, generator)
        found.append(_measure(half, part, names, tau, seed))
    drawn = pd.DataFrame(found)
    centred = drawn - drawn.mean()
    low, high = centred.quantile(tail), centred.quantile(1 - tail)
    return pd.DataFrame({"value": value, "low": value + low, "high": value + high})


def _selected(
    embeddings: Embeddings, few: Embeddings, measures: Sequence[str] | None, halved: bool
) -> list[str]:
    """`measures`, or all that the rows allow; if `halved`, that half of them do."""
    every, some = _least_rows(embeddings, halved), _least_rows(few, halved)
    if every < 1:
        raise ValueError(f"bootstrap: expected 2 rows a side to draw half of, got {embeddings!r}")
    possible = [
        name
        for name, measure in MEASURES.items()
        if (some if measure.compute else every) >= measure.rows
        and (embeddings.targets is not None or not measure.pairs)
    ]
    if measures is None:
        return possible
    if isinstance(measures, str) or not isinstance(measures, Iterable):
        raise TypeError(f"measures: expected a list of names, got {measures!r}")
    names = list(measures)
    for name in names:
        _checks.choice("measures", name, tuple(MEASURES))
        if name not in possible:
            need = "targets and " if MEASURES[name].pairs else ""
            where = "in half of a side" if halved else "a side"
            raise ValueError(
                f"measures: {name} needs {need}at least {MEASURES[name].rows} rows {where}, "
                f"got {embeddings!r}"
            )
    return names


def _least_rows(e: Embeddings, halved: bool) -> int:
    """Rows of the smaller side, or of half of it, as `_half` draws it."""
    n, m = len(e.queries), len(e.gallery)
    if not halved:
        return min(n, m)
    shared = e.targets is not None and not e.paired
    return min(n // 2, m if shared else m // 2)


def _measure(
    embeddings: Embeddings,
    few: Embeddings,
    names: list[str],
    tau: float,
    seed: int,
    by_name: bool = False,
) -> pd.Series[float]:
    """A row for each of `names`, of all `embeddings` or of the `few` that its time allows.

    One that is not defined is an error if `by_name`, else NaN.
    """
    sample = Sample(few.queries, few.gallery, few.targets, tau, seed)
    determined: dict[str, float] = {}
    if any(MEASURES[name].compute is None for name in names):
        sides = Moments.of(embeddings.queries), Moments.of(embeddings.gallery)
        determined = moment_measures(*sides, names, seed=seed)
    values = {}
    for name in names:
        measure = MEASURES[name]
        if measure.compute is None:
            values[name] = determined[name]
        else:
            allowed = by_name or measure.defined(sample)
            values[name] = measure.compute(sample) if allowed else math.nan
    return pd.Series(values, index=names, dtype=float, name="value")


def _sample(e: Embeddings, limit: int, seed: int) -> Embeddings:
    """At most `limit` rows a side, each query still with the gallery row that answers it."""
    if max(len(e.queries), len(e.gallery)) <= limit:
        return e
    generator = _checks.as_generator(seed)
    rows = draw(len(e.queries), limit, generator)
    if e.paired:
        return Embeddings(e.queries[rows], e.gallery[rows], None, without_owners(e.info))
    if e.targets is None:
        items = draw(len(e.gallery), limit, generator)
        return Embeddings(e.queries[rows], e.gallery[items], None, {"paired": False})
    wanted = torch.unique(e.targets[rows]).cpu()
    items = draw_beside(wanted, len(e.gallery), limit, generator)
    index = torch.searchsorted(items, e.targets[rows].cpu())
    targets = index.to(e.queries.device)
    return Embeddings(e.queries[rows], e.gallery[items], targets, without_owners(e.info))


def _half(e: Embeddings, generator: torch.Generator) -> Embeddings:
    """Half of the rows, drawn without replacement, in the way that the data were drawn."""
    rows = draw(len(e.queries), len(e.queries) // 2, generator)
    if e.paired:
        return Embeddings(e.queries[rows], e.gallery[rows], None, without_owners(e.info))
    if e.targets is None:
        items = draw(len(e.gallery), len(e.gallery) // 2, generator)
        return Embeddings(e.queries[rows], e.gallery[items], None, {"paired": False})
    return Embeddings(e.queries[rows], e.gallery, e.targets[rows], without_owners(e.info))
