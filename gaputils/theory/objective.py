"""The contrastive loss on squared distances, its softmax matrices and its closed-form gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gaputils.scoring import inner
from gaputils.theory._inputs import as_paired_points, as_setting


def contrastive_loss(x: Any, y: Any, tau: Any) -> Tensor:
    """Symmetric contrastive loss L of paired embeddings (Chowers et al. 2026, Eq. 6).

    `x` and `y` are (..., N, d), row i of one being the pair of row i of the other; `tau` is the
    temperature in units of squared distance. Returns one value for each leading index, in nats, in
    the sides' own precision (under `torch.autocast` too), and differentiates. Raises `ValueError`
    if a value is not finite, the shapes differ, N is 1 or `tau` is not positive.

    >>> import torch, gaputils as gu
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> gu.theory.contrastive_loss(x, x, tau=1.0), gu.theory.contrastive_loss(x, x + 5, tau=1.0)
    (tensor(0.6265), tensor(9.0001))
    """
    x, y = as_paired_points(x, y)
    logits = pair_logits(x, y, as_setting("tau", tau, x))
    own = logits.diagonal(dim1=-2, dim2=-1)
    per_pair = logits.logsumexp(-1) + logits.logsumexp(-2) - 2 * own
    return per_pair.mean(-1)


def assignment(x: Any, y: Any, tau: Any) -> tuple[Tensor, Tensor]:
    """The softmax matrices of both directions from one product (Chowers et al. 2026, Eq. 2).

    `Qx[..., k, i]` is the share of anchor `x_k` that goes to candidate `y_i`, and `Qy[..., i, k]`
    the share of anchor `y_i` that goes to `x_k`: both (..., N, N) with rows that sum to 1. Raises
    as `contrastive_loss` does.
    """
    x, y = as_paired_points(x, y)
    logits = pair_logits(x, y, as_setting("tau", tau, x))
    return logits.softmax(-1), logits.mT.softmax(-1)


def received_mass(x: Any, y: Any, tau: Any) -> tuple[Tensor, Tensor]:
    """How much softmax mass each point receives from the other modality: (Sx, Sy), each (..., N).

    `Sy[i] = sum_k Qx[k, i]` and `Sx[k] = sum_i Qy[i, k]`. Each sums to N, and the matrices are
    doubly stochastic exactly when every entry is 1 (Chowers et al. 2026). Raises as
    `contrastive_loss` does.
    """
    qx, qy = assignment(x, y, tau)
    return qy.sum(-2), qx.sum(-2)


def gradient(x: Any, y: Any, tau: Any) -> Tensor:
    """The gradient of the loss with respect to `y`, (..., N, d), in closed form (our derivation).

    `N dL/dy_i = (2/tau) [(1 - Sy_i) y_i - 2 x_i + sum_k (Qx[k, i] + Qy[i, k]) x_k]`. Raises as
    `contrastive_loss` does.

    >>> import torch, gaputils as gu
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> gu.theory.gradient(x, x, tau=1.0)
    tensor([[ 0.5379],
            [-0.5379]])
    """
    return gradients(x, y, tau)[1]


def gradients(x: Any, y: Any, tau: Any) -> tuple[Tensor, Tensor]:
    """The gradients of the loss with respect to `x` and to `y`, from one product of the two.

    Written with `R = Qx + Qy^T - 2 I`, whose rows and columns hold how far every pair is from
    being matched: `N dL/dy = (2/tau) (R^T x - colsum(R) y)` and `N dL/dx = (2/tau) (R y -
    rowsum(R) x)`, which is the same formula free of cancellation far from the origin.
    """
    x, y = as_paired_points(x, y)
    temperature = as_setting("tau", tau, x)
    centre = x.mean(-2, keepdim=True)
    x, y = x - centre, y - centre
    logits = pair_logits(x, y, temperature)
    residual = logits.softmax(-1) + logits.softmax(-2)
    residual.diagonal(dim1=-2, dim2=-1).sub_(2)
    scale = 2 / (temperature * x.shape[-2])
    grad_x = inner(residual, y.mT) - residual.sum(-1).unsqueeze(-1) * x
    grad_y = inner(residual.mT, x.mT) - residual.sum(-2).unsqueeze(-1) * y
    return scale * grad_x, scale * grad_y


def pair_logits(x: Tensor, y: Tensor, tau: Tensor) -> Tensor:
    """`-||x_k - y_i||^2 / tau` for every pair, (..., N, N), taken about the mean of `x`."""
    centre = x.mean(-2, keepdim=True).detach()
    x, y = x - centre, y - centre
    squares = x.square().sum(-1).unsqueeze(-1) + y.square().sum(-1).unsqueeze(-2)
    return (2 * inner(x, y) - squares) / tau
