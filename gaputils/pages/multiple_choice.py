"""Multiple choice: every query has a small gallery of its own (Chowers et al. 2026, Fig. 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import Seed, as_generator, as_matrix, as_targets, integer, unit_rows, work
from gaputils.closing import Closing, HullProjection, MeanShift, Standardizing
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, items_of
from gaputils.evaluation.protocol import mean_and_error
from gaputils.evaluation.table import Comparison, Key, Outcome
from gaputils.geometry import gap_vector
from gaputils.geometry.hull import Hull
from gaputils.noise._cosine import squared_across
from gaputils.noise._monte_carlo import Estimate
from gaputils.noise._wins import ExactWins
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import Answers
from gaputils.pages import with_error
from gaputils.pages.survival import CENTRED, ORIGINAL, plus_minus, told
from gaputils.scoring import SCORINGS, check_scoring, choice_costs, first_equals, least, settle

Sides = tuple[Tensor, Tensor]
RIVAL = "standardising (I0T)"
"""What takes both means away, which costs next to nothing and changes answers."""


def hard_choices(
    texts: Any, targets: Any, options: int = 4, seed: Seed = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Questions with options that are alike, one about the right text of each query.

    `texts` (m, d), `targets` (n,) the right text of each query. The options of question i are text
    `targets[i]` and the `options` - 1 texts most like it, by their cosine: which are hard is not
    decided by the image. Which of them is asked for is drawn from `seed` among those that are right
    for some query: were it always the one about which the others lie, the options would tell it.
    Returns (n,) rows of the queries that ask, (n, `options`) rows of `texts` in an order that is
    drawn, too, and (n,) the right place. Raises `ValueError` if there are fewer texts than options,
    or a zero one.
    """
    texts = as_matrix("texts", texts)
    if integer("options", options, low=2) > len(texts):
        raise ValueError(f"options: expected at most the {len(texts)} texts, got {options}")
    right = torch.as_tensor(targets, device=texts.device)
    right = as_targets("targets", right, len(right), len(texts), texts.device)
    unit = unit_rows("texts", texts)
    unlike = settle(-unit[right] @ unit.mT, first_equals(texts))
    unlike[torch.arange(len(right)), right] = -math.inf
    generator = as_generator(seed)
    order = torch.rand(len(right), options, generator=generator).argsort(dim=1).to(texts.device)
    chosen = least(unlike, options).gather(1, order)
    asker = items_of(right, len(texts))[:, 0]
    draws = torch.rand(len(right), options, generator=generator).to(texts.device)
    places = draws.masked_fill(asker[chosen] < 0, -1).argmax(dim=1)
    return asker[chosen.gather(1, places[:, None])[:, 0]], chosen, places


def most_central(options: Tensor) -> Tensor:
    """(n,) the place of the option that is most like the others of `options` (n, k, d), by cosine.

    What somebody would guess who does not look at the picture.
    """
    unit = normalize(options, dim=2)
    return (unit @ unit.mT).sum(dim=2).argmax(dim=1)


def without_looking(
    options: Tensor, answers: Tensor, gathered: Tensor
) -> tuple[dict[str, str], dict[str, bool]]:
    """What the options alone tell, for the page's sentences, and what must hold for these.

    `options` (n, k, d), `answers` (n,) the right places, `gathered` (n, k) whether an option is the
    one about which the others were gathered.
    """
    guess = most_central(options)
    middle = mean_and_error(gathered.gather(1, guess[:, None])[:, 0])
    right, error = mean_and_error(guess == answers)
    claims = {
        "the middle one would be told": middle[0] > 0.5,
        "the options alone do not tell": abs(right - 1 / options.shape[1]) < 3 * error,
    }
    return {"middle": with_error(*middle), "blind": with_error(right, error)}, claims


def easy_choices(count: int, targets: Any, options: int = 4, seed: Seed = 0) -> Tensor:
    """(n, `options`) rows of `count` texts: in each the right one of `targets` (n,), first, and
    others drawn from `seed`.
    """
    generator = as_generator(seed)
    right = torch.as_tensor(targets)
    draws = torch.rand(len(right), count, generator=generator)
    draws[torch.arange(len(right)), right] = 2
    return draws.topk(integer("options", options, low=2, high=count), dim=1).indices


