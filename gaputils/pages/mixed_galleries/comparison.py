"""Ways of ranking a mixed gallery on random halves, with errors over scenes and over halves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_generator, integer
from gaputils.pages import with_error
from gaputils.pages.mixed_galleries.mixture import Mixture
from gaputils.pages.mixed_galleries.ways import OURS, WAYS, Way, by_cosine


def each_scene(
    mixture: Mixture,
    ways: Mapping[str, Way] = WAYS,
    *,
    halves: int = 20,
    searched: int | Tensor | None = None,
    fitted: int | None = None,
    k: int = 10,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """For each way its measures: a row a split and a scene that was searched in it.

    In each of `halves` splits, `searched` random scenes (half of them), or always those named,
    are searched, and what is fitted is fitted on `fitted` random ones of the others (all).
    """
    generator = as_generator(seed)
    scenes = torch.unique(mixture.scenes)
    size = len(scenes) // 2 if searched is None else searched
    if not isinstance(size, Tensor):
        integer("searched", size, low=1, high=len(scenes) - 2)
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in ways}
    for _ in range(integer("halves", halves, low=1)):
        order = scenes[torch.randperm(len(scenes), generator=generator)]
        chosen = size if isinstance(size, Tensor) else order[:size]
        others = order[~torch.isin(order, chosen)]
        if fitted is not None:
            others = others[: integer("fitted", fitted, low=2, high=len(others))]
        here, elsewhere = mixture.of(chosen), mixture.of(others)
        for name, way in ways.items():
            found[name].append(here.rate(way(elsewhere, here), k))
    splits = range(halves)
    return {
        name: pd.concat(dict(zip(splits, parts, strict=True)), names=["split"])
        for name, parts in found.items()
    }


def summary(scenes: Mapping[str, pd.DataFrame], ours: str = OURS) -> pd.DataFrame:
    """A row a way: each measure and its error (`over_scenes`), and how far `ours` is ahead.

    `ahead` is the mean over scenes of `ours` less the way in NDCG; its error is paired.
    """
    first = next(iter(scenes.values())).columns[0]
    rows = {}
    for name, table in scenes.items():
        row = {}
        for column in table:
            row[column], row[f"{column} error"] = over_scenes(table[column])
        if ours in scenes:
            lead = scenes[ours][first] - table[first]
            row["ahead"], row["ahead error"] = over_scenes(lead)
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("way")


def summaries(scenes: Mapping[str, Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """`summary` of each task."""
    return {task: summary(tables) for task, tables in scenes.items()}


def over_scenes(values: pd.Series[float]) -> tuple[float, float]:
    """The mean over scenes of their means over splits, and its standard error.

    `values` are by split and scene; those that are not there are left out. The error is over
    scenes and, since all scenes of a split are ranked by what was fitted on the same rows, over
    splits: by how much more the means of splits differ than as many random scenes let them.
    """
    known = values.dropna()
    scenes, splits = (known.groupby(level=name).mean() for name in ("scene", "split"))
    variance = scenes.var(ddof=1) / len(scenes)
    if len(splits) > 1:
        searched = len(known) / len(splits)
        by_scenes = scenes.var(ddof=1) * (1 / searched - 1 / len(scenes))
        variance += max(0.0, splits.var(ddof=1) - by_scenes) / len(splits)
    return float(scenes.mean()), float(np.sqrt(variance))


def across(mixtures: Mapping[str, Mixture], ways: Sequence[str], **options: int) -> pd.DataFrame:
    """`summary` of some `ways` on each mixture, under (mixture, way)."""
    chosen = {way: WAYS[way] for way in ways}
    tables = {title: summary(each_scene(m, chosen, **options)) for title, m in mixtures.items()}
    if not tables:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["gallery", "way"]))
    return pd.concat(tables, names=["gallery"])


def side_by_side(table: pd.DataFrame, value: str, ways: Sequence[str]) -> pd.DataFrame:
    """`value` of `across` as "mean ± error": a row a mixture, a column a way."""
    words = readable(table, {value: value})[value] if len(table) else pd.Series(dtype=str)
    return pd.DataFrame({way: words.xs(way, level="way") for way in ways if len(table)})


def standing(lead: float, error: float) -> str:
    """In words whether a paired difference is more than two standard errors from zero."""
    if abs(lead) <= 2 * error:
        return "within two errors of"
    return "ahead of" if lead > 0 else "behind"


def readable(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Columns of a `summary` as "mean ± error", under the names that `columns` gives them."""
    return pd.DataFrame(
        {
            title: [
                with_error(mean, error)
                for mean, error in zip(table[name], table[f"{name} error"], strict=True)
            ]
            for name, title in columns.items()
        },
        index=table.index,
    )


def over(
    mixture: Mixture, name: str, sizes: Sequence[int], ways: Sequence[str], **options: int
) -> pd.DataFrame:
    """`summary` of some `ways` for each of `sizes` of `name`, "searched" or "fitted" scenes."""
    chosen = {way: WAYS[way] for way in ways}
    tables = [
        summary(each_scene(mixture, chosen, **{**options, name: size}))
        .reset_index()
        .assign(**{name: size})
        for size in sizes
    ]
    return pd.concat(tables, ignore_index=True)


def unchanged(mixture: Mixture) -> pd.DataFrame:
    """Of how many queries the first, and the order, within each kind is what cosine has.

    Rows `offset and scale alone` and `mixed gallery`, fitted on the rows themselves; a query
    does not find itself.
    """
    before = by_cosine(mixture, mixture)
    rows = []
    for way in ("offset and scale alone", OURS):
        for kind, after in WAYS[way](mixture, mixture).items():
            pair = [before[kind].clone(), after]
            if kind == mixture.own:
                pair = [values.fill_diagonal_(-torch.inf) for values in pair]
            old, new = (v.sort(dim=1, descending=True, stable=True).indices for v in pair)
            rows.append(
                {
                    "way": way,
                    "kind": kind,
                    "queries": len(new),
                    "another order": int((old != new).any(dim=1).sum()),
                    "another first": int((old[:, 0] != new[:, 0]).sum()),
                }
            )
    return pd.DataFrame(rows)


def score_samples(mixture: Mixture, way: Way, own: str) -> pd.DataFrame:
    """Every score of the mixture in one column, with what it is the score of.

    `pair` is "its own …" for right items of kind `own`, else "other …s" by kind; a query's score
    with itself is left out.
    """
    parts = []
    for kind, values in way(mixture, mixture).items():
        right = mixture.scenes[:, None] == mixture.labels[kind]
        words = np.where(right, f"its own {kind}", f"other {kind}s")
        shown = torch.ones_like(right) if kind == own else ~right
        found = {"score": values[shown].numpy(), "pair": words[shown.numpy()]}
        parts.append(pd.DataFrame(found))
    return pd.concat(parts, ignore_index=True)


def nearer_than_own(mixture: Mixture, own: str, other: str) -> float:
    """Mean share of unrelated items of kind `other` that are closer than the right one of `own`."""
    found = by_cosine(mixture, mixture)
    right = mixture.scenes[:, None] == mixture.labels[own]
    best = found[own].masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    stranger = mixture.scenes[:, None] != mixture.labels[other]
    return float(((found[other] > best) & stranger).sum() / stranger.sum())
