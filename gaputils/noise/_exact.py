r"""Sampling-free survival of one gallery item under isotropic Gaussian noise on the gallery.

With noise of variance ``v`` per coordinate, independent over the items, the noisy distance
``R_j = ||y - x_j - eps_j|| / sqrt(v)`` is the norm of a Gaussian vector, noncentral chi with ``d``
degrees of freedom and noncentrality ``D_j / v``, and the ``R_j`` are independent. So item ``i``
wins with probability ``E_{r ~ R_i} prod_{j != i} P(R_j > r)``: one integral per query. Under inner
products the noisy scores are independent normals, and the integral is the same. (Our derivation.)
`expected_product` sums it; `_few_cosine` alone, for cosine in few dimensions, has a sum of its own.

Arrays are (nodes, items, queries) inside, so that the innermost axis is long and every product over
items runs along it.
"""

from __future__ import annotations

import math

import scipy.special
import torch
from torch import Tensor

from gaputils.noise import _chi, _few

# What lies beyond the outermost nodes, on either side, weighs 3.4e-6.
_OUTERMOST = 4.5

# Single precision holds a product of so many survival probabilities to 1e-5, ties included.
_SINGLE_PRECISION_ITEMS = 256


def nodes(items: int, device: torch.device | str = "cpu") -> Tensor:
    """Equally spaced normal scores on which a win among so many `items` is integrated.

    The others' product of survival functions is a step of width ``1 / sqrt(2 log items)``; a
    trapezoidal sum sees it to better than 1e-5 if the count of nodes grows with ``log items``.
    """
    count = math.ceil(10.5 + 2.5 * math.log(max(items, 2)))
    return torch.linspace(-_OUTERMOST, _OUTERMOST, count, dtype=torch.float64, device=device)


def euclidean_win(distances: Tensor, winner: Tensor, dim: int, variance: float) -> Tensor:
    """Probability that item `winner` of each query is its nearest once the gallery is noisy.

    `distances` (n, k) squared, `winner` (n,) column indices, `variance` per coordinate.
    """
    noncentrality = (distances / variance).clamp_min_(0)
    enough = _chi.enough(noncentrality.shape[1])
    if dim >= enough or float(noncentrality.min()) + dim >= enough:
        return _nearly_normal_win(noncentrality, winner, dim)
    few = noncentrality.amin(dim=1) + dim < enough
    result = torch.empty_like(noncentrality[:, 0])
    x = nodes(noncentrality.shape[1], distances.device)
    weights, score = _few.weights_and_scores(noncentrality[few], winner[few], dim, x)
    result[few] = expected_product(weights, score, winner[few])
    if not bool(few.all()):
        result[~few] = _nearly_normal_win(noncentrality[~few], winner[~few], dim)
    return result


def _nearly_normal_win(noncentrality: Tensor, winner: Tensor, dim: int) -> Tensor:
    """The integral over ``R_i = mean + z deviation`` of the nearest item's own, `z` the nodes.

    Both grow with the noncentrality.
    """
    z = nodes(noncentrality.shape[1], noncentrality.device)
    root = _chi.root(items_first(noncentrality), dim)
    offset = (root.mean.amin(dim=0) - root.mean) / root.deviation
    ratio = root.deviation.amin(dim=0) / root.deviation
    polynomial = _chi.score_polynomial(*(cumulant.float() for cumulant in root[2:]))

    own = [value.gather(0, winner[None]).double() for value in (offset, ratio, *polynomial)]
    at = own[0] + own[1] * z[:, None]
    weights = gaussian_weights(z, _chi.evaluate(own[2:], at), own[1] * _chi.slope(own[2:], at))

    score = torch.addcmul(offset.float(), z.float()[:, None, None], ratio.float())
    return expected_product(weights, _chi.evaluate(polynomial, score.clamp_min_(-_chi.FAR)), winner)


def inner_product_win(scores: Tensor, winner: Tensor, deviation: Tensor) -> Tensor:
    """The same under inner-product ranking: the noisy scores are independent normals.

    `scores` (n, k), `deviation` (n,) the noise's standard deviation in score, ``||y|| sqrt(v)``.
    """
    z = nodes(scores.shape[1], scores.device)
    scores = items_first(scores)
    lag = ((scores - scores.gather(0, winner[None])) / deviation).nan_to_num_().float()
    weights = gaussian_weights(z, z[:, None], torch.ones_like(scores[:1]))
    return expected_product(weights, lag - z.float()[:, None, None], winner)


def gaussian_weights(z: Tensor, score: Tensor, slope: Tensor) -> Tensor:
    """(nodes, n) weights of the winner's law at nodes `z` where its normal score is `score`."""
    step = (z[1] - z[0]) / math.sqrt(2 * math.pi)
    return step * slope * torch.exp(-score.square() / 2)


def items_first(values: Tensor) -> Tensor:
    """`values` (n, k) as (k, n), laid out so that queries run fastest."""
    return values.mT.contiguous()


def expected_product(weights: Tensor, score: Tensor, winner: Tensor) -> Tensor:
    """Sum over the nodes of `weights` (nodes, n) times the product over the items but the winner.

    Multiplied are the probabilities that a standard normal exceeds `score` (nodes, k, n), which is
    overwritten; `winner` (n,). Scores of any number of items may be in single precision, as small
    probabilities keep their digits.
    """
    score.scatter_(1, winner.expand(score.shape[0], 1, -1), -math.inf)
    if score.shape[1] <= _SINGLE_PRECISION_ITEMS:
        survive = score.mul_(math.sqrt(0.5)).erf_().mul_(-0.5).add_(0.5)
    else:
        survive = score.mul_(-math.sqrt(0.5)).erfc_().to(weights.dtype).mul_(-0.5).add_(1.0)
    return (weights * survive.prod(dim=1)).sum(dim=0)


def euclidean_reach(nearest: Tensor, dim: int, variance: float, items: int, tol: float) -> Tensor:
    """Squared distance beyond which a query's items may be left out.

    All of them together beat the nearest, at squared distance `nearest` (n,), with probability
    at most `tol`. Chernoff's bound at any ``0 < s < 1/2`` is
    ``P(T_j < T_i) <= (1 - 4 s^2)^(-d/2) exp(lambda_i s / (1 - 2 s) - lambda_j s / (1 + 2 s))``
    for ``T = R^2``; it is solved for ``lambda_j``, and the best is taken of several ``s`` about
    ``sqrt(log(items / tol) / (2 d + 4 lambda_i))``, the best one where it is small.
    """
    own = nearest[:, None] / variance
    evidence = math.log(items / tol)
    around = torch.tensor([0.25, 0.5, 0.8, 1.0], dtype=nearest.dtype, device=nearest.device)
    s = (around * torch.sqrt(evidence / (2 * dim + 4 * own))).clamp_max(0.45)
    budget = evidence - dim / 2 * torch.log1p(-4 * s**2)
    bounds = (1 + 2 * s) * (budget / s + own / (1 - 2 * s))
    return variance * bounds.amin(dim=1)


def inner_product_reach(best: Tensor, deviation: Tensor, items: int, tol: float) -> Tensor:
    """Score below which a query's items may be left out, as in `euclidean_reach`."""
    return best + deviation * math.sqrt(2) * float(scipy.special.ndtri(min(0.5, tol / items)))
