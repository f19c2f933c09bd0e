"""What is read off a pair of point sets while they train: gap, spread, mass, matching."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gaputils.theory._inputs import as_paired_points, as_setting
from gaputils.theory.objective import gradients, pair_logits


def gap_measures(x: Any, y: Any) -> dict[str, Tensor]:
    """Measures of a gap that need no temperature, one value for each leading index of (..., N, d).

    `gap` is `||mean(y) - mean(x)||`. Of the embeddings centred on their own mean, averaged over
    both modalities: `cosine_with_gap` is the mean absolute cosine with the gap vector,
    `variance_along_gap` and `variance_across` the variance along it and the mean variance of a
    direction orthogonal to it (squared units of the embeddings), `share_along_gap` the first over
    the total: all three 0 along a gap that is zero to rounding, which has no direction. `matched`
    is the share of points whose nearest neighbour in the other modality is their pair.
    """
    x, y = as_paired_points(x, y)
    mean_x, mean_y = x.mean(-2, keepdim=True), y.mean(-2, keepdim=True)
    gap = mean_y - mean_x
    length = torch.linalg.vector_norm(gap, dim=-1, keepdim=True)
    size = torch.stack([x, y]).square().sum(-1).mean(-1).amax(0).sqrt()[..., None, None]
    told = length > torch.finfo(x.dtype).eps * size
    direction = torch.where(told, gap, 0) / length.clamp_min(torch.finfo(x.dtype).tiny)
    centred = torch.stack([x - mean_x, y - mean_y])
    along = (centred * direction).sum(-1)
    norms = torch.linalg.vector_norm(centred, dim=-1).clamp_min(torch.finfo(x.dtype).tiny)
    variance = along.square().mean(-1).mean(0)
    total = centred.square().sum(-1).mean(-1).mean(0)
    others = max(x.shape[-1] - 1, 1)
    logits = pair_logits(x, y, torch.ones_like(length))
    own = torch.arange(x.shape[-2], device=x.device)
    hits = [(logits.argmax(side) == own).to(x.dtype).mean(-1) for side in (-1, -2)]
    return {
        "gap": length[..., 0, 0],
        "cosine_with_gap": (along.abs() / norms).mean(-1).mean(0),
        "variance_along_gap": variance,
        "variance_across": (total - variance).clamp_min(0) / others,
        "share_along_gap": variance / total.clamp_min(torch.finfo(x.dtype).tiny),
        "matched": (hits[0] + hits[1]) / 2,
    }


def training_measures(x: Any, y: Any, tau: Any) -> dict[str, Tensor]:
    """`gap_measures`, and what depends on the temperature.

    `loss` in nats; `gradient_norm` of both modalities together; `mass_deviation`, the mean
    ``|S - 1|`` of the received mass over both modalities, and `largest_mass_deviation`.
    """
    x, y = as_paired_points(x, y)
    logits = pair_logits(x, y, as_setting("tau", tau, x))
    own = logits.diagonal(dim1=-2, dim2=-1)
    loss = (logits.logsumexp(-1) + logits.logsumexp(-2) - 2 * own).mean(-1)
    mass = torch.stack([logits.softmax(-2).sum(-1), logits.softmax(-1).sum(-2)])
    deviation = (mass - 1).abs()
    slopes = torch.stack(gradients(x, y, tau))
    return {
        "loss": loss,
        "gradient_norm": slopes.square().sum((0, -2, -1)).sqrt(),
        "mass_deviation": deviation.mean(-1).mean(0),
        "largest_mass_deviation": deviation.amax(-1).amax(0),
        **gap_measures(x, y),
    }
