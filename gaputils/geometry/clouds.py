"""Measures of a gap between two clouds of points, whatever pairs belong together."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from gaputils import _checks
from gaputils._extras import require_extra

# More than the simplex has been seen to take; with fewer it may end before the optimum.
SIMPLEX_STEPS = 10**9


def uniformity(embeddings: Any, t: float = 2.0) -> float:
    """log of the mean of ``exp(-t ||a - b||²)`` over pairs of different rows; low is uniform.

    Wang and Isola (2020), whose t is 2. On the unit sphere 0 (all alike) down to about -2t.
    """
    x = _checks.as_matrix("embeddings", embeddings, min_rows=2).double()
    scale = _checks.number("t", t, low=0, strict=True)
    return float(torch.logsumexp(-scale * torch.pdist(x).square(), 0)) - math.log(
        len(x) * (len(x) - 1) / 2
    )


def intrinsic_dimension(embeddings: Any) -> float:
    """TwoNN estimate of the dimension of the manifold that the rows lie on.

    Facco et al. (2017): for each row the ratio of the distances of its second and its first
    neighbour is Pareto distributed with that dimension as exponent. The unbiased maximum
    likelihood estimate (n - 1) / sum log(r2 / r1) is returned; equal rows count once.
    Needs at least 3 different rows; infinite if no ratio differs from 1.
    """
    x = _checks.as_matrix("embeddings", embeddings, min_rows=3).double()
    x = torch.unique(x, dim=0)
    if len(x) < 3:
        raise ValueError(f"embeddings: expected at least 3 different rows, got {len(x)}")
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(math.inf)
    nearest = distances.topk(2, dim=1, largest=False).values
    logs = float((nearest[:, 1] / nearest[:, 0]).log().sum())
    return (len(x) - 1) / logs if logs > 0 else math.inf


def double_stochastic_deviation(queries: Any, gallery: Any, tau: float = 0.02) -> float:
    """How far the softmax matrices of the contrastive loss are from being doubly stochastic.

    Mean of ``|received mass / its mean - 1|`` over the points of both sides. The received mass of a
    point is the sum over the anchors of the other side of the softmax, over squared distances
    with temperature `tau`, that falls on it (Chowers et al. 2026, Eq. 2). 0: doubly stochastic.
    `tau` = 0.02 is CLIP's logit scale 100: ``100 cos = 100 - ||x - y||² / 0.02`` on unit norm.
    """
    x, y = _checks.as_pair(queries, gallery)
    scale = _checks.number("tau", tau, low=0, strict=True)
    logits = -torch.cdist(x.double(), y.double()).square() / scale
    gallery_mass = torch.softmax(logits, dim=1).mean(0) * len(y)
    query_mass = torch.softmax(logits, dim=0).mean(1) * len(x)
    return float(((gallery_mass - 1).abs().mean() + (query_mass - 1).abs().mean()) / 2)


def wasserstein(queries: Any, gallery: Any, p: int = 2) -> float:
    """Wasserstein-p distance of the two empirical distributions, all rows of a side weighing alike.

    Villani (2009), exact. Where one number of rows is a multiple of the other, some optimal plan
    moves whole rows (Birkhoff 1946), which SciPy's assignment finds. Unequal numbers are solved
    faster by the network simplex of Bonneel et al. (2011) in POT where that is installed, and
    `ModuleNotFoundError` asks for the extra "transport" if they are no multiples either.
    """
    x, y = _checks.as_pair(queries, gallery)
    power = _checks.integer("p", p, low=1)
    x, y = x.double(), y.double()
    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").pow(power).cpu().numpy()
    n, m = cost.shape
    multiples = max(n, m) % min(n, m) == 0
    if n != m and not (multiples and find_spec("ot") is None):
        require_extra("transport", f"the distance of {n} rows from {m}, no multiple of each other,")
        import ot

        return float(ot.emd2([], [], cost, numItermax=SIMPLEX_STEPS) ** (1 / power))
    whole = np.repeat(np.repeat(cost, max(1, m // n), axis=0), max(1, n // m), axis=1)
    return float(whole[linear_sum_assignment(whole)].mean() ** (1 / power))


def linear_separability(queries: Any, gallery: Any, folds: int = 5, seed: int = 0) -> float:
    """Cross-validated balanced accuracy of a linear classifier that tells the sides apart.

    Logistic regression on standardised coordinates, stratified folds drawn with `seed`; 0.5 is
    chance, 1 perfectly separable. A measure of the gap in Fahim et al. (2024). Needs at least 2
    rows a side, and makes no more folds than the smaller side has rows.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    points, labels, splits = _folds(queries, gallery, folds, seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    scores = cross_val_score(model, points, labels, cv=splits, scoring="balanced_accuracy")
    return float(scores.mean())


def gap_separability(queries: Any, gallery: Any, folds: int = 5, seed: int = 0) -> float:
    """Cross-validated balanced accuracy of telling the sides apart by the gap direction alone.

    A point belongs to the side whose mean is nearer, which is a threshold on its projection on the
    gap vector. Liang et al. (2022) show the two clouds apart in this projection.
    """
    from sklearn.metrics import balanced_accuracy_score

    points, labels, splits = _folds(queries, gallery, folds, seed)
    scores = []
    for train, test in splits:
        ones, zeros = (points[train][labels[train] == side].mean(0) for side in (1, 0))
        guess = (points[test] - (ones + zeros) / 2) @ (ones - zeros) > 0
        scores.append(balanced_accuracy_score(labels[test], guess))
    return float(np.mean(scores))


Split = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def _folds(
    queries: Any, gallery: Any, folds: int, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[Split]]:
    from sklearn.model_selection import StratifiedKFold

    x, y = _checks.as_pair(queries, gallery, min_rows=2)
    folds = min(_checks.integer("folds", folds, low=2), len(x), len(y))
    points = torch.cat([x, y]).double().cpu().numpy()
    labels = np.repeat([1, 0], [len(x), len(y)])
    splitter = StratifiedKFold(folds, shuffle=True, random_state=_checks.as_seed(seed) % 2**32)
    return points, labels, list(splitter.split(points, labels))
