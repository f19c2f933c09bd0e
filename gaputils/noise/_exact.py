r"""Sampling-free survival of one gallery item under isotropic Gaussian noise on the gallery.

With noise of variance ``v`` per coordinate, independent over the items, the scaled squared
distance ``T_j = ||y - x_j - eps_j||^2 / v`` is noncentral chi-square with ``d`` degrees of freedom
and noncentrality ``D_j / v``, and the ``T_j`` are independent. So item ``i`` wins with probability
``E_{t ~ T_i} prod_{j != i} P(T_j > t)``: one integral per query. (Our derivation.)
"""

from __future__ import annotations

import math

import scipy.special
import torch
from torch import Tensor

# Trapezoid rule over the winner's normal score; what lies beyond the ends weighs 2e-6.
NODES = torch.linspace(-4.5, 4.5, 19, dtype=torch.float64)
WEIGHTS = torch.softmax(-(NODES**2) / 2, dim=0)

# Below both bounds the saddlepoint formula errs by more than 3e-5: scipy's distribution is used.
_SADDLEPOINT_DIM = 64
_SADDLEPOINT_NONCENTRALITY = 128.0


_POINTS = ((1.2, 4), (1.6, 6), (2.0, 10), (3.0, 14))
_MOST_POINTS = 30
_NEWTON_STEPS = 6
_NEWTON_ENOUGH = 1e-4  # the next error is smaller by the order of 1/sqrt(d)


def euclidean_win(distances: Tensor, winner: Tensor, dim: int, variance: float) -> Tensor:
    """Probability that item `winner` of each query is its nearest once the gallery is noisy.

    `distances` (n, k) squared, `winner` (n,) column indices, `variance` per coordinate.
    """
    noncentrality = (distances / variance).clamp_min(0)
    own = noncentrality.gather(1, winner[:, None])
    t = quantile(NODES.to(distances), own, dim)
    if _needs_scipy(noncentrality, dim):
        return _integrate(survival(t[:, None, :], noncentrality[:, :, None], dim), winner)
    score = _interpolated_score(t, noncentrality, dim)
    return _integrate(torch.erfc(score * math.sqrt(0.5)) / 2, winner)


def _interpolated_score(t: Tensor, noncentrality: Tensor, dim: int) -> Tensor:
    """(n, k, nodes) `normal_score` of every item at every `t` (n, nodes), in single precision.

    Each query's scores are nearly linear in ``s = sqrt(lambda + d / 2)``, so a Chebyshev series
    over its items' range of ``s`` gives them all by one matrix product. Survival probabilities are
    within 5e-5 of the saddlepoint formula's, about its own error, for ranges up to eightfold.
    """
    s = torch.sqrt(noncentrality + dim / 2)
    low, high = s.amin(dim=1, keepdim=True), s.amax(dim=1, keepdim=True)
    points, to_series = _chebyshev(float((high / low).max()), s.device)
    half = (high - low).clamp_min(1e-6 * high) / 2
    at = ((low + half * (1 + points)).square() - dim / 2).clamp_min(0)[:, :, None]
    values, _ = normal_score(saddlepoint(t[:, None, :], at, dim), at, dim)
    series = to_series @ values
    angle = torch.acos(((s - low) / half - 1).clamp(-1, 1))
    powers = torch.cos(torch.arange(len(points), device=s.device) * angle[:, :, None])
    return powers.float() @ series.float()


