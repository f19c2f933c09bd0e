r"""The norm of a Gaussian vector, ``R = sqrt(W)`` with ``W`` noncentral chi-square: nearly normal.

Both exact engines rest on it: a noisy distance is such a norm, and a noisy cosine has one below
its fraction. The first five cumulants of ``R`` follow from those of ``W``, which are
``2^(n-1) (n-1)! (d + n lambda)``, by expanding the root about ``d + lambda``; the series of Cornish
and Fisher (1938; Hill and Davis 1968) then turns a standardised value into a normal score.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Row n: the n-th cumulant of R / sqrt(N), N = dim + noncentrality, as a polynomial in 1/N whose
# coefficients are polynomials in p = noncentrality / N, highest power first.
_MEAN = (
    (1,),
    (-1 / 4, -1 / 4),
    (-15 / 32, 2 / 32, 1 / 32),
    (-315 / 128, 175 / 128, 15 / 128, 5 / 128),
)
_VARIANCE = (
    (1 / 2, 1 / 2),
    (7 / 8, -2 / 8, -1 / 8),
    (75 / 16, -47 / 16, -3 / 16, -1 / 16),
    (5445 / 128, -5260 / 128, 702 / 128, 20 / 128, 5 / 128),
)
_THIRD = (
    (-3 / 4, 2 / 4, 1 / 4),
    (-83 / 16, 63 / 16, 3 / 16, 1 / 16),
    (-6705 / 128, 6948 / 128, -1042 / 128, -52 / 128, -13 / 128),
)
_FOURTH = ((3, -3, 0, 0), (699 / 16, -804 / 16, 138 / 16, 12 / 16, 3 / 16))
_FIFTH = ((-315 / 16, 420 / 16, -90 / 16, -12 / 16, -3 / 16),)

# Cumulants' terms of the third order change no normal score by a millionth below this.
_NEGLIGIBLE = 3e-8

# Standardised values so far from their mean may stand for all that are farther.
FAR = 9.0


def enough(items: int) -> float:
    """The `dim + noncentrality` from which the normal scores will do for a product of `items`.

    The more items, the farther out in its tail a distribution counts: measured, a win's error is
    below 4e-5 from here on.
    """
    return max(48.0, 52 * math.log(items) - 90)


class Root(NamedTuple):
    """Mean, deviation and the standardised third, fourth and fifth cumulants of ``R``."""

    mean: Tensor
    deviation: Tensor
    third: Tensor
    fourth: Tensor
    fifth: Tensor

    def at(self, index: Tensor) -> Root:
        """Of cumulants (k, n) those of one item a query, `index` (n,), as (1, n)."""
        return Root(*(value.gather(0, index[None]) for value in self))


def root(noncentrality: Tensor, dim: int) -> Root:
    """Cumulants of the norm of a `dim`-vector of unit normals whose mean has that squared norm."""
    size = noncentrality + dim
    length = size.sqrt()
    mean, variance, third, fourth, fifth = _series(noncentrality / size, dim)
    deviation = variance.clamp_min_(0.05).sqrt()
    mean.mul_(length)
    scale = (deviation * length).reciprocal_()
    third.mul_(scale).div_(variance)
    square = scale.square()
    fourth.mul_(square).div_(variance)
    fifth.mul_(square).mul_(scale).div_(variance)
    return Root(mean, deviation, third, fourth, fifth)


def _series(p: Tensor, dim: int) -> Tensor:
    """(5, ...) the tables at `p`, in whose powers a matrix product sums them all."""
    table = p.new_tensor(_in_powers_of_p(dim))
    powers = p.new_empty(table.shape[1], p.numel())
    powers[0], powers[1] = 1, p.flatten()
    for known in (2, 4):
        torch.mul(powers[:known], powers[known // 2].square(), out=powers[known : 2 * known])
    return (table @ powers).view(-1, *p.shape)


@functools.cache
def _in_powers_of_p(dim: int) -> list[list[float]]:
    """The tables as polynomials in p alone, constant first: ``1/N`` is ``(1 - p) / dim``."""
    e = np.polynomial.Polynomial([1 / dim, -1 / dim])
    table = np.zeros((5, 8))
    for total, rows in zip(table, (_MEAN, _VARIANCE, _THIRD, _FOURTH, _FIFTH), strict=True):
        for n, row in enumerate(rows):
            term = (np.polynomial.Polynomial(row[::-1]) * e**n).coef
            total[: len(term)] += np.asarray(term, dtype=np.float64)
    return table.tolist()


def score_polynomial(third: Tensor, fourth: Tensor, fifth: Tensor) -> list[Tensor]:
    """Coefficients, constant first, of the normal score as a polynomial in a standardised value.

    The series of Cornish and Fisher to its third order.
    """
    square, mixed = third.square(), third * fourth
    cube = square * third
    return [
        third / 6 - fifth / 40 + mixed * (15 / 144) - cube * (52 / 648),
        1 + fourth / 8 - square * (7 / 36),
        -third / 6 + fifth / 20 - mixed * (42 / 144) + cube * (187 / 648),
        square / 9 - fourth / 24,
        mixed * (11 / 144) - fifth / 120 - cube * (69 / 648),
    ]


def cotangent_score(
    cotangent: Tensor, along: Tensor, root: Root, away: Tensor | None = None
) -> Tensor:
    """Normal score of ``P((along + Z) / R <= cotangent)``: that of ``k R - Z``.

    With `away` the numerator is ``away mean - along``, `along` being taken at another cotangent.
    """
    share, scale = share_and_scale(cotangent, root)
    standardized = ((cotangent if away is None else away) * root.mean).sub_(along).mul_(scale)
    return score_of_share(standardized.clamp_(-FAR, FAR), share, root)


def share_and_scale(cotangent: Tensor, root: Root) -> tuple[Tensor, Tensor]:
    """``k R``'s share of the deviation of ``k R - Z``, and one over that deviation."""
    share = cotangent * root.deviation
    scale = share.square().add_(1).rsqrt_()
    return share.mul_(scale), scale


