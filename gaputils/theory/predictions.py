"""What theory predicts of the gradient and of the first steps of training."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from torch.nn.functional import normalize

from gaputils._checks import as_direction, integer, moderate, number, work
from gaputils.scoring import inner
from gaputils.theory._inputs import as_paired_points, as_setting
from gaputils.theory.objective import received_mass


def tight_cluster_terms(x: Any, y: Any, tau: Any) -> tuple[Tensor, Tensor]:
    """The two leading terms of the gradient with respect to `y` for tight clusters (Theorem 3.1).

    With `g = mean(y) - mean(x)`: the shrinking term `(2/(tau N)) (2/tau) (g . (y_i - mean(y))) g`
    and the aligning term `-(4/(tau N)) (x_i - mean(x))`, each (..., N, d). The first dominates
    when `||g||^2` is much greater than `tau`. Raises as `contrastive_loss` does.
    """
    x, y = as_paired_points(x, y)
    temperature = as_setting("tau", tau, x)
    mean_x, mean_y = x.mean(-2, keepdim=True), y.mean(-2, keepdim=True)
    gap, scale = mean_y - mean_x, 2 / (temperature * x.shape[-2])
    along = ((y - mean_y) * gap).sum(-1, keepdim=True)
    return scale * (2 / temperature) * along * gap, -2 * scale * (x - mean_x)


def tight_cluster_gradient(x: Any, y: Any, tau: Any) -> Tensor:
    """The gradient with respect to `y`, (..., N, d), to first order in the clusters' radius.

    The sum of `tight_cluster_terms`; the remainder is of second order (our derivation, after
    Theorem 3.1). Raises as `contrastive_loss` does.
    """
    shrinking, aligning = tight_cluster_terms(x, y, tau)
    return shrinking + aligning


def constant_direction_gradient(x: Any, y: Any, tau: Any, direction: Any) -> Tensor:
    """Gradient of each `y_i` along a direction in which each modality is constant, (..., N).

    `(2/(tau N)) (1 - Sy_i) (c_y - c_x)` with `c` the modality's coordinate along the unit vector
    `direction` (d,): zero wherever the received mass is 1 (our derivation, after Theorem 3.2).
    Where the modalities are not constant the identity does not hold and their mean coordinate is
    used. Raises `ValueError` as `contrastive_loss` does, or if `direction` has another length or
    is zero.
    """
    x, y = as_paired_points(x, y)
    temperature = as_setting("tau", tau, x)[..., 0]
    along = moderate(work(as_direction("direction", direction, x.shape[-1], x.device)))
    unit = normalize(along, dim=0).to(x)
    step = inner(y - x, unit[None]).mean(-2)
    mass = received_mass(x, y, tau)[1]
    scale: Tensor = 2 / (temperature * x.shape[-2])
    result: Tensor = scale * (1 - mass) * step
    return result


class StepFactors(NamedTuple):
    """By what one step of gradient descent multiplies the modes of two tight clusters.

    The sum and the difference of paired centred points, along the gap and across it.
    """

    along_sum: float
    along_difference: float
    across_sum: float
    across_difference: float


def step_factors(gap: float, tau: float, lr: float, n: int) -> StepFactors:
    """The linear dynamics of two tight clusters at distance `gap` (our derivation).

    Along the gap a pair's sum is multiplied by `1 - k (gap^2/tau - 1)` and its difference by
    `1 - k (gap^2/tau + 1)`; across it by `1 + k` and `1 - k`, with `k = 4 lr / (tau n)`. The sum
    along the gap shrinks exactly while `gap^2 > tau`. Raises `ValueError` for a negative gap,
    non-positive `tau` or `lr`, or fewer than two points.
    """
    gap, tau = number("gap", gap, low=0), number("tau", tau, low=0, strict=True)
    lr, n = number("lr", lr, low=0, strict=True), integer("n", n, low=2)
    k, ratio = 4 * lr / (tau * n), gap * gap / tau
    return StepFactors(1 - k * (ratio - 1), 1 - k * (ratio + 1), 1 + k, 1 - k)


def predicted_variance_along_gap(x: Any, y: Any, tau: float, lr: float, steps: int) -> Tensor:
    """Variance along the gap, mean of both modalities, after `steps` steps of linear dynamics.

    Starts from the points themselves (..., N, d) with the gap held fixed, as `step_factors` has
    it; one value for each leading index, 0 without a gap. Raises as `contrastive_loss` does.
    """
    x, y = as_paired_points(x, y)
    steps = integer("steps", steps, low=0)
    mean_x, mean_y = x.mean(-2, keepdim=True), y.mean(-2, keepdim=True)
    gap = mean_y - mean_x
    squared, direction = gap.square().sum(-1), normalize(moderate(gap), dim=-1)
    first, second = ((x - mean_x) * direction).sum(-1), ((y - mean_y) * direction).sum(-1)
    k = 4 * number("lr", lr, low=0, strict=True) / (number("tau", tau, low=0, strict=True))
    k, ratio = k / x.shape[-2], squared / tau
    total: Tensor = (first + second) * (1 - k * (ratio - 1)) ** steps
    difference: Tensor = (first - second) * (1 - k * (ratio + 1)) ** steps
    return (total.square() + difference.square()).mean(-1) / 4
