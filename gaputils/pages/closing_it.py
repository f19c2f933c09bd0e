"""Closing the gap: curves over alpha, along a training, over tasks and sizes of the gallery."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import gaputils as gu
from gaputils.closing import Closing, ClosingDoesNothing
from gaputils.embeddings import Embeddings, known_targets
from gaputils.evaluation.compare import compared
from gaputils.evaluation.protocol import mean_over_groups, paired_gain
from gaputils.models import Model
from gaputils.noise import GaussianNoise
from gaputils.pages import SCORING_WORDS
from gaputils.pages.intro import CLOSINGS, ORIGINAL, SHIFT, cell
from gaputils.pages.survival import plus_minus

PROJECTION = "hull projection"


def unit(embeddings: Embeddings) -> Embeddings:
    """The same task with rows of norm 1, in its own precision: that decides what the hull spans."""
    e = embeddings
    return Embeddings(e.queries, e.gallery, e.targets, dict(e.info), normalize=True)


def curves(
    embeddings: Embeddings,
    closing: Closing,
    alphas: Sequence[float],
    noises: Sequence[GaussianNoise],
    draws: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The exact curves over `alphas`, and Monte-Carlo points at 0, a half and 1."""
    sides = embeddings.queries, embeddings.gallery, closing
    exact = gu.robustness_curve(*sides, alphas, noises, targets=embeddings.targets)
    points = gu.robustness_curve(
        *sides, [0.0, 0.5, 1.0], noises, method="monte-carlo", draws=draws, seed=seed
    )
    return exact, points


def rises(frame: pd.DataFrame) -> bool:
    """True if robustness nowhere falls up to alpha 1, at any of the variances."""
    until = frame[frame["alpha"] <= 1]
    return all(p["robustness"].is_monotonic_increasing for _, p in until.groupby("variance"))


def furthest_point(exact: pd.DataFrame, points: pd.DataFrame) -> float:
    """How many of its standard errors the Monte-Carlo point furthest from its curve is off.

    A point whose draws all agree shows no error, and is left out; 0 if all are.
    """
    joined = points[points["standard_error"] > 0].merge(
        exact, on=["alpha", "variance"], suffixes=("_mc", "")
    )
    off = (joined["robustness_mc"] - joined["robustness"]).abs() / joined["standard_error"]
    return float(off.max()) if len(off) else 0.0


def right_less_clean(
    embeddings: Embeddings, variance: float, scoring: str = "euclidean", seed: int = 0
) -> tuple[float, float]:
    """Right answers under noise less those without it, and the paired error over queries."""
    e = embeddings
    noises = {"": GaussianNoise(variance)}
    targets = known_targets(e)
    found = compared((e.queries, e.gallery), {ORIGINAL: None}, noises, targets, [scoring])
    untouched = found.outcomes[None, scoring, ""]
    assert untouched.right is not None
    clean = (untouched.nearest == targets).double()
    return paired_gain(untouched.right.per_query.cpu().numpy(), clean.cpu().numpy(), seed=seed)


def error_over_classes(
    embeddings: Embeddings, closing: Closing, variance: float, scoring: str = "cosine"
) -> float:
    """The standard error of a closing's gain in robustness over draws of whole classes.

    The images of one class are drawn together: many renderings of few emoji tell how sure a gain is
    of these emoji, not how it would be with others.
    """
    sides = embeddings.queries, embeddings.gallery
    closings, noises = {"closed": closing.fit(*sides)}, {"": GaussianNoise(variance)}
    found = compared(sides, closings, noises, None, [scoring]).outcomes
    before, after = (found[key, scoring, ""].kept.per_query for key in (None, "closed"))
    gains = pd.Series((after - before).double().cpu().numpy())
    return mean_over_groups(gains, pd.Series(known_targets(embeddings).cpu().numpy()))[1]


def by_task(
    tasks: Mapping[str, Embeddings], variance: float, bootstrap: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """`compare_closings` of the headline's closings on each of `tasks`, rows of norm 1."""
    parts = []
    for name, task in tasks.items():
        e = unit(task)
        with warnings.catch_warnings():
            # A closing warns where the hull fills the space; the table shows it.
            warnings.simplefilter("ignore", ClosingDoesNothing)
            part = gu.compare_closings(
                e.queries,
                e.gallery,
                CLOSINGS,
                {"": GaussianNoise(variance)},
                targets=e.targets,
                scorings=list(SCORING_WORDS),
                bootstrap=bootstrap,
                seed=seed,
            )
        parts.append(part.assign(task=name))
    return pd.concat(parts, ignore_index=True)


def table(frame: pd.DataFrame, scoring: str = "cosine") -> pd.DataFrame:
    """`by_task` in words under one scoring: a row a closing, a column a task."""
    part = frame[frame["scoring"] == scoring]
    words = part.assign(cell=[cell(row) for row in part.to_dict("records")])
    wide = words.pivot(index="closing", columns="task", values="cell")
    wide = wide.reindex(index=list(CLOSINGS), columns=list(dict.fromkeys(part["task"])))
    wide.index.name = wide.columns.name = None
    return wide


def along_training(
    stages: Mapping[int, Model], images: gu.datasets.Dataset, template: str, variance: float
) -> pd.DataFrame:
    """By training step: gap, accuracy, robustness and the gains of shift and projection, cosine."""
    rows = []
    for step, model in stages.items():
        e = gu.embed(model, images, templates=template)
        found: dict[Any, Any] = (
            by_task({"": e}, variance).set_index(["closing", "scoring"]).to_dict("index")
        )
        start, shift, ours = (found[name, "cosine"] for name in (ORIGINAL, SHIFT, PROJECTION))
        row = {"step": step, "gap": float(gu.gap_vector(e.queries, e.gallery).norm())}
        row |= {"accuracy": start["accuracy"], "robustness": start["robustness"]}
        row |= {"shift": shift["gain"], "shift_error": shift["gain_error"]}
        row |= {"projection": ours["gain"], "projection_error": ours["gain_error"]}
        rows.append(row)
    return pd.DataFrame(rows)


def training_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`along_training` for readers: gains with their errors."""
    shown = frame[["gap", "accuracy", "robustness"]].assign(
        shift=plus_minus(frame["shift"], frame["shift_error"], signed=True),
        projection=plus_minus(frame["projection"], frame["projection_error"], signed=True),
    )
    names = {"shift": "gain of mean shift", "projection": "gain of hull projection"}
    return shown.set_axis(pd.Index(frame["step"], name="step")).rename(columns=names)