def close_in_all_ways(embeddings: Embeddings, queries: Tensor, options: Tensor) -> dict[str, Sides]:
    """The questions of `embeddings` after each closing of the page, the original first.

    The paper's shift is fitted once, on all texts, or on each question, with the gap of the whole
    data set or with that to the question's own options. `RIVAL` is fitted once.
    """
    everything = embeddings.queries, embeddings.gallery
    gap = gap_vector(*everything)
    with comparing():
        return {
            "original": (queries, options),
            "mean shift, fitted once": close_once(MeanShift().fit(*everything), queries, options),
            "mean shift, own gap": close_each(MeanShift(), queries, options),
            "mean shift": close_each(MeanShift(), queries, options, gap),
            "hull projection": close_each(HullProjection(), queries, options),
            "hull projection, centred": close_each(HullProjection(center=True), queries, options),
            RIVAL: close_once(Standardizing().fit(*everything), queries, options),
        }


def shift_lengths(sides: Mapping[str, Sides]) -> dict[str, float]:
    """How far each closing moved a question's first option, on average."""
    start = sides["original"][1]
    return {name: float((pair[1] - start)[:, 0].norm(dim=1).mean()) for name, pair in sides.items()}


def query_lengths(sides: Mapping[str, Sides]) -> dict[str, float]:
    """How long the queries are after each closing, on average."""
    return {name: float(pair[0].norm(dim=1).mean()) for name, pair in sides.items()}


def scoring_table(found: pd.DataFrame, closings: Sequence[str]) -> pd.DataFrame:
    """Robustness of `closings` under each scoring, cosine first, and the gain with its error."""
    columns = {}
    for scoring in ("cosine", "inner-product", "euclidean"):
        part = found[found["scoring"] == scoring].set_index("closing").loc[list(closings)]
        gains = plus_minus(part["gain"], part["gain_error"], signed=True)
        columns[scoring] = [
            f"{value:.3f}" if name == "original" else f"{value:.3f} ({gain})"
            for name, value, gain in zip(part.index, part["robustness"], gains, strict=True)
        ]
    return pd.DataFrame(columns, index=list(closings))


def close_once(fitted: Closing, queries: Any, options: Tensor) -> Sides:
    """All questions after one fitted closing: queries (n, d) and options (n, k, d) moved.

    A closing that keeps the rankings of a gallery keeps those of every part of it.
    """
    queries = as_matrix("queries", queries)
    moved_queries, flat = fitted.transform(queries, options.flatten(0, 1))
    return moved_queries, flat.view(*options.shape[:2], -1)


def close_each(closing: Closing, queries: Any, options: Tensor, gap: Tensor | None = None) -> Sides:
    """`closing` fitted on all queries and the options of one question, for each question.

    `queries` (n, d), `options` (n, k, d); returns both moved. The hull of one question's options
    has at most k - 1 dimensions, however many texts there are in all. With `gap` (d,) the queries
    that are fitted are moved so that every question sees that vector between the means, say the
    gap of the whole data set, instead of the one to its own options.
    """
    queries = as_matrix("queries", queries)
    mean = queries.mean(dim=0)
    moved = []
    for query, own in zip(queries, options, strict=True):
        seen = queries if gap is None else queries + (own.mean(dim=0) + gap - mean)
        moved.append(closing.fit(seen, own).transform(query[None], own))
    return torch.cat([pair[0] for pair in moved]), torch.stack([pair[1] for pair in moved])