def score_of_share(z: Tensor, share: Tensor, root: Root) -> Tensor:
    """Normal score of a standardised value `z` of ``k R - Z``, `Z` standard normal.

    `share` is ``k R``'s share of the deviation, to whose n-th power the n-th cumulant is
    proportional. That leaves of `score_polynomial` a sum of Hermite's polynomials, homogeneous in
    ``share z`` and ``share^2``. `z` is overwritten.
    """
    square, value = share.square(), share * z
    third, fourth, fifth = root.third, root.fourth, root.fifth
    mixed, cube = third * fourth, third.square() * third
    # By powers of `value`, each a polynomial in `square`; the last terms are of the third order.
    coefficients: list[list[Tensor | None]] = [
        [None, third / -6, fifth / 40, mixed * (-15 / 144), cube * (52 / 648)],
        [None, fourth / 8, third.square() * (-7 / 36)],
        [third / 6, fifth / -20, mixed * (42 / 144), cube * (-187 / 648)],
        [fourth / -24, third.square() / 9],
        [fifth / 120, mixed * (-11 / 144), cube * (69 / 648)],
    ]
    if max(float(order.abs().max()) for order in (fifth, mixed, cube)) < _NEGLIGIBLE:
        coefficients = [row[:kept] for row, kept in zip(coefficients, (2, 3, 1, 2), strict=False)]
    # Memory is asked for once: what is fresh costs more to touch than to compute with.
    total, inner = torch.empty_like(value), torch.empty_like(value)
    _of_square(coefficients[-1], square, total)
    for row in coefficients[-2::-1]:
        torch.addcmul(_of_square(row, square, inner), total, value, out=total)
    return z.addcmul_(total, share)


def _of_square(row: list[Tensor | None], square: Tensor, out: Tensor) -> Tensor:
    """The polynomial `row`, constant first, None for 0, at `square`, in `out` unless constant."""
    if len(row) == 1:
        assert row[0] is not None
        return row[0]
    *rest, before, last = row
    assert last is not None
    if before is None:
        torch.mul(last, square, out=out)
    else:
        torch.addcmul(before, last, square, out=out)
    for coefficient in rest[::-1]:
        out.mul_(square)
        if coefficient is not None:
            out.add_(coefficient)
    return out


def evaluate(polynomial: list[Tensor], z: Tensor) -> Tensor:
    """The polynomial at `z`, its coefficients constant first."""
    result = polynomial[-1] * z
    for coefficient in polynomial[-2:0:-1]:
        result = result.add_(coefficient).mul_(z)
    return result.add_(polynomial[0])


def slope(polynomial: list[Tensor], z: Tensor) -> Tensor:
    """The polynomial's derivative at `z`."""
    return evaluate([power * c for power, c in enumerate(polynomial)][1:], z)
