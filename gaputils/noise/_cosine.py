r"""Sampling-free survival under cosine, the noisy gallery items renormalised.

Along a query of unit length a noisy item, in units of the noise's deviation, has the component
``a_j + Z_j`` with ``a_j = u . x_j / sqrt(v)`` and ``Z_j`` standard normal, and across it the length
``R_j``, noncentral chi with ``d - 1`` degrees of freedom and noncentrality ``|x_j|^2 / v - a_j^2``.
The greatest cosine is the greatest cotangent ``k_j = (a_j + Z_j) / R_j``, and the ``k_j`` are
independent. So ``P(i first) = E prod_{j != i} F_j(k_i)`` with ``F_j(k) = E Phi(k R_j - a_j)``, the
probability that ``k R_j - Z_j`` exceeds ``a_j``: nearly normal, as ``R_j`` is. (Our derivation.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaputils._checks import work
from gaputils.noise import _chi, _few_cosine
from gaputils.noise._exact import expected_product, gaussian_weights, items_first, nodes

_LONG = 1e9  # squared lengths over the noise's variance up to which cosines tell them to 1e-6
_AT_ONCE = 2**26  # scores of items at nodes
_SETTLED = 6.0  # normal score beyond which a probability is 0 or 1 at every node
_STEP = 1e-4  # of the central difference that turns normal scores into a density


def cosine_win(
    cosines: Tensor, lengths: Tensor, winner: Tensor, dim: int, across: Tensor | None = None
) -> Tensor:
    """Probability that item `winner` of each query has the greatest noisy cosine with it.

    `cosines` (n, k) without noise, `lengths` (n, k) of the items over the noise's deviation in a
    coordinate, `winner` (n,) column indices, `dim` at least 2. `across` (n, k), the squares of the
    lengths across the query, where they are known better than the cosines tell them.
    """
    along = cosines * lengths
    if across is None:
        across = ((lengths - along) * (lengths + along)).clamp_min(0)
    enough = _chi.enough(across.shape[1])
    if dim - 1 >= enough or float(across.min()) + dim - 1 >= enough:
        return _nearly_normal_win(along, across, winner, dim - 1)
    few = across.amin(dim=1) + dim - 1 < enough
    result = torch.empty_like(along[:, 0])
    result[few] = _few_cosine.win(along[few], across[few], winner[few], dim - 1)
    if not bool(few.all()):
        result[~few] = _nearly_normal_win(along[~few], across[~few], winner[~few], dim - 1)
    return result


def squared_across(
    queries: Tensor, gallery: Tensor, lengths: Tensor, variance: float
) -> Tensor | None:
    """(n, m) squared length of each item across each query; None where the cosines tell it.

    `queries` (n, d), `gallery` (m, d) of `lengths` (m,), or (n, m, d) of (n, m) where each query
    has its own. An item far longer than the noise stands across a query near it by what rounding a
    cosine loses. Here the gallery's mean is split along and across the query as a vector, and only
    the items' differences from it are multiplied.
    """
    if float(lengths.max()) ** 2 <= _LONG * variance:
        return None
    units = torch.nn.functional.normalize(work(queries), dim=1)
    middle = gallery.mean(dim=-2)
    rest = gallery - middle.unsqueeze(-2)
    aside = middle - (units * middle).sum(dim=1, keepdim=True) * units
    squares = aside.square().sum(dim=1, keepdim=True) + rest.square().sum(dim=-1)
    along, beside = ((one[:, None] @ rest.mT)[:, 0] for one in (units, aside))
    return (squares + 2 * beside - along.square()).clamp_min(0)


def _nearly_normal_win(along: Tensor, across: Tensor, winner: Tensor, degrees: int) -> Tensor:
    """The integral over the winner's own cotangent, at quantiles of its normal part.

    A longer item's probabilities change faster than the winner's do: where they change within the
    nodes, these stand closer.
    """
    along, across = items_first(along), items_first(across)
    root = _chi.root(across, degrees)
    z = nodes(len(along), along.device)
    own = along.gather(0, winner[None]), root.at(winner)
    center = _quantile(torch.zeros_like(z[:1, None]), *own)
    lag = along - center * root.mean
    score = lag * _chi.share_and_scale(center, root)[1]
    ratio = (along.square() + across).add_(degrees).sqrt_() / torch.hypot(own[0], own[1].mean)
    changes = score.abs_() < _SETTLED + z[-1] * ratio
    steepness = torch.where(changes, ratio, 1.0).amax(dim=0)
    if (most := float(steepness.max())) > 1.01:
        count = math.ceil(len(z) * most)
        if count * along.numel() > _AT_ONCE:
            _few_cosine.require_nodes(count * len(along), most, _AT_ONCE)
            result = torch.empty_like(along[0])
            for rows in steepness.argsort().tensor_split(2):
                part = along[:, rows].mT, across[:, rows].mT, winner[rows]
                result[rows] = _nearly_normal_win(*part, degrees)
            return result
        z = torch.linspace(float(z[0]), float(z[-1]), count, dtype=z.dtype, device=z.device)

    beside = torch.cat([z - _STEP, z + _STEP])[:, None]
    cotangents = _quantile(beside, *own)
    share, _ = _chi.share_and_scale(cotangents, own[1])
    below, above = _chi.score_of_share(beside.repeat(1, share.shape[1]), share, own[1]).chunk(2)
    weights = gaussian_weights(z, (above + below) / 2, (above - below) / (2 * _STEP))
    cotangent = cotangents.view(2, len(z), -1).mean(dim=0)
    # In single precision about the winner's middle, as numerators are small differences there.
    items = _chi.Root(*(cumulant.float() for cumulant in root))
    away, cotangent = (v.float()[:, None] for v in (cotangent - center, cotangent))
    score = _chi.cotangent_score(cotangent, lag.float(), items, away)
    return expected_product(weights, score.neg_(), winner)


def _quantile(z: Tensor, along: Tensor, root: _chi.Root) -> Tensor:
    """The cotangent ``k`` with ``k mean - along = z sqrt(1 + k^2 deviation^2)``."""
    mean, spread = root.mean, root.deviation.square()
    under = mean.square() + (along.square() - z.square()) * spread
    return (along * mean + z * under.sqrt()) / (mean.square() - z.square() * spread)


def cosine_reach(cosines: Tensor, lengths: Tensor, dim: int, tol: float) -> Tensor:
    """(n,) cosine below which a query's items may be left out.

    `cosines` (n, m), `lengths` (m,) or (n, m) as in `cosine_win`. At an angle ``t`` to the query
    the function ``(a + Z) sin t - R cos t`` of a Gaussian vector moves by no more than the vector
    does, so it exceeds its mean by ``c`` with probability at most ``exp(-c^2 / 2)``: an item whose
    point ``(a, E R)`` lies at the distance ``S`` strays from that point's angle by ``asin(c / S)``
    no more often. All items left out together beat the nearest with probability at most `tol`.
    """
    lengths = lengths.expand(cosines.shape)
    best, first = cosines.max(dim=1, keepdim=True)
    likely, rare = (math.sqrt(2 * math.log(count / tol)) for count in (2, 2 * cosines.shape[1]))
    near, far = _least_and_greatest(lengths, dim)
    own_near, own_far = near.gather(1, first), lengths.gather(1, first)
    across = ((1 - best) * (1 + best)).clamp_min(0).sqrt() * own_far
    angle = torch.atan2(torch.sqrt(across**2 + dim - 1), best * own_far)
    # Not a number where what is so near the origin may stray anywhere: then nothing is left out.
    edge = angle + torch.asin(likely / own_near) + torch.asin(rare / near)
    least = torch.cos(edge)
    least = torch.minimum(least * near, least * far) / lengths
    left_out = (edge < math.pi) & (cosines < least)
    return torch.where(left_out, best, cosines).amin(dim=1)


def _least_and_greatest(lengths: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Bounds of the length of ``(a, E R)``: between ``E R^2 - 1`` and ``E R^2`` under the root."""
    squared = lengths.square() + dim - 1
    return (squared - 1).clamp_min(0).sqrt(), squared.sqrt()