def choice_answers(
    queries: Any,
    options: Tensor,
    answers: Any,
    noises: Sequence[GaussianNoise],
    scoring: str = "euclidean",
) -> Answers:
    """Each question's answer, and probabilities under noise that it stays and that it is right.

    `queries` (n, d), `options` (n, k, d), `answers` (n,) the right places. Exact. Robustness as in
    Chowers et al. 2026, Eq. 10, a gallery a question.
    """
    rows = work(as_matrix("queries", queries))
    wide = work(options)
    check_scoring(wide.flatten(0, 1), scoring)
    right = as_targets("answers", answers, len(rows), wide.shape[1], rows.device)
    variances = [noise.coordinate_variance(rows.shape[1]) for noise in noises]
    norms = torch.linalg.vector_norm(rows, dim=1)
    lengths = torch.linalg.vector_norm(wide, dim=2)
    across = None
    if scoring == "cosine":
        least = min((variance for variance in variances if variance > 0), default=math.inf)
        across = squared_across(rows, wide, lengths, least)
    else:  # the digits of what a question's options have in common
        middle = wide.mean(dim=1)
        wide = wide - middle[:, None]
        rows = rows - middle if scoring == "euclidean" else rows
    costs = choice_costs(rows, wide, scoring)
    first = costs.argmin(dim=1)
    wins = ExactWins(rows.shape[1], variances, scoring)
    found = wins(costs, [first, right], norms, lengths, across)
    kept, hit = ([Estimate.exact(pair[k]) for pair in found] for k in (0, 1))
    return Answers(first, kept, hit)


def choice_curve(
    start: Sides,
    end: Sides,
    answers: Any,
    alphas: Sequence[float],
    variances: Sequence[float],
    scoring: str = "euclidean",
) -> pd.DataFrame:
    """Mean robustness and accuracy along the straight line from `start` to `end`.

    Both are queries (n, d) with options (n, k, d); `alpha` is 0 at `start` and 1 at `end`.
    Columns: `alpha`, `variance` (total), `robustness`, `accuracy` (noise-free), `right` (under
    noise).
    """
    noises = {f"{variance:g}": GaussianNoise(variance) for variance in variances}
    parts = []
    for alpha in alphas:
        line = torch.lerp(start[0], end[0], alpha), torch.lerp(start[1], end[1], alpha)
        frame = compare_choices({"": line}, answers, noises, [scoring], bootstrap=0)
        frame["variance"] = list(variances)
        parts.append(frame.assign(alpha=float(alpha)))
    columns = ["alpha", "variance", "robustness", "accuracy", "right"]
    return pd.concat(parts, ignore_index=True)[columns]