def _chebyshev(ratio: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Interpolation points in [-1, 1], as many as a range of that `ratio` needs; their series."""
    count = next((count for bound, count in _POINTS if ratio < bound), _MOST_POINTS)
    angles = torch.pi * (torch.arange(count, dtype=torch.float64, device=device) + 0.5) / count
    series = torch.cos(torch.arange(count, device=device)[:, None] * angles) * 2 / count
    series[0] /= 2
    return torch.cos(angles), series


def inner_product_win(scores: Tensor, winner: Tensor, deviation: Tensor) -> Tensor:
    """The same under inner-product ranking: the noisy scores are independent normals.

    `scores` (n, k), `deviation` (n,) the noise's standard deviation in score, ``||y|| sqrt(v)``.
    """
    lead = scores.gather(1, winner[:, None]) - scores
    z = NODES.to(scores) + (lead / deviation[:, None]).nan_to_num()[:, :, None]
    return _integrate(torch.special.ndtr(z), winner)


def _integrate(survive: Tensor, winner: Tensor) -> Tensor:
    index = winner[:, None, None].expand(-1, 1, survive.shape[2])
    product = survive.scatter(1, index, 1.0).prod(dim=1)
    return product @ WEIGHTS.to(product)


def euclidean_reach(nearest: Tensor, dim: int, variance: float, items: int, tol: float) -> Tensor:
    """Squared distance beyond which a query's items may be left out.

    All of them together beat the nearest, at squared distance `nearest` (n,), with probability
    at most `tol`. Chernoff's bound at any ``0 < s < 1/2`` is
    ``P(T_j < T_i) <= (1 - 4 s^2)^(-d/2) exp(lambda_i s / (1 - 2 s) - lambda_j s / (1 + 2 s))``;
    it is solved for ``lambda_j`` and the best of several ``s`` is taken.
    """
    s = torch.logspace(-6, -0.31, 96, dtype=nearest.dtype, device=nearest.device)
    budget = math.log(items / tol) - dim / 2 * torch.log1p(-4 * s**2)
    ratio = (1 + 2 * s) / s
    own = nearest[:, None] / variance
    return variance * (ratio * budget + own * ((1 + 2 * s) / (1 - 2 * s))).amin(dim=1)


def inner_product_reach(best: Tensor, deviation: Tensor, items: int, tol: float) -> Tensor:
    """Score below which a query's items may be left out, as in `euclidean_reach`."""
    return best + deviation * math.sqrt(2) * float(scipy.special.ndtri(min(0.5, tol / items)))


def survival(t: Tensor, noncentrality: Tensor, dim: int) -> Tensor:
    """P(T > t) for T noncentral chi-square; `t` and `noncentrality` broadcast."""
    score, _ = normal_score(saddlepoint(t, noncentrality, dim), noncentrality, dim)
    result: Tensor = torch.special.ndtr(-score)
    if _needs_scipy(noncentrality, dim):
        shape = (t + noncentrality).shape
        t, noncentrality = t.expand(shape), noncentrality.expand(shape)
        few = noncentrality < _SADDLEPOINT_NONCENTRALITY
        below = scipy.special.chndtr(t[few].cpu().numpy(), dim, noncentrality[few].cpu().numpy())
        result[few] = torch.as_tensor(1 - below, dtype=result.dtype, device=result.device)
    return result


def quantile(score: Tensor, noncentrality: Tensor, dim: int) -> Tensor:
    """The t with P(T <= t) = Phi(score), by Newton steps on the saddlepoint's coordinate."""
    q = saddlepoint(_cube_root_quantile(score, noncentrality, dim), noncentrality, dim)
    for _ in range(_NEWTON_STEPS):
        reached, slope = normal_score(q, noncentrality, dim)
        error = reached - score
        q = torch.maximum(q - error / slope, (q - 1) / 2)
        if float(error.abs().max()) < _NEWTON_ENOUGH:
            break
    t = dim * (1 + q) + noncentrality * (1 + q) ** 2
    if _needs_scipy(noncentrality, dim):
        shape = (score + noncentrality).shape
        score, wide = score.expand(shape), noncentrality.expand(shape)
        few = wide < _SADDLEPOINT_NONCENTRALITY
        level = torch.special.ndtr(score[few]).cpu().numpy()
        exact = scipy.special.chndtrix(level, dim, wide[few].cpu().numpy())
        t[few] = torch.as_tensor(exact, dtype=t.dtype, device=t.device)
    return t


def _needs_scipy(noncentrality: Tensor, dim: int) -> bool:
    return dim < _SADDLEPOINT_DIM and bool((noncentrality < _SADDLEPOINT_NONCENTRALITY).any())


def normal_score(q: Tensor, noncentrality: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    r"""Barndorff-Nielsen's ``r*``: ``P(T <= t) = Phi(r*)`` up to about 3e-5, and ``dw/dq``.

    `q` is the saddlepoint's coordinate, ``t = d (1 + q) + lambda (1 + q)^2``. With
    ``h = (q - log(1 + q)) / q^2`` and ``a^2 = d h + lambda`` the signed root is ``w = q a`` and
    ``r* = w + log(1 + c q) / (2 w)``, ``c = (d (1/2 - h) / q + lambda) / a^2``. Written so,
    only slowly varying factors cancel at ``q = 0``, the mean, and they may be taken next to it.
    """
    safe = torch.where(q.abs() < 1e-4, 1e-4, q)
    h = (safe - torch.log1p(safe)) / (safe * safe)
    square = dim * h + noncentrality
    root = square.sqrt()
    c = (dim * (0.5 - h) / safe + noncentrality) / square
    score = q * root + torch.log1p(c * safe) / (2 * safe * root)
    return score, (dim / (1 + q) + 2 * noncentrality) / (2 * root)


def saddlepoint(t: Tensor, noncentrality: Tensor, dim: int) -> Tensor:
    """The `q` of `normal_score` at which the scaled squared distance is `t`."""
    return 2 * t / (dim + torch.sqrt(dim * dim + 4 * noncentrality * t)) - 1


def _cube_root_quantile(score: Tensor, noncentrality: Tensor, dim: int) -> Tensor:
    """Abdel-Aty's cube-root approximation, kept positive."""
    mean = dim + noncentrality
    spread = 2 * (dim + 2 * noncentrality) / (9 * mean**2)
    return mean * (1 - spread + score * spread.sqrt()).clamp_min(0.05) ** 3