def compare_choices(
    sides: Mapping[str, Sides],
    answers: Any,
    noises: Mapping[str, GaussianNoise],
    scorings: Sequence[str] = SCORINGS,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The table of `compare_closings` where each query has a gallery of its own.

    `sides` maps a closing to the queries (n, d) and options (n, k, d) that it returned; the first
    of them are the original, over which gains are counted.
    """
    first = next(iter(sides))
    right = torch.as_tensor(answers, device=sides[first][0].device)
    outcomes: dict[Key, Outcome] = {}
    labels = {label: None if label == first else label for label in sides}
    for label, pair in sides.items():
        for scoring in scorings:
            each = list(noises.values())
            found = choice_answers(*pair, right, each, scoring)
            for noise, kept, hit in zip(noises, found.kept, found.right or [], strict=True):
                outcomes[labels[label], scoring, noise] = Outcome(found.nearest, kept, hit)
    return Comparison(outcomes, labels, right).table(bootstrap, seed)


def further(
    sides: Mapping[str, Sides],
    answers: Tensor,
    noises: Mapping[str, GaussianNoise],
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Comparisons of `sides` as from `compare_choices`, with gains over another than the original.

    "shifts": over the mean shift, by Euclidean distance. "two means": over `RIVAL`, by cosine.
    """
    shifts = ["mean shift", "mean shift, own gap", "mean shift, fitted once", "hull projection"]
    chosen = {
        "shifts": (shifts, "euclidean"),
        "two means": ([RIVAL, ORIGINAL, CENTRED], "cosine"),
    }
    return {
        key: compare_choices(
            {name: sides[name] for name in names}, answers, noises, [scoring], seed=seed
        )
        for key, (names, scoring) in chosen.items()
    }


def sentences(
    embeddings: Embeddings,
    curves: Mapping[str, pd.DataFrame],
    found: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    lengths: Mapping[str, float],
    asking: Mapping[str, float],
    chance: float,
) -> tuple[dict[str, Any], dict[str, bool]]:
    """The numbers that the page's sentences quote, by name, and what must hold for these.

    `curves` are of `choice_curve`, `found` of `compare_choices` at the largest variance, `others`
    the two of `further`, and by cosine "easy", with random options, and, where there are any,
    "unseen", of drawings that the model was not trained on; `lengths` of `shift_lengths`, `asking`
    of `query_lengths`; `chance` is the accuracy of guessing.
    """
    shift = curves["mean shift"]
    keeping = found[found["closing"] != RIVAL]
    strongest = shift["variance"].max()
    summits = {
        name: frame.loc[frame.groupby("variance")["robustness"].idxmax()].set_index("variance")
        for name, frame in curves.items()
    }
    whole = [name for name in curves if name != "mean shift, own gap"]
    own_summit = summits["mean shift, own gap"]["alpha"]
    by: Any
    drawn: Any
    by, drawn = (frame.set_index(["closing", "scoring"]) for frame in (found, others["easy"]))
    hard, soft = (frame.loc[(CENTRED, "cosine")] for frame in (by, drawn))
    shifts: Any = others["shifts"].set_index("closing")
    means: Any = others["two means"].set_index("closing")
    saved = {
        "hard": hard["gain"] / (1 - by.loc[(ORIGINAL, "cosine"), "robustness"]),
        "easy": soft["gain"] / (1 - drawn.loc[(ORIGINAL, "cosine"), "robustness"]),
    }

    def end(name: str) -> float:
        rows = curves[name][curves[name]["variance"] == strongest]
        return float(rows.loc[(rows["alpha"] - 1).abs().idxmin(), "robustness"])

    def over_shift(name: str) -> str:
        return plus_minus(
            [shifts.loc[name, "gain"]], [shifts.loc[name, "gain_error"]], signed=True
        )[0]

    values = {
        "strongest": f"{strongest:g}",
        "accuracy": told(by.loc[(ORIGINAL, "cosine")], "accuracy"),
        "gap": gap_vector(embeddings.queries, embeddings.gallery).norm(),
        "rank": len(Hull.of(embeddings.gallery).components),
        "dim": embeddings.dim,
        "names": len(embeddings.gallery),
        "once": lengths["mean shift, fitted once"],
        "own": lengths["mean shift, own gap"],
        "each": lengths["mean shift"],
        "original": float(by.loc[(ORIGINAL, "euclidean"), "robustness"]),
        "original_error": float(by.loc[(ORIGINAL, "euclidean"), "robustness_error"]),
        "shift": end("mean shift"),
        "shift_gain": float(by.loc[("mean shift", "euclidean"), "gain"]),
        "shift_gain_error": float(by.loc[("mean shift", "euclidean"), "gain_error"]),
        "over_once": over_shift("mean shift, fitted once"),
        "over_own": over_shift("mean shift, own gap"),
        "over_projection": over_shift("hull projection"),
        "projection": end("hull projection"),
        "peak_own": float(own_summit[strongest]),
        "cosine_original": told(by.loc[(ORIGINAL, "cosine")], "robustness"),
        "cosine_shift": told(by.loc[("mean shift", "cosine")], "gain", signed=True),
        "cosine_centred": told(hard, "gain", signed=True),
        "cosine_right": told(hard, "right_gain", signed=True),
        "rival": told(by.loc[(RIVAL, "cosine")], "gain", signed=True),
        "means_lead": told(means.loc[CENTRED], "right_gain", signed=True),
        "means_changed": f"{100 * (1 - means.loc[ORIGINAL, 'unchanged']):.0f} %",
        "product_projection": told(by.loc[("hull projection", "inner-product")], "gain", True),
        "product_centred": told(by.loc[(CENTRED, "inner-product")], "gain", signed=True),
        "asks_projection": asking["hull projection"],
        "asks_centred": asking[CENTRED],
        "easy_original": told(drawn.loc[(ORIGINAL, "cosine")], "robustness"),
        "easy_centred": told(soft, "gain", signed=True),
        "easy_right": told(soft, "right_gain", signed=True),
        "saved_hard": f"{100 * saved['hard']:.0f} %",
        "saved_easy": f"{100 * saved['easy']:.0f} %",
    }
    product = by.xs("inner-product", level="scoring")["gain"]
    claims = {
        "robustness rises at every step": all(_rises(curves[name]) for name in whole),
        "its summit is at the closed gap": all(
            bool((summits[name]["alpha"] == 1).all()) for name in whole
        ),
        "clean accuracy is flat": all(
            frame["accuracy"].nunique() == 1 for frame in curves.values()
        ),
        "no clean answer changes": bool((keeping["unchanged"] == 1).all()),
        "with its own gap the summit comes earlier": bool((own_summit < 1).all()),
        "the whole gap does more than the own, a little": bool(
            -0.02 < _above_error(shifts.loc["mean shift, own gap"], -1) < 0
        ),
        "and more than fitted once": _above_error(shifts.loc["mean shift, fitted once"], -1) < 0,
        "the projection does much more than the shift": (
            _above_error(shifts.loc["hull projection"], 1) > 0.05
        ),
        "the shift pays under cosine": _above_error(by.loc[("mean shift", "cosine")], 1) > 0,
        "closing pays under cosine": hard["gain"] > 5 * hard["gain_error"],
        "under inner product a shift does nothing": abs(float(product["mean shift"])) < 1e-6,
        "the plain projection next to nothing": abs(float(product["hull projection"])) < 0.01,
        "centring does much": float(product[CENTRED]) > 0.1,
        "as long as the query is": (
            abs(asking["mean shift"] - asking[ORIGINAL]) < 1e-6
            and asking["hull projection"] > 0.9 * asking[ORIGINAL]
            and asking[CENTRED] < 0.5 * asking[ORIGINAL]
        ),
        "right answers gain less than half": bool(0 < hard["right_gain"] < hard["gain"] / 2),
        "two means are not right more often": (
            means.loc[CENTRED, "right_gain"] > -2 * means.loc[CENTRED, "right_gain_error"]
        ),
        "and change answers": float(means.loc[ORIGINAL, "unchanged"]) < 0.95,
        "hard distractors are where it pays": bool(
            hard["gain"] - soft["gain"] > 2 * math.hypot(hard["gain_error"], soft["gain_error"])
        ),
        "of what noise costs as large a share is saved": bool(saved["easy"] > saved["hard"]),
    }
    if "unseen" in others:
        new: Any = others["unseen"].set_index("closing")
        before, after = new.loc[ORIGINAL], new.loc[CENTRED]
        values |= {
            "unseen": told(before, "accuracy"),
            "unseen_centred": told(after, "gain", signed=True),
            "unseen_right": told(after, "right_gain", signed=True),
        }
        accuracy, error = before["accuracy"], 2 * before["accuracy_error"]
        claims["new drawings are guessed better than by chance"] = accuracy > chance + error
        claims["and far worse than the others"] = (
            accuracy < by.loc[(ORIGINAL, "cosine"), "accuracy"] - 2 * error
        )
        claims["as many answers to these are saved"] = bool(
            abs(after["gain"] - hard["gain"])
            < 2 * math.hypot(after["gain_error"], hard["gain_error"])
        )
        claims["and next to no right ones"] = bool(after["right_gain"] < 0.2 * after["gain"])
    return values, claims


def _rises(curve: pd.DataFrame) -> bool:
    way = curve[curve["alpha"] <= 1].sort_values("alpha").groupby("variance")["robustness"]
    return bool((way.diff().dropna() > 0).all())


def _above_error(row: Any, sign: int) -> float:
    """The gain less twice its error towards zero, `sign` the gain's expected one."""
    return float(row["gain"] - sign * 2 * row["gain_error"])
